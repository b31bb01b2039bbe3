/** Why a device needs a person, as a word with its shape. Times do not tick: a thousand tiles must be still. */

import type { ReactNode } from 'react';
import { timeFormat } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Mark } from '../../ui/mark.tsx';
import { SeverityMark } from '../../ui/severity.tsx';
import { needOf } from './tiles.ts';
import type { StateItem } from './types.ts';
import { OVERVIEW_WORDS } from './words.ts';

/** `zone`: of the site. Asked for once by who shows many: each that asks is drawn again with every answer. */
export function NeedMark({ item, zone }: { item: StateItem; zone: string }): ReactNode {
  const say = useSay(OVERVIEW_WORDS);
  const { alert } = item;
  const time = lastTime(item, zone);
  switch (needOf(item)) {
    case 'alert':
      return alert === null ? null : (
        <SeverityMark
          severity={alert.severity}
          {...(alert.count > 1 ? { count: alert.count } : {})}
        />
      );
    case 'silent':
      return <Mark level="warn">{say('silent_device')}</Mark>;
    case 'stale':
      return <Mark level="warn">{say('no_data_since', { time })}</Mark>;
    case 'attention':
      return <Mark level="warn">{say('attention_device')}</Mark>;
    case 'ahead':
      return <Mark level="warn">{say('ahead_until', { time })}</Mark>;
    default:
      return null;
  }
}

/** Of the newest reading, at the site: of today without the date. */
export function lastTime({ last_ms }: Pick<StateItem, 'last_ms'>, zone: string): string {
  if (last_ms === null) return '–';
  const day = timeFormat(zone, 'full');
  const isToday = day.format(last_ms).slice(0, 10) === day.format(Date.now()).slice(0, 10);
  return timeFormat(zone, isToday ? 'minute' : 'full').format(last_ms);
}
