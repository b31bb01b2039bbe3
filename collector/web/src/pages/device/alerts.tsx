/** What fires of this device, with what can be done about it; and maintenance of it. */

import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { activeAlertsQuery } from '../../app/firing.tsx';
import { useLookAgain } from '../../app/look_again.ts';
import { usePermissions } from '../../app/session.ts';
import { useSay } from '../../i18n/say.ts';
import { AlertRow } from '../alerts/alert_row.tsx';
import { compareAlerts } from '../alerts/alerts.ts';
import { SilenceDialog } from '../alerts/silence_form.tsx';
import { currentSilencesQuery } from '../alerts/silences_tab.tsx';
import look from './page.module.css';
import { DEVICE_WORDS } from './words.ts';

export function DeviceAlerts({ site, device }: { site: string; device: string }): ReactNode {
  const say = useSay(DEVICE_WORDS);
  const { mayAt } = usePermissions();
  const alerts = useQuery(activeAlertsQuery).data?.items ?? [];
  const silences = useQuery(currentSilencesQuery).data?.items ?? [];
  const lookAgain = useLookAgain();
  const [isAsking, setAsking] = useState(false);
  const onDecided = (): void =>
    lookAgain(activeAlertsQuery.queryKey, currentSilencesQuery.queryKey);
  const own = alerts
    .filter((alert) => alert.site === site && alert.device === device)
    .sort(compareAlerts);
  return (
    <section id="device-alerts" aria-label={say('device_alerts')} className={look.alerts}>
      {own.length === 0 ? (
        <p className="note">{say('alerts_none')}</p>
      ) : (
        <ul className={look.list}>
          {own.map((alert) => (
            <AlertRow key={alert.id} alert={alert} context={{ alerts, silences, onDecided }} />
          ))}
        </ul>
      )}
      {mayAt('operator', site) ? (
        <p>
          <button
            type="button"
            className="act"
            data-action="silence-device"
            onClick={() => setAsking(true)}
          >
            {say('silence_device')}
          </button>
        </p>
      ) : null}
      {isAsking ? (
        <SilenceDialog
          subject={{ site, line: '', device, rule: '', title: '' }}
          onDone={onDecided}
          onClose={() => setAsking(false)}
        />
      ) : null}
    </section>
  );
}
