/**
 * The collector's log fails while its broker is up: it refuses writes, then hangs, then stores and says
 * that it failed. Three gateways keep reading. What the log has not taken is not acknowledged, the
 * connections end, the gateways are turned away (CONNACK 3), come back with backoff and not as a storm,
 * and afterwards everything is in the store once.
 *
 * Alone: `node test/faults/log-faults.test.ts --seed N`.
 */

import type { Test } from 'tap';
import t from 'tap';
import { ofForm } from '../support/form.ts';
import { Plant, seedOfRun, until } from '../support/plant.ts';
import { account } from './support/account.ts';
import { allowed, Gateway, settleGateways } from './support/gateway.ts';
import { FAULTY_COLLECTOR, LogControl } from './support/log-control.ts';

const NAMES = ['gw1', 'gw2', 'gw3'];
const DEVICES_EACH = 3;
const CHANNELS = 7;
const KEEPALIVE_S = 30;
const BACKOFF_MAX_MS = ofForm({ short: 1_000, long: 4_000 });
const OUTAGE_MS = ofForm({ short: 6_000, long: 60_000 });
/**
 * Delays are even in [0, ceiling) and the ceiling is at BACKOFF_MAX_MS after three failures: half of this
 * and a few more are to be expected in an outage. A storm would be hundreds.
 */
const ATTEMPTS_MAX = 25 + (4 * OUTAGE_MS) / BACKOFF_MAX_MS;

interface Counts {
  connects: number[];
  acknowledged: number[];
  appended: number[];
}

class Faults {
  readonly plant: Plant;
  readonly gateways: Gateway[];
  readonly #log: LogControl;

  constructor(plant: Plant, log: LogControl) {
    this.plant = plant;
    this.#log = log;
    this.gateways = NAMES.map((gateway, index) => {
      const devices = Array.from(
        { length: DEVICES_EACH },
        (_, device) => `D0${index * DEVICES_EACH + device + 1}`,
      );
      return new Gateway({ plant, name: gateway, gateway, devices });
    });
  }

