/** How much is in quarantine, by reason, device or day; each line narrows the list to it. */

import type { ReactNode } from 'react';
import type { ChangeAddress } from '../../app/address.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Choice } from '../../ui/choice.tsx';
import { Name } from '../../ui/mark.tsx';
import type { Column } from '../../ui/table.tsx';
import { Table } from '../../ui/table.tsx';
import look from './page.module.css';
import type { FilterKey } from './queries.ts';
import { reasonText } from './reasons.ts';
import type { Group, SummaryBy } from './types.ts';
import { QUARANTINE_WORDS } from './words.ts';

const BYS: readonly SummaryBy[] = ['reason', 'device', 'day'];
/** Lines at first: the list beneath must stay in reach. */
const SHOWN_MAX = 12;

export function SummaryTable(props: {
  by: SummaryBy;
  groups: readonly Group[];
  onBy: (by: SummaryBy) => void;
  change: ChangeAddress<FilterKey>;
}): ReactNode {
  const { by, groups, onBy, change } = props;
  const say = useSay(QUARANTINE_WORDS);
  const { language } = usePreferences();
  const count = (n: number): string => formatCount(n, language);
  const nameOf = (group: Group): string => {
    if (by === 'reason') return reasonText({ ...group, detail: '' }, say, language).name;
    if (by === 'day') return group.day;
    return group.device === '' ? say('no_device') : group.device;
  };
  const choose = (group: Group): void => {
    if (by === 'reason') change({ reason: group.reason });
    else if (by === 'device') change({ site: group.site, device: group.device });
    else
      change({
        site: group.site,
        last: '',
        from: String(group.from_ms ?? ''),
        to: String(group.to_ms ?? ''),
      });
  };
  const columns: Column<Group>[] = [
    {
      key: 'group',
      head: say(`by_${by}`),
      cell: (group) => (
        <>
          {by === 'device' && group.device === '' ? (
            nameOf(group)
          ) : (
            <button type="button" className={look.link} onClick={() => choose(group)}>
              <Name text={nameOf(group)} />
            </button>
          )}
          {group.site === '' ? null : (
            <small>
              <Name text={group.site} />
            </small>
          )}
        </>
      ),
    },
    {
      key: 'entries',
      head: say('count_entries'),
      isNumber: true,
      cell: ({ entries }) => count(entries),
    },
    {
      key: 'readings',
      head: say('count_readings'),
      isNumber: true,
      cell: ({ readings }) => count(readings),
    },
    {
      key: 'releasable',
      head: say('count_releasable'),
      isNumber: true,
      cell: ({ releasable }) => count(releasable),
    },
  ];
  if (groups.length === 0) return null;
  return (
    <section className={look.summary}>
      <Choice
        label={say('by')}
        options={BYS.map((value) => ({ value, text: say(`by_${value}`) }))}
        value={by}
        onChange={onBy}
      />
      <Table
        label={say('counts')}
        columns={columns}
        rows={groups.slice(0, SHOWN_MAX)}
        keyOf={({ site, device, reason, day }) => JSON.stringify([site, device, reason, day])}
        attributesOf={(group) => ({ 'data-group': group.reason || group.device || group.day })}
      />
    </section>
  );
}
