/** Windows, profiles and the comparison with what there was. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { compare, WouldBeList } from '../../../collector/backtest/compare.ts';
import { configurationOf, trainRowsOf } from '../../../collector/backtest/profile.ts';
import { comparisonLines } from '../../../collector/backtest/report.ts';
import { UTC } from '../../../collector/backtest/times.ts';
import { readWindows, windowAt } from '../../../collector/backtest/windows.ts';
import type { AnomalyChange } from '../../../collector/processor/anomaly/detection.ts';
import { profile } from '../../support/validation.ts';

const folder = mkdtempSync(join(tmpdir(), 'fms-backtest-parts-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

const MINUTE = 60_000;

function change(phase: AnomalyChange['phase'], onsetMs: number, endMs = 0): AnomalyChange {
  return {
    phase,
    device: 'd',
    detector: 'novelty',
    channel: 'a',
    onsetMs,
    peakMs: onsetMs,
    endMs,
    score: phase === 'onset' ? 0.6 : 0.8,
    value: 1,
    expectedLow: null,
    expectedHigh: null,
    reason: { en: `reason ${phase}`, ko: '이유' },
    channels: [],
  };
}

t.test('windows: lists, names, ends inclusive', async (t) => {
  const file = join(folder, 'w.json');
  const write = (content: unknown): void => writeFileSync(file, JSON.stringify(content));
  write([
    ['2026-01-02', '2026-01-03'],
    ['2026-01-01 00:00:00.000000', '2026-01-01 01:00:00.000000'],
  ]);
  const windows = readWindows(file, undefined, 'any.csv', UTC);
  t.equal(windows.length, 2);
  t.equal(windowAt(windows, Date.UTC(2026, 0, 1)), 0, 'sorted');
  t.equal(windowAt(windows, Date.UTC(2026, 0, 1, 1)), 0, 'the end belongs to it');
  t.equal(windowAt(windows, Date.UTC(2026, 0, 1, 1) + 1), -1);
  t.equal(windowAt(windows, Date.UTC(2026, 0, 2, 5)), 1);
  const refused = (content: unknown, name: string | undefined, message: RegExp): void => {
    write(content);
    t.throws(() => readWindows(file, name, 'dir/x.csv.gz', UTC), {
      code: 'BACKTEST_OPTIONS',
      message,
    });
  };
  refused({ 'a/x.csv': [], 'b/x.csv': [] }, undefined, /no windows of x\.csv; known: a\/x\.csv/);
  refused({ 'a/x.csv': 7 }, undefined, /a list of \[from, to\]/);
  refused({ 'a/x.csv': [['2026-01-02', '2026-01-01']] }, undefined, /is no window/);
  refused({ 'a/x.csv': [['soon', 'later']] }, undefined, /is no window/);
  refused([], 'x.csv', /an object of windows by name/);
  writeFileSync(file, '{');
  t.throws(() => readWindows(file, undefined, 'x', UTC), { code: 'BACKTEST_OPTIONS' });
});

t.test(
  'a profile holds for whatever the device is called, and not for times of receipt',
  async (t) => {
    const own = profile({ a: { max: 5 } }, { timelyWithinMs: 1, match: [] });
    const compiled = configurationOf(own, { trainRows: 50, intervalMs: 7_000 });
    const { profile: judged } = compiled.placeOf('any', 'device');
    t.equal(judged?.channels.a?.max, 5);
    t.equal(judged?.intervalMs, 7_000);
    t.equal(judged?.detection?.trainRows, 50);
    t.ok((judged?.timelyWithinMs ?? 0) > 1e12);
    t.equal(own.timelyWithinMs, 1, 'the profile itself is as it was');
    const none = configurationOf(undefined, { trainRows: undefined, intervalMs: undefined });
    t.equal(none.placeOf('any', 'device').profile, undefined, 'without: unprofiled');
    t.equal(trainRowsOf(undefined), 400);
  },
);

t.test('what would be beside what there was', async (t) => {
  const list = new WouldBeList(10 * MINUTE);
  for (const one of [
    change('onset', 5 * MINUTE),
    change('end', 5 * MINUTE, 6 * MINUTE),
    change('onset', 20 * MINUTE),
    change('peak', 20 * MINUTE),
    change('end', 20 * MINUTE, 25 * MINUTE),
    change('onset', 40 * MINUTE),
    change('end', 40 * MINUTE, 40 * MINUTE),
    change('onset', 90 * MINUTE),
  ])
    list.add(one);
  t.equal(list.count, 3, 'the first one lies in the warm-up');
  const past = [
    { id: '1', onsetMs: 24 * MINUTE, endMs: 30 * MINUTE, detector: 'drift', mark: 'true' },
    { id: '2', onsetMs: 50 * MINUTE, endMs: 51 * MINUTE, detector: 'drift', mark: 'false' },
    { id: '3', onsetMs: 95 * MINUTE, endMs: Infinity, detector: 'drift', mark: undefined },
  ] as const;
  const comparison = compare(list, past);
  t.match(comparison, {
    wouldBe: 3,
    against: {
      past: 3,
      new: 1,
      byMark: {
        true: { past: 1, met: 1 },
        false: { past: 1, met: 0 },
        maintenance: { past: 0, met: 0 },
        none: { past: 1, met: 1 },
      },
    },
  });
  const lines = comparisonLines(list, past, comparison, 'en');
  t.match(lines[0], /300 s {2}0\.80 {2}reason end {2}\[then too, marked true\]/);
  t.match(lines[1], /\[new\]$/);
  t.match(lines[2], /open .*\[then too\]$/);
  t.match(lines.join('\n'), /marked false: 1, of which 0 again and 1 no more/);
  t.same(compare(list, undefined), { wouldBe: 3, against: undefined });
  t.match(comparisonLines(list, undefined, compare(list, undefined), 'ko')[0], /이유$/);
});
