/** What a person said that an anomaly was: one click, or a dialog with a note. */

import type { ReactNode } from 'react';
import { useEffect, useState } from 'react';
import { send } from '../../api/client.ts';
import { DeciderField, NoteField, useDecider } from '../../app/decider.tsx';
import { useDeed } from '../../app/deed.ts';
import { GIVE_UP_MS, useLookAgain } from '../../app/look_again.ts';
import { useSay } from '../../i18n/say.ts';
import { FormDialog } from '../../ui/form_dialog.tsx';
import { Name } from '../../ui/mark.tsx';
import { useMoments } from '../../ui/moments.ts';
import type { Anomaly, AnomalyMark } from '../alerts/types.ts';
import look from './page.module.css';
import { useAnomalyWords } from './say_anomaly.ts';
import { DEVICE_WORDS } from './words.ts';

const MARKS: readonly AnomalyMark[] = ['true', 'false', 'maintenance'];

interface Said {
  mark: AnomalyMark;
  note: string;
}

export function AnomalyMarks(props: { anomaly: Anomaly; mayMark: boolean }): ReactNode {
  const { anomaly, mayMark } = props;
  const say = useSay(DEVICE_WORDS);
  const decider = useDecider();
  const lookAgain = useLookAgain();
  const [asks, setAsks] = useState<AnomalyMark>();
  const [sent, setSent] = useState<Said>();
  const { problem, setProblem, run } = useDeed();
  const isSeen =
    sent !== undefined && sent.mark === anomaly.mark && sent.note === (anomaly.marked_note ?? '');
  useEffect(() => {
    if (sent === undefined) return;
    if (isSeen) {
      setSent(undefined);
      return;
    }
    // What was sent did not come back: the truth is what the collector shows.
    const timer = setTimeout(() => {
      setSent(undefined);
      setProblem(say('change_not_seen'));
    }, GIVE_UP_MS);
    return () => clearTimeout(timer);
  }, [sent, isSeen, say, setProblem]);
  const mark = async (said: Said): Promise<void> => {
    setProblem('');
    const path = `anomalies/${encodeURIComponent(anomaly.id)}/mark`;
    await send('POST', path, { mark: said.mark, ...decider.by(), note: said.note });
    setSent(said);
    lookAgain(['anomalies']);
  };
  const choose = (value: AnomalyMark): void => {
    // Who has not said yet who they are is asked.
    if (decider.name === '') setAsks(value);
    else void run(() => mark({ mark: value, note: '' }));
  };
  const shown = sent?.mark ?? anomaly.mark;
  if (!mayMark)
    return shown === null ? null : (
      <p>
        <strong>{say(`mark_${shown}`)}</strong> <SaidBy anomaly={anomaly} />
      </p>
    );
  return (
    <>
      <fieldset className="choice" aria-label={say('what_was_it')}>
        {MARKS.map((value) => (
          <button
            key={value}
            type="button"
            data-mark={value}
            aria-pressed={value === shown}
            onClick={() => choose(value)}
          >
            {say(`mark_${value}`)}
          </button>
        ))}
      </fieldset>
      <button
        type="button"
        className="act"
        data-action="note"
        onClick={() => setAsks(shown ?? 'true')}
      >
        {say('add_note')}
      </button>
      <p role="status">
        {sent !== undefined ? say('sent') : shown === null ? '' : <SaidBy anomaly={anomaly} />}
      </p>
      <p className={look.problem} role="alert">
        {problem === '' ? '' : `▲ ${problem}`}
      </p>
      {asks === undefined ? null : (
        <MarkDialog
          anomaly={anomaly}
          first={{ mark: asks, note: asks === anomaly.mark ? (anomaly.marked_note ?? '') : '' }}
          decider={decider}
          onSave={mark}
          onClose={() => setAsks(undefined)}
        />
      )}
    </>
  );
}

function SaidBy({ anomaly }: { anomaly: Anomaly }): ReactNode {
  const say = useSay(DEVICE_WORDS);
  const { clock } = useMoments();
  const { mark, marked_by, marked_note, marked_ms, site } = anomaly;
  if (mark === null || marked_ms === null) return null;
  const by = say('marked_by', { by: marked_by || '–', time: clock(marked_ms, site) });
  return <Name text={marked_note ? `${by} – “${marked_note}”` : by} />;
}

function MarkDialog(props: {
  anomaly: Anomaly;
  first: Said;
  decider: ReturnType<typeof useDecider>;
  onSave: (said: Said) => Promise<void>;
  onClose: () => void;
}): ReactNode {
  const { anomaly, first, decider, onSave, onClose } = props;
  const say = useSay(DEVICE_WORDS);
  const { reasonOf } = useAnomalyWords();
  const [said, setSaid] = useState(first);
  const { isSending, problem, run } = useDeed();
  const save = async (): Promise<void> => {
    await onSave({ ...said, note: said.note.trim() });
    onClose();
  };
  return (
    <FormDialog
      title={say('mark_title')}
      problem={problem}
      deed={say('save')}
      isSending={isSending}
      onSubmit={() => void run(save)}
      onClose={onClose}
    >
      <p>
        <Name text={reasonOf(anomaly)} />
      </p>
      <fieldset className="choice" aria-label={say('what_was_it')}>
        {MARKS.map((value) => (
          <button
            key={value}
            type="button"
            aria-pressed={value === said.mark}
            onClick={() => setSaid({ ...said, mark: value })}
          >
            {say(`mark_${value}`)}
          </button>
        ))}
      </fieldset>
      <DeciderField decider={decider} />
      <NoteField
        label={say('note')}
        note={said.note}
        onChange={(note) => setSaid({ ...said, note })}
      />
    </FormDialog>
  );
}
