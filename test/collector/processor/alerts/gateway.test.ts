/** Alerts of gateways, and how they stand for those of their devices. */

import t from 'tap';
import { RawKind } from '../../../../collector/types.ts';
import { AlertPlant } from '../../../support/alert-plant.ts';
import { reading } from '../../../support/wire.ts';

function plant(): AlertPlant {
  const plant = new AlertPlant();
  plant.rows(3);
  plant.rows(3, {}, 'D02');
  plant.told();
  return plant;
}

t.test('a gateway that is down makes one alert, its devices make no message', async (t) => {
  const one = plant();
  one.state({}, RawKind.WILL);
  one.pass(29_000);
  t.same(one.told(), ['gateway_down pending ERROR']);
  one.pass(2_000);
  t.same(one.told(), ['gateway_down firing ERROR']);
  one.pass(300_000);
  t.same(one.told(), [
    'no_data firing ERROR by gateway_down',
    'D02 no_data firing ERROR by gateway_down',
  ]);
  one.passOnline(60_000);
  t.same(one.told(), [
    'no_data resolved ERROR by gateway_down',
    'D02 no_data resolved ERROR by gateway_down',
    'gateway_down resolved ERROR',
  ]);
  one.rows(11, {}, 'D02');
  t.same(one.told(), [], 'devices have their time');
  one.rows(2, {}, 'D02');
  t.same(one.told(), ['no_data firing ERROR'], 'of its own');
});

t.test('a gateway that is silent without a word', async (t) => {
  const one = plant();
  one.pass(70_000);
  t.same(one.told(), ['gateway_down pending ERROR', 'gateway_down firing ERROR']);
  one.passOnline(10_000);
  t.same(one.told(), ['gateway_down resolved ERROR']);
});

t.test('one that was stopped is missed later, and mildly', async (t) => {
  const one = plant();
  one.state({ online: false, cleanEnd: true });
  one.pass(140_000);
  t.same(one.told(), ['gateway_down pending WARNING']);
  one.pass(100_000);
  t.same(one.told(), [
    'no_data firing ERROR by gateway_down',
    'gateway_down firing WARNING',
    'D02 no_data firing ERROR by gateway_down',
  ]);
});

t.test('what a person was told of before goes on', async (t) => {
  const one = plant();
  one.rows(20, {}, 'D02');
  t.same(one.told(), ['no_data firing ERROR']);
  one.state({}, RawKind.WILL);
  one.pass(120_000);
  one.passOnline(30_000);
  one.rows(2, {}, 'D02');
  t.same(
    one.told().filter((alert) => !alert.startsWith('gateway')),
    [],
  );
  one.rows(1);
  t.same(one.told(), ['no_data resolved ERROR']);
});

t.test('a buffer that fills up, a clock that is not right', async (t) => {
  const one = plant();
  const speak = (seconds: number, state: Parameters<AlertPlant['state']>[0]): void => {
    for (let i = 0; i < seconds; i += 10) {
      one.state(state);
      one.row();
      one.row({}, 'D02');
      one.pass(10_000);
    }
  };
  speak(80, { bufferReadings: 1_000, bufferSecondsUntilEviction: 3_000 });
  t.same(one.told(), ['gateway_buffer pending WARNING', 'gateway_buffer firing WARNING']);
  speak(80, { bufferReadings: 1_000, bufferSecondsUntilEviction: 500 });
  t.match(one.alerts.at(-1), {
    severity: 'CRITICAL',
    summary: '1000 readings wait on the gateway; in 8 min 20 s the oldest are lost',
  });
  one.told();
  speak(80, { bufferReadings: 0 });
  t.same(one.told(), ['gateway_buffer resolved CRITICAL']);
  speak(620, { clockUnsynced: true });
  t.same(one.told(), ['gateway_clock pending WARNING', 'gateway_clock firing WARNING']);
  speak(10, {});
  t.same(one.told(), ['gateway_clock resolved WARNING']);
});

t.test('a backlog: one alert of the gateway, and what lasted in it', async (t) => {
  const one = plant();
  one.pass(3_600_000);
  one.told();
  // An hour at once: the temperature was too high for a while, and a failure came and went.
  const endMs = one.raw.timeMs;
  const rows = (fromMs: number, toMs: number): void => {
    const readings = [];
    for (let timeMs = fromMs; timeMs < toMs; timeMs += 10_000) {
      const minute = (timeMs - endMs) / 60_000 + 60;
      readings.push(reading('sensor1', minute > 20 && minute < 30 ? 96 : 60, { timeMs }));
      readings.push(reading('isFail', minute >= 40 && minute < 40.1, { timeMs }));
      readings.push(reading('sensor2', minute >= 50 && minute < 50.3 ? 90 : 50, { timeMs }));
    }
    one.send(readings);
  };
  for (let part = 0; part < 20; part++) {
    one.state();
    const atMs = endMs - 3_600_000 + part * 180_000;
    rows(atMs, atMs + 180_000);
    one.pass(2_000);
  }
  const alerts = one.alerts.filter(({ state }) => state !== 'pending');
  const of = (rule: string) => alerts.filter((alert) => alert.rule === rule);
  t.same(
    of('temperature').map(({ state, severity }) => `${state} ${severity}`),
    ['firing CRITICAL', 'resolved CRITICAL'],
  );
  t.equal(of('temperature')[0]?.startedMs, endMs - 3_600_000 + 1_210_000, 'in its own time');
  t.same(
    of('failure').map(({ state }) => state),
    ['firing', 'resolved'],
  );
  t.same(of('humidity'), [], 'not for long enough');
  t.same(
    of('latency').filter(({ inhibitedBy }) => inhibitedBy === ''),
    [],
  );
  t.match(of('gateway_behind')[0], { state: 'firing', severity: 'WARNING', device: '' });
  one.rows(6);
  t.equal(one.alerts.filter(({ rule }) => rule === 'gateway_behind').at(-1)?.state, 'resolved');
});

t.test('late readings behind newer ones change nothing', async (t) => {
  const one = plant();
  const readings = [];
  for (let i = 0; i < 30; i++) {
    const timeMs = one.raw.timeMs - 600_000 + i * 10_000;
    readings.push(reading('sensor1', 99, { timeMs }), reading('isFail', true, { timeMs }));
  }
  // They come with higher numbers, so the time ran backwards; what is behind says nothing of now.
  one.send(readings.slice(0, 20));
  const told = one.told().filter((alert) => !alert.startsWith('anomaly'));
  t.same(told, []);
});

t.test('a pause of the collector is held against nobody', async (t) => {
  const one = plant();
  one.raw.timeMs += 7_200_000;
  one.passOnline(170_000);
  t.same(one.told(), []);
  one.passOnline(20_000);
  t.same(one.told(), ['no_data firing ERROR', 'D02 no_data firing ERROR']);
  one.raw.timeMs += 7_200_000;
  one.passOnline(100_000);
  t.same(one.told(), [], 'what is open goes on');
});
