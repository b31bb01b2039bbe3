/** The rules that FMS devices come with: each fires and is over again. */

import t from 'tap';
import { RejectReason } from '../../../../proto/model.ts';
import { AlertPlant } from '../../../support/alert-plant.ts';
import { reading } from '../../../support/wire.ts';

/** Where all is well, and baselines are learnt. */
function plant(): AlertPlant {
  const plant = new AlertPlant();
  plant.rows(40);
  return plant;
}

/** Without what detectors have to say of it. */
function told(plant: AlertPlant): string[] {
  return plant.told().filter((alert) => !alert.startsWith('anomaly '));
}

t.test('while all is well nobody is told', async (t) => {
  t.same(plant().told(), []);
});

t.test('values above their limits', async (t) => {
  for (const [channel, value, rule, severity] of [
    ['sensor1', 92, 'temperature', 'WARNING'],
    ['sensor1', 96, 'temperature', 'CRITICAL'],
    ['sensor2', 86, 'humidity', 'WARNING'],
    ['sensor3', 131, 'pressure', 'WARNING'],
    ['motor1', 700, 'motor1', 'WARNING'],
    ['motor2', 1_000, 'motor2', 'WARNING'],
    ['motor3', 0, 'motor3', 'WARNING'],
  ] as const) {
    const one = plant();
    one.rows(8, { [channel]: value });
    const first = told(one).at(-1);
    t.equal(first, `${rule} firing ${severity}`, `${channel} ${value}`);
    one.rows(8);
    t.same(told(one), [`${rule} resolved ${severity}`], `${channel} is well again`);
  }
});

t.test('what is told of it', async (t) => {
  const one = plant();
  const startedMs = one.raw.timeMs;
  one.rows(3, { sensor1: 96.25 });
  const fired = one.alerts.find(({ state, rule }) => state === 'firing' && rule === 'temperature');
  t.match(fired, {
    site: 'demo',
    gateway: 'gw1',
    device: 'D01',
    title: 'Temperature too high',
    titleKo: '온도 높음',
    summary: 'sensor1 Temperature is 96.25 °C (limit: sensor1 > 95), for 20 s',
    summaryKo: 'sensor1 온도 96.25 °C (기준: sensor1 > 95), 20초 지속',
    values: { sensor1: 96.25 },
    startedMs,
    firedMs: startedMs + 20_000,
    receivedMs: startedMs + 20_000,
  });
  one.rows(10);
  t.match(one.alerts.filter(({ rule }) => rule === 'temperature').at(-1), {
    id: fired?.id,
    state: 'resolved',
    resolvedBy: 'cleared',
    summary: 'sensor1 Temperature is 60 °C; over after 1 min',
  });
});

t.test('a failure is told at once', async (t) => {
  const one = plant();
  one.state();
  one.row({ isFail: true });
  t.same(told(one), ['failure firing CRITICAL'], 'before any time has passed');
});

t.test('the severity follows, with patience on the way down', async (t) => {
  const one = plant();
  one.rows(4, { sensor1: 92 });
  t.same(told(one).at(-1), 'temperature firing WARNING');
  one.rows(4, { sensor1: 97 });
  t.same(told(one), ['temperature firing CRITICAL']);
  one.rows(1, { sensor1: 93 });
  one.rows(1, { sensor1: 97 });
  t.same(told(one), [], 'one reading is no change');
  one.rows(5, { sensor1: 89 });
  t.same(told(one), ['temperature firing WARNING'], 'below the limits and above `until`');
  one.rows(50, { sensor1: 89 });
  t.same(told(one), []);
  one.rows(5, { sensor1: 87 });
  t.same(told(one), ['temperature resolved WARNING']);
});

t.test('a value that flaps around its limit makes no alert', async (t) => {
  const one = plant();
  for (let i = 0; i < 30; i++) one.rows(1, { sensor1: i % 2 === 0 ? 91 : 89 });
  t.same(told(one), []);
});

t.test('a machine that stands still is not off its baseline', async (t) => {
  const one = plant();
  one.rows(30, { motor1: 0, motor2: 0, motor3: 0 });
  t.same(told(one), []);
  one.rows(10);
  t.same(told(one), []);
});

t.test('a baseline does not follow a fault', async (t) => {
  const one = plant();
  one.rows(300, { motor1: 700 });
  const alerts = one.alerts.filter(({ rule }) => rule === 'motor1');
  t.equal(alerts.at(-1)?.state, 'firing', 'after 50 minutes still');
  t.equal(alerts.at(-1)?.values['baseline(motor1)'], 1_000);
});

t.test('data quality and errors', async (t) => {
  const one = plant();
  one.rows(40, { sensor1: null });
  t.same(told(one).at(-1), 'errors firing CRITICAL', 'one of seven');
  one.rows(50);
  t.match(told(one).at(-1), /^errors resolved/);

  // Half of the polls are missing, what comes is late, of another type and empty.
  const bad = {
    sensor1: 'x',
    sensor2: 'x',
    sensor3: 'x',
    motor1: null,
    motor2: null,
    motor3: null,
  };
  for (let i = 0; i < 60; i++) {
    one.state();
    if (i % 3 === 0) one.row(bad, 'D01', 40_000);
    one.pass(10_000);
  }
  t.ok(told(one).includes('quality firing WARNING'));
  one.rows(60);
  t.ok(told(one).includes('quality resolved WARNING'));
});

t.test('rejects are errors', async (t) => {
  const one = plant();
  const head = Buffer.from('x');
  const reject = { device: 'D01', reason: RejectReason.GARBAGE, detail: '', head };
  for (let i = 0; i < 40; i++) {
    one.state();
    const { timeMs } = one.raw;
    const row = [reading('sensor1', 60, { timeMs }), reading('sensor2', 50, { timeMs })];
    one.send(row, [{ ...reject, timeMs }]);
    one.pass(10_000);
  }
  t.ok(told(one).includes('errors firing CRITICAL'));
});

t.test('no data', async (t) => {
  const one = plant();
  one.passOnline(160_000);
  t.same(one.told(), []);
  one.passOnline(20_000);
  t.same(one.told(), ['no_data firing ERROR']);
  one.passOnline(3_600_000);
  t.same(one.told(), [], 'told once');
  one.rows(1);
  t.same(one.told(), ['no_data resolved ERROR']);
});

t.test('latency', async (t) => {
  const one = plant();
  for (let i = 0; i < 12; i++) {
    one.state();
    one.row({}, 'D02');
    one.row({}, 'D01', 45_000);
    one.pass(10_000);
  }
  t.same(told(one), ['latency pending WARNING', 'latency firing WARNING'], 'of one device');
  for (let i = 0; i < 12; i++) {
    one.state();
    one.row({}, 'D02');
    one.row({}, 'D01', 75_000 - 1);
    one.pass(10_000);
  }
  t.ok(told(one).includes('latency firing CRITICAL'));
  one.rows(12);
  t.match(told(one), ['latency resolved CRITICAL']);
});
