/** Somebody else changed the file while one was at it: nobody's work is written over unseen. */

import type { ReactNode } from 'react';
import { useSay } from '../../../i18n/say.ts';
import { Mark } from '../../../ui/mark.tsx';
import { DiffView } from './diff_view.tsx';
import type { Draft } from './drafts.ts';
import { draftStore } from './drafts.ts';
import look from './profiles.module.css';
import { PROFILES_WORDS } from './words.ts';

export function Conflict(props: {
  name: string;
  draft: Draft;
  /** As it is now; null: it is gone. */
  there: Draft['base'];
}): ReactNode {
  const { name, draft, there } = props;
  const say = useSay(PROFILES_WORDS);
  return (
    <div className={look.problem} role="alert" data-conflict>
      <p>
        <Mark level="warn">{say(there === null ? 'conflict_gone' : 'conflict')}</Mark>
      </p>
      {there === null ? null : (
        <>
          <p>{say('conflict_theirs')}</p>
          <DiffView
            label={say('conflict_theirs')}
            before={draft.base?.text ?? ''}
            after={there.text}
          />
        </>
      )}
      <p>{say('conflict_note')}</p>
      <div className="actions">
        <button
          type="button"
          className="act"
          data-action="keep-mine"
          onClick={() => draftStore.put(name, draft.text, there)}
        >
          {say('keep_mine')}
        </button>
        <button
          type="button"
          className="act"
          data-action="take-theirs"
          onClick={() => draftStore.drop(name)}
        >
          {say('take_theirs')}
        </button>
      </div>
    </div>
  );
}