  async start(): Promise<void> {
    await this.plant.start('sim');
    await this.plant.start('collector', { env: this.#log.env });
    for (const gateway of this.gateways) await gateway.start();
  }

  async abandon(): Promise<void> {
    await Promise.all(this.gateways.map((gateway) => gateway.abandon()));
    await this.plant.abandon();
  }

  /** Until each gateway has delivered what it had buffered. */
  async recovered(): Promise<void> {
    await until('all gateways to deliver again', 300_000, async () => {
      for (const gateway of this.gateways) {
        const { collector, buffer } = await gateway.status();
        if (!collector.online || buffer.readings > 500) return false;
      }
      return true;
    });
  }

  /** Until no gateway is connected any more; answers how long that took. */
  async cutOff(): Promise<number> {
    const began = performance.now();
    await until('all connections to end', 300_000, async () => {
      return (await this.plant.metric('collector', 'fms_collector_mqtt_gateways')) === 0;
    });
    return performance.now() - began;
  }

  async counts(): Promise<Counts> {
    const each = (name: string) =>
      Promise.all(this.gateways.map((gateway) => gateway.metric(`fms_agent_${name}_total`)));
    const [failed, made, acknowledged, appended] = await Promise.all([
      each('connect_failures'),
      each('connections'),
      each('acknowledged_readings'),
      each('readings'),
    ]);
    return {
      connects: failed.map((count, index) => count + (made[index] ?? 0)),
      acknowledged,
      appended,
    };
  }

  refused(): Promise<number> {
    return this.plant.metric('collector', 'fms_collector_mqtt_refused_total');
  }

  /** PUBACKs sent. */
  acknowledgements(): Promise<number> {
    return this.plant.metric('collector', 'fms_collector_mqtt_ack_latency_seconds_count');
  }

  /** What must hold from the moment that nobody is connected until the log works again. */
  async outage(t: Test, what: string): Promise<void> {
    const before = await this.counts();
    const refusedBefore = await this.refused();
    const pubacks = await this.acknowledgements();
    const codes = new Set<string>();
    const began = performance.now();
    await until(`${what} for ${OUTAGE_MS} ms`, OUTAGE_MS * 4, async () => {
      for (const gateway of this.gateways) {
        const { last_error } = (await gateway.status()).collector;
        codes.add(last_error?.code ?? 'none');
      }
      return performance.now() - began > OUTAGE_MS;
    });
    const after = await this.counts();
    const refused = (await this.refused()) - refusedBefore;
    t.ok(codes.has('AGENT_COLLECTOR_UNAVAILABLE'), `${what}: CONNACK 3 (${[...codes]})`);
    t.equal(await this.acknowledgements(), pubacks, `${what}: no PUBACK`);
    t.same(after.acknowledged, before.acknowledged, `${what}: no gateway counts one`);
    const attempts = after.connects.map((count, index) => count - (before.connects[index] ?? 0));
    t.comment(`${what}: attempts to connect ${attempts}, of the collector's refusals ${refused}`);
    t.ok(
      attempts.every((count) => count >= 2),
      `${what}: the gateways try again`,
    );
    t.ok(
      attempts.every((count) => count <= ATTEMPTS_MAX),
      `${what}: no reconnect storm`,
    );
    const sum = attempts.reduce((a, b) => a + b, 0);
    t.ok(Math.abs(refused - sum) <= NAMES.length, `${what}: the collector saw the same`);
    for (const [index, gateway] of this.gateways.entries()) {
      const { buffer } = await gateway.status();
      const read = (after.appended[index] ?? 0) - (before.appended[index] ?? 0);
      t.ok(read >= CHANNELS * DEVICES_EACH, `${what}: ${gateway.name} goes on reading: ${read}`);
      t.ok(buffer.readings >= read, `${what}: and buffers: ${buffer.readings}`);
    }
  }
}

// Also when run alone, without the runner's own limit.
t.setTimeout(1_200_000);

t.test('a log that refuses, hangs, or fails after storing', { timeout: 900_000 }, async (t) => {
  const seed = seedOfRun();
  t.comment(`seed ${seed}`);
  const plant = new Plant({
    name: 'log-faults',
    seed,
    devices: NAMES.length * DEVICES_EACH,
    intervalMs: 100,
    agent: {
      forwarder: {
        keepalive_s: KEEPALIVE_S,
        publish_timeout_ms: 60_000,
        backoff_max_ms: BACKOFF_MAX_MS,
        state_interval_ms: 1_000,
      },
    },
    collector: allowed(NAMES),
    collectorProgram: FAULTY_COLLECTOR,
  });
  t.comment(`folder ${plant.folder}`);
  const log = await LogControl.create();
  const faults = new Faults(plant, log);
  t.teardown(() => faults.abandon());
  await plant.configure();
  await faults.start();
  await faults.recovered();

  await log.switchTo('refuse');
  t.comment(`refusing: connections end after ${Math.round(await faults.cutOff())} ms`);
  await faults.outage(t, 'refusing');
  const ready = await fetch(`http://127.0.0.1:${plant.ports.http}/readyz`);
  t.equal(ready.status, 503, 'refusing: the collector says that it is not ready');
  await log.switchTo('none');
  await faults.recovered();

  await log.switchTo('hang');
  const heldMs = await faults.cutOff();
  t.comment(`hanging: connections end after ${Math.round(heldMs)} ms`);
  t.ok(heldMs < KEEPALIVE_S * 1_000, 'hanging: sooner than the keepalive');
  t.ok((await log.held()) > 0, 'hanging: the log still owes answers');
  await faults.outage(t, 'hanging');
  for (const gateway of faults.gateways) {
    const timeouts = await gateway.metric('fms_agent_publish_timeouts_total');
    t.equal(timeouts, 0, `hanging: it was the collector that closed (${gateway.name})`);
  }
  // What hung is stored now, though its senders were never told and send it again.
  await log.switchTo('none');
  await faults.recovered();

  await log.switchTo('fail-after-storing');
  await faults.cutOff();
  await log.switchTo('none');
  await faults.recovered();

  const ledger = await settleGateways(plant, faults.gateways);
  const result = await account(plant, ledger);
  t.comment(JSON.stringify(result.summary));
  t.same(result.problems, [], 'store and truth file agree');
  t.equal(result.summary.unread, 0, 'the log costs no reading');
  t.equal(result.summary.gap_readings, 0, 'and nothing is declared lost');
  t.ok(result.summary.duplicates_removed > 0, 'what was stored and not acknowledged came again');
  if (t.passing()) plant.discard();
  else t.comment(`folder kept: ${plant.folder}`);
});
