/** Asks before something is done that cannot be taken back. */

import type { ReactNode } from 'react';
import { useDeed } from '../../app/deed.ts';
import { useCommonSay } from '../../i18n/say.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { FormError } from '../../ui/states.tsx';

export function ConfirmDialog(props: {
  title: string;
  children: ReactNode;
  /** On the button. */
  deed: string;
  /** There is something to wait for first. */
  isDisabled?: boolean;
  /** Closes when it resolves; what it rejects with is shown. */
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}): ReactNode {
  const { title, children, deed, isDisabled = false, onConfirm, onClose } = props;
  const say = useCommonSay();
  const { isSending, problem, run } = useDeed();
  const confirm = (): Promise<void> =>
    run(async () => {
      await onConfirm();
      onClose();
    });
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <FormError text={problem} />
      <div className="actions">
        <button
          type="button"
          className="act main"
          data-action="confirm"
          disabled={isSending || isDisabled}
          onClick={() => void confirm()}
        >
          {isSending ? say('sending') : deed}
        </button>
        <button type="button" className="act" onClick={onClose}>
          {say('cancel')}
        </button>
      </div>
    </Dialog>
  );
}
