/** Acknowledging: one alert, or all of one cause, one after the other. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { send } from '../../api/client.ts';
import type { Alert } from '../../api/types.ts';
import { DeciderField, NoteField, useDecider } from '../../app/decider.tsx';
import { useDeed } from '../../app/deed.ts';
import { failureText } from '../../app/failure_text.ts';
import { oneByOne } from '../../app/one_by_one.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { useSay } from '../../i18n/say.ts';
import { FormDialog } from '../../ui/form_dialog.tsx';
import { Name } from '../../ui/mark.tsx';
import { SeverityMark } from '../../ui/severity.tsx';
import { subjectOf, titleOf } from './alerts.ts';
import { ALERTS_WORDS } from './words.ts';

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
  const [done, setDone] = useState(0);
  const { isSending, problem, run } = useDeed();
  const [cancelled] = useState(() => new AbortController());
  const close = (): void => {
    cancelled.abort();
    onClose();
  };
  const submit = async (): Promise<void> => {
    const body = { ...decider.by(), note: note.trim() };
    const failed = await oneByOne(alerts, {
      deed: async (alert) => {
        await send('POST', `alerts/${encodeURIComponent(alert.id)}/acknowledge`, body);
        onTaken(alert);
      },
      onProgress: setDone,
      signal: cancelled.signal,
    });
    const [first] = failed;
    if (first === undefined) return close();
    if (alerts.length === 1) throw first.error;
    const message = failureText(first.error, say);
    const values = { failed: failed.length, total: alerts.length, message };
    throw new Error(say('acknowledge_some_failed', values));
  };
  return (
    <FormDialog
      title={say('acknowledge_title')}
      problem={problem}
      progress={
        isSending && alerts.length > 1 ? (
          <progress
            max={alerts.length}
            value={done}
            aria-label={say('acknowledge_progress', { done, total: alerts.length })}
          />
        ) : null
      }
      deed={say('acknowledge')}
      isSending={isSending}
      onSubmit={() => void run(submit)}
      onClose={close}
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
      <NoteField label={say('note')} note={note} onChange={setNote} />
    </FormDialog>
  );
}
