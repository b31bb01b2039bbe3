/** Who cares for an alert, and why it makes no messages, in words. */

import type { ReactNode } from 'react';
import type { Alert } from '../../api/types.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { useSay } from '../../i18n/say.ts';
import { Name } from '../../ui/mark.tsx';
import { useMoments } from '../../ui/moments.ts';
import { inhibitorOf, titleOf } from './alerts.ts';
import type { Silence } from './types.ts';
import { ALERTS_WORDS } from './words.ts';

/** What the lists beside an alert know. */
export interface Around {
  alerts: readonly Alert[];
  silences: readonly Silence[];
}

export function useWhyLines(): (alert: Alert, around: Around) => string[] {
  const say = useSay(ALERTS_WORDS);
  const { language } = usePreferences();
  const { clock } = useMoments();
  return (alert, { alerts, silences }) => {
    const lines: string[] = [];
    if (alert.state === 'pending') lines.push(say('pending_said'));
    if (alert.acknowledged_ms !== null) {
      const time = clock(alert.acknowledged_ms, alert.site);
      const by = say('acknowledged_by', { by: alert.acknowledged_by || '–', time });
      lines.push(alert.acknowledged_note === '' ? by : `${by} – “${alert.acknowledged_note}”`);
    }
    if (alert.inhibited_by !== '') {
      const cause = inhibitorOf(alert, alerts);
      const title = cause === undefined ? alert.inhibited_by : titleOf(cause, language);
      const { gateway } = alert;
      const rule = alert.inhibited_by;
      if (rule === 'gateway_down' || rule === 'gateway_behind')
        lines.push(say(`inhibited_${rule}`, { gateway, title }));
      else lines.push(say('inhibited_rule', { title }));
    }
    if (alert.silence !== '') {
      const silence = silences.find(({ id }) => id === alert.silence);
      if (silence === undefined) lines.push(say('silenced_said'));
      else {
        const time = clock(silence.until_ms, alert.site);
        const { by, reason, kind } = silence;
        lines.push(say(`${kind}_until_said`, { time, by: by || '–', reason }));
      }
    }
    return lines;
  };
}

export function WhyLines({ lines }: { lines: readonly string[] }): ReactNode {
  return lines.map((line) => (
    <p key={line} data-why="">
      <Name text={line} />
    </p>
  ));
}
