/** Asks before something is done that cannot be taken back. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { failureText } from '../../app/failure_text.ts';
import { useSay } from '../../i18n/say.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { FormError } from '../../ui/states.tsx';
import { ADMIN_WORDS } from './words.ts';

export function ConfirmDialog(props: {
  title: string;
  children: ReactNode;
  /** On the button. */
  deed: string;
  /** Closes when it resolves; what it rejects with is shown. */
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}): ReactNode {
  const { title, children, deed, onConfirm, onClose } = props;
  const say = useSay(ADMIN_WORDS);
  const [isSending, setSending] = useState(false);
  const [problem, setProblem] = useState('');
  const confirm = async (): Promise<void> => {
    setSending(true);
    setProblem('');
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      setProblem(failureText(error, say));
      setSending(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <FormError text={problem} />
      <div className="actions">
        <button
          type="button"
          className="act main"
          data-action="confirm"
          disabled={isSending}
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
