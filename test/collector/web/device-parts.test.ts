/** The Device page as it stands in addresses; which anomalies a chart shows. */

import t from 'tap';
import type { Anomaly } from '../../../collector/web/src/pages/alerts/types.ts';
import {
  anomaliesOf,
  bandOf,
  spanAround,
  withAnomalies,
} from '../../../collector/web/src/pages/device/bands.ts';
import { changesOf } from '../../../collector/web/src/pages/device/text_changes.ts';
import { addressOf, viewOf } from '../../../collector/web/src/pages/device/view.ts';
import { stubAnomaly } from '../../support/alerts-stub.ts';

const anomaly = (id: string, more: object = {}): Anomaly =>
  stubAnomaly(id, { onset_ms: 10_000, end_ms: 20_000, version: 1, ...more }) as unknown as Anomaly;

t.test('addresses: there and back, and whatever they say', async (t) => {
  const of = (more: object) => viewOf({ range: '', from: '', to: '', ...more });
  t.same(of({}), { kind: 'live', range: '1h' });
  t.same(of({ range: '7d' }), { kind: 'live', range: '7d' });
  t.same(of({ range: 'toString' }), { kind: 'live', range: '1h' });
  t.same(of({ from: '1000', to: '61000' }), { kind: 'fixed', fromMs: 1_000, toMs: 61_000 });
  t.same(of({ from: '61000', to: '1000' }), { kind: 'fixed', fromMs: 1_000, toMs: 61_000 });
  for (const wrong of ['', 'x', '1e9', '9'.repeat(30), 'NaN'])
    t.equal(of({ from: wrong, to: '1000' }).kind, 'live', wrong);
  for (const view of [of({}), of({ range: '24h' }), of({ from: '5000', to: '9000' })])
    t.same(viewOf(addressOf(view)), view);
});

t.test(
  'in the chart of a channel: its own, those it has a part in, those of the device',
  async (t) => {
    const span = { fromMs: 0, toMs: 100_000 };
    const own = anomaly('1', { channel: 'a', channels: [] });
    const part = anomaly('2', {
      channel: 'b',
      channels: [{ channel: 'a', detector: 'x', score: 1 }],
    });
    const whole = anomaly('3', { channel: '', channels: [] });
    const other = anomaly('4', { channel: 'b', channels: [] });
    const of = (all: Anomaly[], channel = 'a', at = span) =>
      anomaliesOf(all, channel, at).map(({ id }) => Number(id));
    t.same(of([own, part, whole, other]), [1, 2, 3]);
    t.same(of([own], 'a', { fromMs: 20_001, toMs: 30_000 }), [], 'over before');
    t.same(of([own], 'a', { fromMs: 0, toMs: 9_999 }), [], 'begins after');
    const open = anomaly('5', { channel: 'a', state: 'open', end_ms: null });
    t.same(of([open], 'a', { fromMs: 90_000, toMs: 100_000 }), [5], 'goes on');
    t.match(bandOf(own, 'a'), { fromS: 10, toS: 20, low: 21, high: 27.5 });
    t.match(
      bandOf(part, 'a'),
      { low: null, high: null },
      'what was expected is of another channel',
    );
    t.equal(bandOf(open, 'a').toS, Number.POSITIVE_INFINITY);
    t.same(spanAround(own, 0), { fromMs: -50_000, toMs: 80_000 });
  },
);

t.test('the newer version holds, and of two marks the newer', async (t) => {
  const known = anomaly('1', { version: 2, state: 'ended' });
  const told = anomaly('1', { version: 1, state: 'open', mark: 'true', marked_ms: 5 });
  for (const [a, b] of [
    [known, told],
    [told, known],
  ] as const) {
    const [one] = withAnomalies([a], [b], 10);
    t.match(one, { version: 2, state: 'ended', mark: 'true', marked_ms: 5 });
  }
  const many = Array.from({ length: 5 }, (_, i) => anomaly(String(i), { onset_ms: i }));
  t.same(
    withAnomalies([], many, 3).map(({ onset_ms }) => onset_ms),
    [4, 3, 2],
    'newest first, bounded',
  );
});

t.test('texts: runs of the same, each with its beginning', async (t) => {
  const at = (time_ms: number, value: string | null) => ({
    channel: 'a',
    time_ms,
    value,
    quality: 0,
  });
  t.same(changesOf([]), []);
  t.same(changesOf([at(5, 'run'), at(4, 'run'), at(3, 'stop'), at(2, null), at(1, 'run')]), [
    { text: 'run', sinceMs: 4 },
    { text: 'stop', sinceMs: 3 },
    { text: '–', sinceMs: 2 },
    { text: 'run', sinceMs: 1 },
  ]);
});
