/** A secret that is shown this once. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { useSay } from '../../i18n/say.ts';
import { Dialog } from '../../ui/dialog.tsx';
import look from './page.module.css';
import { ADMIN_WORDS } from './words.ts';

export function SecretDialog(props: {
  title: string;
  /** What it is for and whose. */
  note: string;
  secret: string;
  onClose: () => void;
}): ReactNode {
  const { title, note, secret, onClose } = props;
  const say = useSay(ADMIN_WORDS);
  const [copied, setCopied] = useState<boolean>();
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(secret);
      setCopied(true);
    } catch {
      // Not over plain HTTP from another machine: then one marks and copies it.
      setCopied(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{note}</p>
      <p>
        <code className={look.secret} data-secret>
          {secret}
        </code>
      </p>
      <p className="note">{say('shown_once')}</p>
      <p role="status">{copied === undefined ? '' : say(copied ? 'copied' : 'copy_by_hand')}</p>
      <div className="actions">
        <button type="button" className="act main" onClick={() => void copy()}>
          {say('copy')}
        </button>
        <button type="button" className="act" onClick={onClose}>
          {say('i_have_it')}
        </button>
      </div>
    </Dialog>
  );
}
