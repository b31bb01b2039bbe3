/** Alerts: what fires, what was, what is silenced, and the anomalies behind them. */

import type { ReactNode } from 'react';
import { oneOf, useAddress } from '../../app/address.ts';
import { useSay } from '../../i18n/say.ts';
import { Choice } from '../../ui/choice.tsx';
import { ZoneNote } from '../../ui/zone_note.tsx';
import { ANOMALY_KEYS, AnomaliesTab } from './anomalies.tsx';
import { FILTER_KEYS } from './filters.tsx';
import { HistoryTab } from './history.tsx';
import { NowTab } from './now.tsx';
import { SilencesTab } from './silences_tab.tsx';
import { ALERTS_WORDS } from './words.ts';

const TABS = ['now', 'history', 'silences', 'anomalies'] as const;
const KEYS = ['tab', ...FILTER_KEYS, ...ANOMALY_KEYS] as const;

export default function AlertsPage(): ReactNode {
  const say = useSay(ALERTS_WORDS);
  const [address, change] = useAddress(KEYS);
  const tab = oneOf(TABS, address.tab);
  return (
    <>
      <div className="title-row">
        <h1>{say('page_alerts')}</h1>
        <Choice
          label={say('tabs')}
          options={TABS.map((value) => ({ value, text: say(`tab_${value}`) }))}
          value={tab}
          onChange={(value) => change({ tab: value === 'now' ? '' : value })}
        />
        <ZoneNote site={address.site} />
      </div>
      {tab === 'now' ? <NowTab address={address} change={change} /> : null}
      {tab === 'history' ? <HistoryTab address={address} change={change} /> : null}
      {tab === 'silences' ? <SilencesTab /> : null}
      {tab === 'anomalies' ? <AnomaliesTab address={address} change={change} /> : null}
    </>
  );
}
