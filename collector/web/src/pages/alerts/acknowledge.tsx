/** Acknowledging: one alert, or all of one cause, one after the other. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { send } from '../../api/client.ts';
import type { Alert } from '../../api/types.ts';
import { DeciderField, useDecider } from '../../app/decider.tsx';
import { failureText } from '../../app/failure_text.ts';
import { oneByOne } from '../../app/one_by_one.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { useSay } from '../../i18n/say.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { Name } from '../../ui/mark.tsx';
import { SeverityMark } from '../../ui/severity.tsx';
import { FormError } from '../../ui/states.tsx';
import { subjectOf, titleOf } from './alerts.ts';
import { ALERTS_WORDS } from './words.ts';

export const NOTE_MAX = 500;

export function AcknowledgeDialog(props: {
  alerts: readonly [Alert, ...Alert[]];
  /** Each that was taken, as it was when it was sent. */
  onTaken: (alert: Alert) => void;
  onClose: () => void;
}): ReactNode {
  const { alerts, onTaken, onClose } = props;
  const [first] = alerts;
  const say = useSay(ALERTS_WORDS);
  const { language } = usePreferences();
  const decider = useDecider();
  const [note, setNote] = useState('');
  const [done, setDone] = useState<number>();
  const [problem, setProblem] = useState('');
  const [cancelled] = useState(() => new AbortController());
  const close = (): void => {
    cancelled.abort();
    onClose();
  };
  const submit = async (): Promise<void> => {
    setProblem('');
    const body = { ...decider.by(), note: note.trim() };
    const failed = await oneByOne(alerts, {
      deed: async (alert) => {
        await send('POST', `alerts/${encodeURIComponent(alert.id)}/acknowledge`, body);
        onTaken(alert);
      },
      onProgress: setDone,
      signal: cancelled.signal,
    });
    setDone(undefined);
    const [first] = failed;
    if (first === undefined) close();
    else {
      const message = failureText(first.error, say);
      const values = { failed: failed.length, total: alerts.length, message };
      setProblem(alerts.length === 1 ? message : say('acknowledge_some_failed', values));
    }
  };
  return (
    <Dialog title={say('acknowledge_title')} onClose={close}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (done === undefined) void submit();
        }}
      >
        <p>
          <SeverityMark severity={first.severity} />{' '}
          {alerts.length === 1 ? (
            <>
              <Name text={subjectOf(first)} /> · {titleOf(first, language)}
            </>
          ) : (
            say('group_rule', { count: alerts.length, title: titleOf(first, language) })
          )}
        </p>
        <DeciderField decider={decider} />
        <label>
          {say('note')}
          <input
            name="note"
            maxLength={NOTE_MAX}
            autoComplete="off"
            value={note}
            onChange={({ target }) => setNote(target.value)}
          />
        </label>
        <FormError text={problem} />
        {done === undefined || alerts.length === 1 ? null : (
          <progress
            max={alerts.length}
            value={done}
            aria-label={say('acknowledge_progress', { done, total: alerts.length })}
          />
        )}
        <div className="actions">
          <button type="submit" className="act main" disabled={done !== undefined}>
            {done === undefined ? say('acknowledge') : say('sending')}
          </button>
          <button type="button" className="act" onClick={close}>
            {say('cancel')}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
