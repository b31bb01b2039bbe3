/** Alerts in order and groups, the list that the stream keeps, what is told and when. */

import fc from 'fast-check';
import t from 'tap';
import { DETECTORS } from '../../../collector/processor/anomaly/registry.ts';
import { ApiFailure } from '../../../collector/web/src/api/client.ts';
import type { Alert, Severity } from '../../../collector/web/src/api/types.ts';
import { OverAlerts, withAlert } from '../../../collector/web/src/app/active_alerts.ts';
import { Announcer, PAUSE_MS } from '../../../collector/web/src/app/announce.ts';
import { oneByOne } from '../../../collector/web/src/app/one_by_one.ts';
import { boundsOf } from '../../../collector/web/src/i18n/period.ts';
import {
  GROUP_FROM,
  groupsOf,
  inhibitedCount,
  inhibitorOf,
  standingOf,
  withSiteTimes,
} from '../../../collector/web/src/pages/alerts/alerts.ts';
import { DETECTOR_NAMES } from '../../../collector/web/src/pages/alerts/detector_names.ts';
import { chartSpan, lifeOf } from '../../../collector/web/src/pages/alerts/life.ts';
import {
  scopeOf,
  scopesOf,
  stateOf,
  wrongTimes,
} from '../../../collector/web/src/pages/alerts/silences.ts';
import { stubAlert } from '../../support/alerts-stub.ts';

const alertOf = (id: string, more: Record<string, unknown> = {}): Alert =>
  stubAlert(id, more) as unknown as Alert;

const SEVERITIES: Severity[] = ['CRITICAL', 'ERROR', 'WARNING', 'INFO'];

const anyAlert = fc.record({
  id: fc.stringMatching(/^[0-9a-f]{4}$/),
  severity: fc.constantFrom(...SEVERITIES),
  rule: fc.constantFrom('a', 'b'),
  state: fc.constantFrom('pending', 'firing', 'acknowledged'),
  silence: fc.constantFrom('', '', 's1'),
  inhibited_by: fc.constantFrom('', '', 'gateway_down'),
  started_ms: fc.integer({ min: 1, max: 9 }),
});

t.test('groups hold every alert once, severest first', async (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(anyAlert, { selector: ({ id }) => id }), (some) => {
      const alerts = some.map(({ id, ...more }) => alertOf(id, more));
      const groups = groupsOf(alerts);
      const shown = groups.flatMap((group) => group.alerts.map(({ id }) => id));
      t.same([...shown].sort(), alerts.map(({ id }) => id).sort());
      const firsts = groups.map(({ alerts: [first] }) => SEVERITIES.indexOf(first.severity));
      t.same(firsts, [...firsts].sort());
      for (const { alerts: of } of groups) {
        t.ok(of.length === 1 || of.length >= GROUP_FROM);
        t.equal(new Set(of.map(standingOf)).size, 1);
      }
    }),
    { numRuns: 50 },
  );
});

t.test('what inhibits it', async (t) => {
  const down = alertOf('1', { device: '', rule: 'gateway_down' });
  const other = alertOf('2', { device: '', rule: 'gateway_down', gateway: 'gw2' });
  const device = alertOf('3', { rule: 'no_data', inhibited_by: 'gateway_down' });
  const hot = alertOf('4');
  const anomaly = alertOf('5', { rule: 'anomaly', inhibited_by: hot.rule });
  const all = [other, down, device, hot, anomaly];
  t.equal(inhibitorOf(device, all), down);
  t.equal(inhibitorOf(anomaly, all), hot);
  t.equal(inhibitorOf(hot, all), undefined);
  t.same(
    all.map((alert) => inhibitedCount(alert, all)),
    [0, 1, 0, 1, 0],
  );
});

t.test('the list that the stream keeps', async (t) => {
  const one = alertOf('1', { version: 2 });
  t.same(withAlert([one], alertOf('1', { version: 1, title: 'older' })), [one]);
  t.same(withAlert([one], alertOf('1', { version: 3, state: 'resolved' })), []);
  const over = new OverAlerts(2);
  for (const id of ['1', '2', '3']) over.add({ id, version: 5 });
  t.notOk(over.has({ id: '1', version: 1 }), 'forgotten');
  t.ok(over.has({ id: '3', version: 5 }));
  t.notOk(over.has({ id: '3', version: 6 }), 'it fires anew');
});

