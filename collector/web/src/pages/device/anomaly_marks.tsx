/** What a person said that an anomaly was: one click, or a dialog with a note. */

import type { ReactNode } from 'react';
import { useEffect, useState } from 'react';
import { send } from '../../api/client.ts';
import { DeciderField, useDecider } from '../../app/decider.tsx';
import { failureText } from '../../app/failure_text.ts';
import { GIVE_UP_MS, useLookAgain } from '../../app/look_again.ts';
import { useSay } from '../../i18n/say.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { Name } from '../../ui/mark.tsx';
import { useMoments } from '../../ui/moments.ts';
import { FormError } from '../../ui/states.tsx';
import type { Anomaly, AnomalyMark } from '../alerts/types.ts';
import look from './page.module.css';
import { useAnomalyWords } from './say_anomaly.ts';
import { DEVICE_WORDS } from './words.ts';

const MARKS: readonly AnomalyMark[] = ['true', 'false', 'maintenance'];
const NOTE_MAX = 500;

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
  const [problem, setProblem] = useState('');
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
  }, [sent, isSeen, say]);
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
    else
      mark({ mark: value, note: '' }).catch((error: unknown) =>
        setProblem(failureText(error, say)),
      );
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
  const [problem, setProblem] = useState('');
  const [isSending, setSending] = useState(false);
  const save = async (): Promise<void> => {
    setSending(true);
    setProblem('');
    try {
      await onSave({ ...said, note: said.note.trim() });
      onClose();
    } catch (error) {
      setProblem(failureText(error, say));
      setSending(false);
    }
  };
  return (
    <Dialog title={say('mark_title')} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!isSending) void save();
        }}
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
        <label>
          {say('note')}
          <input
            name="note"
            maxLength={NOTE_MAX}
            autoComplete="off"
            value={said.note}
            onChange={({ target }) => setSaid({ ...said, note: target.value })}
          />
        </label>
        <FormError text={problem} />
        <div className="actions">
          <button type="submit" className="act main" disabled={isSending}>
            {say(isSending ? 'sending' : 'save')}
          </button>
          <button type="button" className="act" onClick={onClose}>
            {say('cancel')}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
