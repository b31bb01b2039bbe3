/** Applying a file, or removing it, after one has seen what that does. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { ApiFailure } from '../../../api/client.ts';
import { useSay } from '../../../i18n/say.ts';
import { Name } from '../../../ui/mark.tsx';
import { ConfirmDialog } from '../confirm.tsx';
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
  const [mistakes, setMistakes] = useState<readonly Mistake[]>([]);
  const apply = async (): Promise<void> => {
    try {
      const etag = base?.etag ?? null;
      onDone(text === null ? await remove(name, etag ?? '') : await put(name, text, etag));
    } catch (error) {
      onRefused();
      setMistakes(mistakesOf(error));
      throw error;
    }
  };
  const wrong = mistakes.length > 0 ? mistakes : (checked?.mistakes ?? []);
  return (
    <ConfirmDialog
      title={say(text === null ? 'ask_remove' : 'ask_apply')}
      deed={say(text === null ? 'remove' : 'apply_now')}
      isDisabled={checked === undefined}
      onConfirm={apply}
      onClose={onClose}
    >
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
    </ConfirmDialog>
  );
}

/** Of a 422. */
function mistakesOf(error: unknown): readonly Mistake[] {
  if (!(error instanceof ApiFailure)) return [];
  const { mistakes } = (error.body ?? {}) as { mistakes?: Mistake[] };
  return mistakes ?? [];
}
