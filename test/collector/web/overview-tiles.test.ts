/** Who needs a person, in which order and group; how fresh readings are. */

import t from 'tap';
import {
  compareNeed,
  groupsOf,
  matches,
  needOf,
  needy,
  reportingCount,
} from '../../../collector/web/src/pages/overview/tiles.ts';
import type { StateItem } from '../../../collector/web/src/pages/overview/types.ts';
import { freshness } from '../../../collector/web/src/ui/freshness.ts';

const state = (device: string, more: Partial<StateItem> = {}): StateItem => ({
  site: 'demo',
  area: 'Hall 1',
  line: 'L1',
  device,
  gateway: 'gw1',
  state: 'online',
  freshness: 'live',
  last_ms: null,
  attention: 0,
  bad: 0,
  alert: null,
  ...more,
});
const alert = (
  severity: 'WARNING' | 'CRITICAL',
  look: 'loud' | 'seen' | 'quiet' = 'loud',
): StateItem['alert'] => ({ severity, look, count: 1, title: 'Hot', title_ko: '뜨거움' });

t.test('fresh, stale, past and ahead', async (t) => {
  const now = 1_000_000_000;
  const of = (ageMs: number, receivedAgeMs: number, interval_ms: number | null = 1_000) =>
    freshness({ last_ms: now - ageMs, received_ms: now - receivedAgeMs, interval_ms }, now);
  t.equal(of(1_000, 1_000), 'live');
  t.equal(of(30_000, 30_000), 'live', 'at least 30 s');
  t.equal(of(30_001, 30_001), 'stale');
  t.equal(of(30_001, 30_001, null), 'stale', 'interval not known');
  t.equal(of(179_000, 179_000, 60_000), 'live', 'three intervals');
  t.equal(of(181_000, 181_000, 60_000), 'stale');
  t.equal(of(86_400_000, 500), 'past', 'old readings that come now');
  t.equal(of(-3_600_000, 500), 'ahead');
});

t.test('a person is needed for what nobody cares for yet', async (t) => {
  t.equal(needOf(state('a')), undefined);
  t.equal(needOf(state('a', { state: 'late' })), undefined);
  t.equal(needOf(state('a', { freshness: 'past', bad: 3 })), undefined);
  t.equal(needOf(state('a', { alert: alert('WARNING') })), 'alert');
  t.equal(needOf(state('a', { state: 'silent', freshness: 'stale' })), 'silent');
  t.equal(needOf(state('a', { freshness: 'stale' })), 'stale');
  t.equal(needOf(state('a', { attention: 1 })), 'attention');
  t.equal(needOf(state('a', { freshness: 'ahead' })), 'ahead');
  for (const look of ['seen', 'quiet'] as const) {
    const cared = state('a', { alert: alert('CRITICAL', look), state: 'silent', attention: 1 });
    t.equal(needOf(cared), undefined, look);
  }
});

t.test('the worst first, equals as they came', async (t) => {
  const items = [
    state('calm'),
    state('stale', { freshness: 'stale' }),
    state('warning', { alert: alert('WARNING') }),
    state('silent 1', { state: 'silent' }),
    state('critical', { alert: alert('CRITICAL') }),
    state('silent 2', { state: 'silent' }),
  ];
  const names = needy(items).map(({ device }) => device);
  t.same(names, ['critical', 'warning', 'silent 1', 'silent 2', 'stale']);
  t.equal([...items].sort(compareNeed).at(-1)?.device, 'calm');
  t.equal(reportingCount(items), 3);
});

t.test('groups keep the order of the answer; who needs a person comes first in each', async (t) => {
  const groups = groupsOf([
    state('A1', { site: 'a' }),
    state('A2', { site: 'a', attention: 1 }),
    state('A3', { site: 'a', line: 'L2' }),
    state('B1', { site: 'b', area: '', line: '' }),
  ]);
  t.match(groups, [
    { site: 'a', count: 3, lines: [{ line: 'L1' }, { line: 'L2' }] },
    { site: 'b', count: 1, lines: [{ area: '', line: '' }] },
  ]);
  t.same(
    groups[0]?.lines[0]?.items.map(({ device }) => device),
    ['A2', 'A1'],
  );
});

t.test('search: part of any name, in any case', async (t) => {
  const item = state('Press-07', { gateway: 'GW-south' });
  for (const search of ['', '  ', 'press', '07', 'SOUTH', 'demo', 'hall', 'l1'])
    t.ok(matches(item, search), search);
  t.notOk(matches(item, 'oven'));
});