t.test('news is told once; critical at once, the rest with pauses', async (t) => {
  const announcer = new Announcer();
  announcer.take([alertOf('1')]);
  t.equal(announcer.waitMs(0), undefined, 'what was there at first is no news');
  announcer.take([alertOf('1'), alertOf('2')]);
  t.equal(announcer.waitMs(0), 0);
  t.match(announcer.next(0), { isUrgent: false, named: [{ id: alertOf('2').id }], others: 0 });
  announcer.take([alertOf('3')]);
  announcer.take([alertOf('3'), alertOf('4')]);
  t.equal(announcer.waitMs(1_000), PAUSE_MS - 1_000);
  announcer.take([alertOf('4')]);
  announcer.take(['4', '5', '6', '7', '8'].map((id) => alertOf(id)));
  t.match(
    announcer.next(PAUSE_MS),
    { named: { length: 3 }, others: 2 },
    'what is over is not told',
  );
  announcer.take([alertOf('9', { severity: 'CRITICAL' })]);
  t.equal(announcer.waitMs(PAUSE_MS), 0);
  t.match(announcer.next(PAUSE_MS), { isUrgent: true });
  announcer.take([]);
  announcer.take([alertOf('9', { severity: 'CRITICAL' })]);
  t.equal(announcer.waitMs(PAUSE_MS), 0, 'it fires again');
});

t.test('one by one: asked again when there was too much, until it is cancelled', async (t) => {
  const controller = new AbortController();
  const waited: number[] = [];
  const done: string[] = [];
  let refusals = 2;
  const run = (items: string[], deed: (item: string) => Promise<void>) =>
    oneByOne(items, {
      deed,
      onProgress: (n) => done.push(String(n)),
      signal: controller.signal,
      wait: async (ms) => void waited.push(ms),
    });
  const failed = await run(['a', 'b', 'c'], async (item) => {
    if (item === 'a' && refusals-- > 0)
      throw new ApiFailure(429, 'API_TOO_MANY', 'slow down', { retryAfterSeconds: 3 });
    if (item === 'b') throw new ApiFailure(409, 'X', 'refused');
  });
  t.same(waited, [3_000, 3_000]);
  t.match(failed, [{ item: 'b', error: { code: 'X' } }]);
  t.same(done.splice(0), ['0', '1', '2']);
  await run(['a', 'b'], async () => controller.abort());
  t.same(done, ['0'], 'what was under way is finished, the rest is left');
});

t.test('silences', async (t) => {
  const subject = { site: 'de*mo', line: 'L1', device: 'D1', rule: 'r', title: 'R' };
  t.same(scopesOf(subject), ['device_rule', 'device', 'line', 'rule', 'site', 'own']);
  t.same(scopesOf({ ...subject, line: '', device: '' }), ['rule', 'site', 'own']);
  t.same(scopesOf(undefined), ['own']);
  const all = { site: 'de?mo', area: '*', line: '*', device: '*', rule: '*' };
  t.same(scopeOf('site', subject), all, 'a wildcard in a name matches itself');
  t.same(scopeOf('line', subject), { ...all, line: 'L1' });
  t.same(scopeOf('device_rule', subject), { ...all, device: 'D1', rule: 'r' });
  t.equal(wrongTimes(5, 10, 4), undefined);
  t.equal(wrongTimes(5, 4, 4), 'until_past');
  t.equal(wrongTimes(10, 10, 4), 'until_before');
  t.equal(wrongTimes(Number.NaN, 10, 4), 'time_missing');
  const times = { from_ms: 5, until_ms: 10 };
  t.same(
    [4, 5, 9, 10].map((ms) => stateOf(times, ms)),
    ['scheduled', 'active', 'active', 'ended'],
  );
});

t.test('the life of an alert, and the charts of that time', async (t) => {
  const alert = alertOf('1', {
    started_ms: 10,
    fired_ms: 20,
    acknowledged_ms: 15,
    resolved_ms: 40,
  });
  const event = { site: 'demo', gateway: 'gw1', device: 'D01', severity: 'info' } as const;
  const detail = { id: alert.id, summary: 'then' };
  const events = [{ ...event, time_ms: 21, kind: 'alert_firing', detail }];
  t.same(
    lifeOf(alert, events).map(({ kind, summary }) => `${kind} ${summary}`),
    ['started ', 'acknowledged ', 'fired then', 'resolved '],
  );
  const year = alertOf('2', { started_ms: 0, fired_ms: 1, resolved_ms: 3e10 });
  t.same(chartSpan(year, 4e10), { fromMs: 1 - 1_800_000, toMs: 1 + 86_400_000 + 1_800_000 });
  t.equal(withSiteTimes('since 1970-01-01 00:00:05 UTC.', String), 'since 5000.');
});

t.test('time ranges of addresses', async (t) => {
  t.same(boundsOf({ last: '1h', from: '5', to: '6' }, 7_230_000), { from: 3_600_000 });
  t.same(boundsOf({ last: 'x', from: '5', to: 'y' }, 0), { from: 5 });
  t.same(boundsOf({ last: '', from: '', to: '' }, 0), {});
});

t.test('every detector can be chosen', async (t) => {
  t.same([...DETECTOR_NAMES].sort(), DETECTORS.map(({ name }) => name).sort());
});
