/** The built-in rule for anomalies, and rules in its place. */

import t from 'tap';
import { GatewayAlerts } from '../../../../collector/processor/alerts/alerts.ts';
import type { AlertContext } from '../../../../collector/processor/alerts/context.ts';
import type { AnomalyChange } from '../../../../collector/processor/anomaly/detection.ts';
import type { AlertEntry } from '../../../../collector/processor/outputs/alert.ts';
import { GatewayValidation } from '../../../../collector/processor/validation/validation.ts';
import type { AlertRule } from '../../../../collector/profile.ts';
import { chunkOf, configuration, judge, profile } from '../../../support/validation.ts';
import { reading, T0 } from '../../../support/wire.ts';

/** Readings of a device, with what detectors say of them. */
class Watched {
  readonly alerts = new GatewayAlerts();
  readonly context: AlertContext;
  readonly #validation = new GatewayValidation('demo');
  #seq = 1;

  constructor(...alerts: AlertRule[]) {
    this.context = {
      site: 'demo',
      gateway: 'gw1',
      entry: undefined,
      isGatewaySilent: false,
      configuration: configuration({ p: profile({ a: {} }, { alerts }) }),
      silences: [],
      receivedMs: T0,
      nowMs: T0,
      resumedMs: 0,
    };
  }

  send(timeMs: number, anomalies: AnomalyChange[] = [], score = 0, value = 1): AlertEntry[] {
    const columns = chunkOf([reading('a', value, { timeMs })]);
    const firstSeq = this.#seq++;
    const said = judge(this.#validation, this.context.configuration, columns, { firstSeq });
    const fresh = [{ from: firstSeq, to: firstSeq }];
    const { sheet, devices } = said;
    const input = { columns, firstSeq, fresh, sheet, devices, anomalies, scoreOf: () => score };
    return this.alerts.judge(input, this.context);
  }
}

function change(phase: AnomalyChange['phase'], onsetMs: number, endMs = 0): AnomalyChange {
  return {
    ...{ phase, onsetMs, peakMs: onsetMs, endMs },
    ...{ device: 'D01', detector: 'drift', channel: 'a', score: 0.9, value: 1 },
    ...{ expectedLow: 0, expectedHigh: 0.5, channels: [] },
    reason: { en: 'a has drifted away', ko: 'a 값이 벗어났습니다' },
  };
}

t.test('an anomaly is told with its reason, and ends with it', async (t) => {
  const one = new Watched();
  t.same(one.send(T0), []);
  const [fired, ...more] = one.send(T0 + 1_000, [change('onset', T0 + 500)]);
  t.same(more, []);
  t.match(fired, {
    rule: 'anomaly',
    severity: 'WARNING',
    state: 'firing',
    startedMs: T0 + 500,
    summary: 'a has drifted away',
    summaryKo: 'a 값이 벗어났습니다',
    values: { anomaly: true },
  });
  t.same(one.send(T0 + 2_000, [change('peak', T0 + 500)]), [], 'a peak is no news');
  const ended = one.alerts.anomalies([change('end', T0 + 500, T0 + 60_500)], one.context);
  t.match(ended, [
    { id: fired?.id, state: 'resolved', summary: 'a has drifted away; over after 1 min' },
  ]);
  t.same(one.send(T0 + 70_000), []);
});

t.test('one that follows another at once is another alert', async (t) => {
  const one = new Watched();
  one.send(T0, [change('onset', T0)]);
  const told = one.send(T0 + 1_000, [change('onset', T0 + 1_000)]);
  t.same(
    told.map(({ state }) => state),
    ['resolved', 'firing'],
  );
  t.not(told[0]?.id, told[1]?.id);
});

t.test('a rule of the same name takes its place, or switches it off', async (t) => {
  const rule = { name: 'anomaly', title: '', forMs: 0, resolveAfterMs: 0 };
  const off = new Watched({ ...rule, levels: [] });
  t.same(off.send(T0, [change('onset', T0)]), []);
  const levels = [{ severity: 'CRITICAL' as const, when: 'anomaly && anomaly_score > 0.95' }];
  const strict = new Watched({ ...rule, levels });
  t.same(strict.send(T0, [change('onset', T0)], 0.9), []);
  t.match(strict.send(T0 + 1_000, [], 0.99), [{ rule: 'anomaly', severity: 'CRITICAL' }]);
});

t.test('what is said of unknown devices is nothing', async (t) => {
  const one = new Watched();
  t.same(one.alerts.anomalies([change('onset', T0), change('end', T0, T0)], one.context), []);
  one.alerts.rejected('D99', 5);
  t.same(one.send(T0, [change('end', T0, T0)]), [], 'an end without a begin');
});

t.test('one cause, one alert: a rule about its channel stands for an anomaly', async (t) => {
  const tooHigh: AlertRule = {
    ...{ name: 'a_high', title: 'a is high', forMs: 0, resolveAfterMs: 0 },
    levels: [{ severity: 'CRITICAL', when: 'a > 0.5' }],
  };
  const one = new Watched(tooHigh);
  t.match(one.send(T0 + 1_000, [change('onset', T0 + 1_000)]), [
    { rule: 'a_high', state: 'firing', inhibitedBy: '' },
    { rule: 'anomaly', state: 'firing', inhibitedBy: 'a_high' },
  ]);
  t.match(
    one.send(T0 + 2_000, [], 0.9, 0.2),
    [{ rule: 'a_high', state: 'resolved' }],
    'that it is over is told, and not that an anomaly goes on',
  );
  one.context.nowMs = T0 + 3_000;
  t.same(
    one.alerts.tick(one.context).filter(({ rule }) => rule === 'anomaly'),
    [],
  );
  t.match(one.send(T0 + 121_000, [change('end', T0 + 1_000, T0 + 3_000)], 0, 0.2), [
    { rule: 'anomaly', state: 'resolved', inhibitedBy: 'a_high' },
  ]);
  t.match(
    one.send(T0 + 122_000, [{ ...change('onset', T0 + 122_000), channel: 'b' }]).slice(-1),
    [{ rule: 'anomaly', state: 'firing', inhibitedBy: '' }],
    'of another channel',
  );
});
