/**
 * A tile for each device. A thousand of them stay one look and cost nothing while nothing changes: each is drawn again
 * only when its own item changed (answers share what is the same), and groups out of sight are not laid out.
 */

import type { MouseEvent, ReactNode } from 'react';
import { memo, useCallback } from 'react';
import { Link, useLocation } from 'wouter';
import { devicePath } from '../../app/address.ts';
import { useZoneOf } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount, formatValue } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Mark, Name } from '../../ui/mark.tsx';
import { SeverityMark } from '../../ui/severity.tsx';
import { rateText } from './figures.tsx';
import { lastTime, NeedMark } from './need_mark.tsx';
import look from './page.module.css';
import type { LineGroup, SiteGroup } from './tiles.ts';
import { NAMED_MAX, needOf } from './tiles.ts';
import type { StateItem, Wall } from './types.ts';
import { OVERVIEW_WORDS } from './words.ts';

/** Named tiles of a line. */
const SHORT_LINE = 12;

export function TileWall(props: {
  groups: readonly SiteGroup[];
  shown: number;
  wall: Wall | undefined;
}): ReactNode {
  const { groups, shown, wall } = props;
  const zoneOf = useZoneOf();
  const [, navigate] = useLocation();
  // One listener for all tiles, in place of one router link each.
  const onClick = useCallback(
    (event: MouseEvent<HTMLElement>) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.button !== 0)
        return;
      const link = (event.target as HTMLElement).closest<HTMLAnchorElement>('a[data-device]');
      if (link === null) return;
      event.preventDefault();
      navigate(link.pathname);
    },
    [navigate],
  );
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the links in it are what is clicked
    // biome-ignore lint/a11y/useKeyWithClickEvents: Enter on a link is a click
    <div className={look.wall} onClick={onClick}>
      {groups.map((group) => (
        <Site
          key={group.site}
          group={group}
          isNamed={shown <= NAMED_MAX}
          zone={zoneOf(group.site)}
          wall={wall}
        />
      ))}
    </div>
  );
}

function Site(props: {
  group: SiteGroup;
  isNamed: boolean;
  zone: string;
  wall: Wall | undefined;
}): ReactNode {
  const { group, isNamed, zone, wall } = props;
  const say = useSay(OVERVIEW_WORDS);
  const { language } = usePreferences();
  const trend = wall?.sites.find(({ site }) => site === group.site);
  // Beside each other where each is small: short lines, and lines of small tiles.
  const isDense = !isNamed || group.lines.every(({ items }) => items.length <= SHORT_LINE);
  const facts = [say('site_note', { devices: formatCount(group.count, language) })];
  if (trend?.readings_per_second != null)
    facts.push(say('site_rate', { rate: rateText(trend.readings_per_second, language) }));
  if (trend?.quality != null)
    facts.push(
      say('site_quality', { score: formatValue(Math.round(trend.quality * 10) / 10, 1, language) }),
    );
  return (
    <section className={look.site} data-site={group.site} aria-label={group.site}>
      <h3>
        <Link href={`/?search=${encodeURIComponent(group.site)}`}>
          <Name text={group.site} />
        </Link>{' '}
        <small>{facts.join(' · ')}</small>
      </h3>
      <div className={`${look.lines} ${isDense ? look.dense : ''}`}>
        {group.lines.map((line) => (
          <Line key={line.key} line={line} isNamed={isNamed} zone={zone} />
        ))}
      </div>
    </section>
  );
}

const Line = memo(
  function Line(props: { line: LineGroup; isNamed: boolean; zone: string }): ReactNode {
    const { line, isNamed, zone } = props;
    const { area, line: name, items } = line;
    const place = [area, name].filter((part) => part !== '').join(' · ');
    return (
      <div className={look.line}>
        {place === '' ? null : (
          <h4>
            <Name text={place} />
          </h4>
        )}
        <ul className={isNamed ? look.named : look.small}>
          {items.map((item) => (
            <Tile key={item.device} item={item} isNamed={isNamed} zone={zone} />
          ))}
        </ul>
      </div>
    );
  },
  (before, after) =>
    before.isNamed === after.isNamed &&
    before.zone === after.zone &&
    before.line.items.length === after.line.items.length &&
    before.line.items.every((item, i) => item === after.line.items[i]),
);

const Tile = memo(function Tile(props: {
  item: StateItem;
  isNamed: boolean;
  zone: string;
}): ReactNode {
  const { item, isNamed, zone } = props;
  const say = useSay(OVERVIEW_WORDS);
  const need = needOf(item);
  const words = useTileWords()(item, zone);
  if (need === undefined && !isNamed)
    return (
      <li>
        <a
          className={`${look.dot} ${item.alert === null && item.state !== 'late' ? '' : look.seen}`}
          href={devicePath(item)}
          data-device={item.device}
          title={words}
        >
          <span className="unseen">{words}</span>
        </a>
      </li>
    );
  return (
    <li className={need === undefined ? undefined : look.needing}>
      <a className={look.tile} href={devicePath(item)} data-device={item.device} title={words}>
        <Name text={item.device} />
        {need === undefined ? (
          <Calm item={item} zone={zone} />
        ) : (
          <NeedMark item={item} zone={zone} />
        )}
        <span className="unseen">{item.state === 'online' ? say('state_well') : ''}</span>
      </a>
    </li>
  );
});

/** Of a device that needs nobody: what is worth knowing all the same. */
function Calm({ item, zone }: { item: StateItem; zone: string }): ReactNode {
  const say = useSay(OVERVIEW_WORDS);
  const { alert, state, freshness, bad } = item;
  if (alert !== null) return <SeverityMark severity={alert.severity} look={alert.look} />;
  if (state === 'late') return <Mark level="note">{say('late_device')}</Mark>;
  if (freshness === 'past')
    return <Mark level="note">{say('delivers_past', { time: lastTime(item, zone) })}</Mark>;
  return bad > 0 ? <Mark level="note">{say('bad_values')}</Mark> : null;
}

/** For who cannot see the tile, or points at it: name and state. */
function useTileWords(): (item: StateItem, zone: string) => string {
  const say = useSay(OVERVIEW_WORDS);
  const { language } = usePreferences();
  return (item, zone) => {
    const { device, alert, state, freshness, attention, bad } = item;
    const words: string[] = [];
    if (alert !== null) {
      const severity = say(`severity_${alert.severity.toLowerCase()}` as 'severity_info');
      words.push(`${severity} ${(language === 'ko' && alert.title_ko) || alert.title}`);
    }
    if (state === 'silent') words.push(say('silent_device'));
    if (state === 'late') words.push(say('late_device'));
    if (freshness === 'stale') words.push(say('no_data_since', { time: lastTime(item, zone) }));
    if (freshness === 'past') words.push(say('delivers_past', { time: lastTime(item, zone) }));
    if (freshness === 'ahead') words.push(say('ahead_until', { time: lastTime(item, zone) }));
    if (attention > 0) words.push(say('attention_device'));
    if (bad > 0) words.push(say('bad_values'));
    if (words.length === 0) words.push(say('state_well'));
    return `${device}: ${words.join(', ')}`;
  };
}
