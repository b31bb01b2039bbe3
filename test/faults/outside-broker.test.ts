/**
 * Faults in random order on the way over an outside broker: a real Mosquitto that is killed, frozen, and
 * drops what exceeds a short queue, a collector that goes and comes back, a log that refuses, hangs or
 * lies. What was emitted is in the log at last, and nothing waits any more.
 *
 * Alone: `node test/faults/outside-broker.test.ts --seed N`. FMS_TEST_THOROUGH=1: more rounds.
 */

import t from 'tap';
import { Random } from '../../simulators/random.ts';
import { FORM_TIMEOUT_MS, ofForm } from '../support/form.ts';
import { startMosquitto } from '../support/mosquitto.ts';
import type { Gateway, Intake } from '../support/outside-broker.ts';
import {
  faultsOf,
  isEmpty,
  openTestLog,
  outsideConfig,
  startGateway,
  startIntake,
  until,
} from '../support/outside-broker.ts';
import { seedOfRun } from '../support/plant.ts';
import { whyNotWithout } from '../support/programs.ts';
import { memoryFolder } from '../support/test-buffer.ts';

const ROUNDS = ofForm({ short: 8, long: 300 });
const NAMES = ['a', 'b', 'c'];
/** So long a fault lasts, and so long what follows it is left alone. */
const ROUND_MS_MAX = 400;

const seed = seedOfRun();
t.setTimeout(FORM_TIMEOUT_MS);
t.comment(`seed ${seed}`);

const options = { skip: whyNotWithout('mosquitto'), timeout: FORM_TIMEOUT_MS };
t.test('faults in random order', options, async (t) => {
  const random = new Random(seed, 'outside-broker');
  const mosquitto = await startMosquitto(t, {
    persistence: true,
    config: ['max_queued_messages 5', 'max_inflight_messages 5'],
  });
  const folder = memoryFolder(t);
  const log = await openTestLog(folder);
  const comeUp = (): Promise<Intake> =>
    startIntake(t, outsideConfig(mosquitto.url), {
      folder,
      log,
      limits: { appendTimeoutMs: 100, keepaliveSeconds: 1, connectTimeoutMs: 500 },
    });
  let intake = await comeUp();
  const forwarder = { publishTimeoutMs: 300, resendAfterMs: 150, stateIntervalMs: 100 };
  const gateways = NAMES.map((name) => startGateway(t, mosquitto.url, { name, forwarder }));
  const pause = () => new Promise((resolve) => setTimeout(resolve, random.int(ROUND_MS_MAX)));
  const faults: Record<string, () => Promise<void>> = {
    'the broker is killed': async () => {
      await mosquitto.kill();
      await pause();
      await mosquitto.start();
    },
    'the broker ends': async () => {
      await mosquitto.stop();
      await pause();
      await mosquitto.start();
    },
    'the broker is frozen': async () => {
      mosquitto.freeze();
      await pause();
      mosquitto.thaw();
    },
    'the collector goes': async () => {
      await intake.broker.close();
      await pause();
      intake = await comeUp();
    },
    'the log misbehaves': async () => {
      log.appendFault = random.pick(['refuse', 'hang', 'fail-after-storing'] as const);
      await pause();
      log.appendFault = undefined;
      log.release();
    },
  };
  const load = startLoad(gateways);
  for (let round = 0; round < ROUNDS; round++) {
    // Each of them once, then by chance.
    const name = Object.keys(faults)[round] ?? random.pick(Object.keys(faults));
    t.comment(`round ${round}: ${name}`);
    await faults[name]?.();
    await pause();
  }
  await load.stop();
  await until(() => gateways.every(isEmpty));
  const records = await intake.records();
  for (const gateway of gateways) {
    t.ok(gateway.emitted > 0, `${gateway.emitted} emitted`);
    t.equal(faultsOf(records, gateway), undefined);
  }
  await until(() => intake.broker.stats().bytesInFlight === 0);
});

function startLoad(gateways: readonly Gateway[]): { stop: () => Promise<unknown> } {
  let isRunning = true;
  const running = gateways.map(async (gateway) => {
    while (isRunning) {
      await gateway.emit(7);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  return {
    stop: () => {
      isRunning = false;
      return Promise.all(running);
    },
  };
}
