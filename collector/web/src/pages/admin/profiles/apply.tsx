/** Applying a file, or removing it, after one has seen what that does. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { ApiFailure } from '../../../api/client.ts';
import { failureText } from '../../../app/failure_text.ts';
import { useSay } from '../../../i18n/say.ts';
import { Dialog } from '../../../ui/dialog.tsx';
import { Name } from '../../../ui/mark.tsx';
import { FormError } from '../../../ui/states.tsx';
import { DiffView } from './diff_view.tsx';
import type { Draft } from './drafts.ts';
import { EffectView } from './effect_view.tsx';
import look from './profiles.module.css';
import { put, remove, useCheck } from './request.ts';
import type { Applied, Checked, Mistake } from './types.ts';
import { PROFILES_WORDS } from './words.ts';

export function ApplyDialog(props: {
  name: string;
  /** Null: the file is to be removed. */
  text: string | null;
  base: Draft['base'];
  /** Of this text; undefined: not checked yet. */
  checked: Checked | undefined;
  onDone: (applied: Applied) => void;
  onRefused: () => void;
  onClose: () => void;
}): ReactNode {
  const { name, text, base, onDone, onRefused, onClose } = props;
  const say = useSay(PROFILES_WORDS);
  const check = useCheck(name, text, props.checked === undefined ? 0 : undefined);
  const checked = props.checked ?? (check.isCurrent ? check.query.data : undefined);
  const [isSending, setSending] = useState(false);
  const [problem, setProblem] = useState('');
  const [mistakes, setMistakes] = useState<readonly Mistake[]>([]);
  const apply = async (): Promise<void> => {
    setSending(true);
    setProblem('');
    try {
      const etag = base?.etag ?? null;
      const done = text === null ? await remove(name, etag ?? '') : await put(name, text, etag);
      onDone(done);
      onClose();
    } catch (error) {
      setSending(false);
      onRefused();
      setProblem(failureText(error, say));
      setMistakes(mistakesOf(error));
    }
  };
  const wrong = mistakes.length > 0 ? mistakes : (checked?.mistakes ?? []);
  return (
    <Dialog title={say(text === null ? 'ask_remove' : 'ask_apply')} onClose={onClose}>
      <p>
        <Name text={name} />
      </p>
      {text === null ? null : (
        <DiffView label={say('diff')} before={base?.text ?? ''} after={text} />
      )}
      {checked?.effect ? (
        <div className={look.would}>
          <EffectView effect={checked.effect} />
        </div>
      ) : checked === undefined ? (
        <p className="note">{say('checking')}</p>
      ) : null}
      {wrong.length === 0 ? null : (
        <ul className={look.mistakes}>
          {wrong.map((mistake) => (
            <li key={JSON.stringify(mistake)}>
              <Name text={mistake.file} /> {say('at_line', { ...mistake })}:{' '}
              <Name text={mistake.message} />
            </li>
          ))}
        </ul>
      )}
      <p className="note">{say('apply_note')}</p>
      <FormError text={problem} />
      <div className="actions">
        <button
          type="button"
          className="act main"
          data-action="confirm"
          disabled={isSending || checked === undefined}
          onClick={() => void apply()}
        >
          {isSending ? say('sending') : say(text === null ? 'remove' : 'apply_now')}
        </button>
        <button type="button" className="act" onClick={onClose}>
          {say('cancel')}
        </button>
      </div>
    </Dialog>
  );
}

/** Of a 422. */
function mistakesOf(error: unknown): readonly Mistake[] {
  if (!(error instanceof ApiFailure)) return [];
  const { mistakes } = (error.body ?? {}) as { mistakes?: Mistake[] };
  return mistakes ?? [];
}
