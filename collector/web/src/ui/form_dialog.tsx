/** A form over the page: its fields, what went wrong, the deed, and the way out. */

import type { ReactNode } from 'react';
import { useCommonSay } from '../i18n/say.ts';
import { Dialog } from './dialog.tsx';
import { FormError } from './states.tsx';

export function FormDialog(props: {
  title: string;
  /** The fields. */
  children: ReactNode;
  /** '': nothing is wrong. */
  problem: string;
  /** Beneath the problem, while it is sent. */
  progress?: ReactNode;
  /** On the button. */
  deed: string;
  /** It is under way: it is not begun once more. */
  isSending?: boolean;
  /** What was filled in is not to be sent (yet). */
  isDisabled?: boolean;
  onSubmit: () => void;
  onClose: () => void;
}): ReactNode {
  const { title, children, problem, progress, deed, onSubmit, onClose } = props;
  const { isSending = false, isDisabled = false } = props;
  const say = useCommonSay();
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!isSending && !isDisabled) onSubmit();
        }}
      >
        {children}
        <FormError text={problem} />
        {progress}
        <div className="actions">
          <button
            type="submit"
            className="act main"
            data-action="confirm"
            disabled={isSending || isDisabled}
          >
            {isSending ? say('sending') : deed}
          </button>
          <button type="button" className="act" onClick={onClose}>
            {say('cancel')}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
