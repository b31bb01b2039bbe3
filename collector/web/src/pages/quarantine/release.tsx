/** Releasing: with what it means, a note, progress; many one after the other, until it is stopped. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { send } from '../../api/client.ts';
import { DeciderField, NoteField, useDecider } from '../../app/decider.tsx';
import { useDeed } from '../../app/deed.ts';
import { failureText } from '../../app/failure_text.ts';
import { useLookAgain } from '../../app/look_again.ts';
import type { Failed } from '../../app/one_by_one.ts';
import { oneByOne } from '../../app/one_by_one.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { Name } from '../../ui/mark.tsx';
import { FormError } from '../../ui/states.tsx';
import type { Entry } from './types.ts';
import { valueText } from './value_text.ts';
import { QUARANTINE_WORDS } from './words.ts';

export function ReleaseDialog(props: {
  entries: readonly Entry[];
  /** With the ids of those that were released. */
  onClose: (done: readonly string[]) => void;
}): ReactNode {
  const { entries, onClose } = props;
  const say = useSay(QUARANTINE_WORDS);
  const { language } = usePreferences();
  const decider = useDecider();
  const lookAgain = useLookAgain();
  const [note, setNote] = useState('');
  const { isSending, isDone, run } = useDeed();
  const stage = isSending ? 'runs' : isDone ? 'over' : 'asks';
  const [done, setDone] = useState<readonly string[]>([]);
  const [failed, setFailed] = useState<readonly Failed<Entry>[]>([]);
  const [cancelled] = useState(() => new AbortController());
  const total = entries.length;
  const count = (n: number): string => formatCount(n, language);
  const close = (): void => {
    cancelled.abort();
    onClose(done);
  };
  const release = async (): Promise<void> => {
    const body = { ...decider.by(), note: note.trim() };
    const refused = await oneByOne(entries, {
      deed: async ({ id }) => {
        await send('POST', `quarantine/${encodeURIComponent(id)}/release`, body);
        setDone((before) => [...before, id]);
      },
      onProgress: () => undefined,
      signal: cancelled.signal,
    });
    setFailed(refused);
    lookAgain(['quarantine']);
  };
  const [first] = failed;
  const problem =
    first === undefined
      ? ''
      : say('release_some_failed', {
          failed: count(failed.length),
          total: count(total),
          message: failureText(first.error, say),
        });
  const said = {
    asks: '',
    runs: say('release_progress', { done: count(done.length), total: count(total) }),
    over:
      done.length + failed.length < total
        ? say('release_stopped', { done: count(done.length), total: count(total) })
        : say('release_done', { count: count(done.length) }),
  }[stage];
  return (
    <Dialog title={say('release_title')} onClose={close}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (stage === 'asks') void run(release);
        }}
      >
        <WhatIsReleased entries={entries} />
        {stage === 'asks' ? (
          <>
            <p>{say('release_warning')}</p>
            <DeciderField decider={decider} />
            <NoteField label={say('release_note')} note={note} onChange={setNote} />
          </>
        ) : (
          <progress max={total} value={done.length + failed.length} aria-label={said} />
        )}
        <p role="status">{said}</p>
        <FormError text={problem} />
        <div className="actions">
          {stage === 'asks' ? (
            <button type="submit" className="act main">
              {say('release_submit')}
            </button>
          ) : null}
          {stage === 'runs' ? (
            <button
              type="button"
              className="act"
              data-action="stop"
              onClick={() => cancelled.abort()}
            >
              {say('stop')}
            </button>
          ) : (
            <button type="button" className="act" data-action="close" onClick={close}>
              {say(stage === 'asks' ? 'cancel' : 'close')}
            </button>
          )}
        </div>
      </form>
    </Dialog>
  );
}

function WhatIsReleased({ entries }: { entries: readonly Entry[] }): ReactNode {
  const say = useSay(QUARANTINE_WORDS);
  const { language } = usePreferences();
  const [first] = entries;
  if (entries.length !== 1 || first?.reading == null)
    return <p>{say('release_what', { count: formatCount(entries.length, language) })}</p>;
  const { channel, value } = first.reading;
  const text = valueText(value, language) ?? say('no_value');
  return (
    <p>
      <Name text={first.device} /> · <Name text={say('reading_of', { channel, value: text })} />
    </p>
  );
}
