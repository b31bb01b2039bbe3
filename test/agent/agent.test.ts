/** The whole agent in this process, with a clock and readers of the test's own. */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Agent } from '../../agent/agent.ts';
import type { AgentConfig, DeviceConfig } from '../../agent/config/values.ts';
import type { Log } from '../../agent/log.ts';
import type { ReaderType } from '../../agent/readers/spec.ts';
import { systemScheduler } from '../../agent/scheduler.ts';
import type { PushedReader, ReaderOutput } from '../../agent/types.ts';
import { decodeChunk } from '../../proto/decode.ts';
import { Quality, QualityReason, reasonOf } from '../../proto/model.ts';
import { startTestBroker } from '../support/test-broker.ts';

const RIGHT = Date.UTC(2026, 6, 1);
const WRONG = Date.UTC(1970, 0, 1, 0, 5);

/** A device whose every word the test says. */
class Puppet {
  emit: ((output: ReaderOutput) => Promise<void>) | undefined;
  #ready = Promise.withResolvers<void>();
  lives = 0;

  async say(value: number, sourceTimeMs?: number): Promise<void> {
    await this.#ready.promise;
    const values = [{ channel: 'c', value, quality: Quality.GOOD }];
    await this.emit?.({ samples: [{ sourceTimeMs, values }], rejects: [] });
  }

  reader(): PushedReader {
    return {
      kind: 'pushed',
      run: (emit, signal) => {
        this.lives++;
        this.emit = emit;
        this.#ready.resolve();
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
      },
    };
  }
}

function deviceOf(name: string, fingerprint = name): DeviceConfig {
  return {
    name,
    reader: 'puppet',
    intervalMs: 0,
    jitterMs: 0,
    retries: 0,
    timeoutMs: 1_000,
    watchdogMs: 0,
    spec: { device: name, options: {}, channels: {}, timeoutMs: 1_000, baseDir: '.' },
    report: new Map(),
    fingerprint,
  };
}

function configOf(dataDir: string, url: string, devices: DeviceConfig[]): AgentConfig {
  return {
    site: 'demo',
    gateway: 'gw1',
    dataDir,
    collector: { url, token: 'x', ca: undefined },
    buffer: {
      commitIntervalMs: 0,
      maxBytes: 50_000_000,
      maxAgeMs: 1e10,
      minFreeBytes: 0,
      keyFile: undefined,
      encrypt: undefined,
      acceptPlain: true,
    },
    forwarder: {
      windowBatches: 8,
      batchReadings: 1_000,
      batchBytes: 65_536,
      publishTimeoutMs: 10_000,
      keepaliveS: 30,
      stateIntervalMs: 100,
      backoffMaxMs: 100,
    },
    mqtt: { acknowledgedBy: 'broker', resendAfterMs: 30_000 },
    clock: { holdMs: 900_000 },
    status: { enabled: false, host: '127.0.0.1', port: 0 },
    log: { level: 'info' },
    devices,
  };
}

function makeAgent(config: AgentConfig, puppets: Map<string, Puppet>, clock = goodClock()) {
  const messages: string[] = [];
  const note: Log['info'] = (message) => void messages.push(message);
  const type: ReaderType = {
    kind: 'pushed',
    title: 'puppet',
    deviceSchema: {},
    channelSchema: {},
    channelsRequired: false,
    check: () => [],
    create: (spec) => puppets.get(spec.device)!.reader(),
  };
  const agent = new Agent(config, {
    version: '0.1.0',
    readerTypes: { puppet: type },
    env: { FMS_AGENT_MACHINE_ID: 'test' },
    clock: { wallMs: () => clock.wall, monoMs: () => clock.mono },
    scheduler: systemScheduler,
    random: Math.random,
    log: { debug: note, info: note, warn: note, error: note },
    uptimeMs: () => 1,
  });
  return { agent, messages };
}

function goodClock(): { wall: number; mono: number } {
  return { wall: RIGHT, mono: 300_000 };
}

t.test('a gateway that boots in 1970 and gets its time ten minutes later', async (t) => {
  const broker = await startTestBroker();
  t.teardown(() => broker.close());
  const puppet = new Puppet();
  const clock = { wall: WRONG, mono: 300_000 };
  const pass = (ms: number): void => {
    clock.wall += ms;
    clock.mono += ms;
  };
  const config = configOf(t.testdir({}), broker.url, [deviceOf('D01')]);
  const { agent } = makeAgent(config, new Map([['D01', puppet]]), clock);
  await agent.start();
  await puppet.say(1);
  await puppet.say(2, RIGHT + 7);
  await agent.started();
  await broker.until(({ states }) => states.length >= 2);
  t.match(broker.states.at(-1), { clockUnsynced: true, lastSeq: 2 });
  t.same(broker.batches, [], 'nothing goes before the clock is right');
  const errorMs = RIGHT - WRONG;
  pass(600_000);
  // The time service steps the clock; for a minute it is not trusted yet.
  clock.wall += errorMs;
  await puppet.say(3);
  pass(61_000);
  await puppet.say(4);
  await broker.until(({ acked }) => acked.some(({ lastSeq }) => lastSeq === 4));
  await agent.stop();
  const shifted = broker.acked.flatMap((batch) => {
    const [correction] = batch.corrections;
    t.ok(correction, 'every batch brings the correction');
    return batch.chunks.flatMap((frame) => {
      const decoded = decodeChunk(frame);
      if (!decoded.ok) throw decoded.error;
      const { clock: sealed, timesMs, numbers, qualities } = decoded.value;
      const shiftMs = (correction?.offsetMs ?? 0) - (sealed.wallMs - sealed.monoMs);
      return [...numbers].map((value, i) => {
        const isMarked = reasonOf(qualities[i] ?? 0) === QualityReason.CLOCK_UNSYNCED;
        return [value, (timesMs[i] ?? 0) + (isMarked ? shiftMs : 0), isMarked];
      });
    });
  });
  t.same(shifted, [
    [1, RIGHT, true],
    [2, RIGHT + 7, false],
    [3, RIGHT + 600_000, true],
    [4, RIGHT + 661_000, false],
  ]);
});

t.test('the state tells epoch, buffer, readers and gaps', async (t) => {
  const broker = await startTestBroker();
  t.teardown(() => broker.close());
  const puppet = new Puppet();
  const config = configOf(t.testdir({}), broker.url, [deviceOf('D01')]);
  const { agent, messages } = makeAgent(config, new Map([['D01', puppet]]));
  await agent.start();
  await agent.started();
  await broker.until(({ states }) => states.length >= 1);
  t.match(broker.states[0], { epoch: '0000000000000000', lastSeq: 0 }, 'before the first reading');
  t.same(messages.slice(0, 1), ['fms-agent starts']);
  broker.onPublish = (leaf) => (leaf === 'batch' ? 'hold' : 'ack');
  await puppet.say(1);
  await broker.until(({ states }) => states.at(-1)?.lastSeq === 1);
  const state = broker.states.at(-1);
  t.match(state, {
    site: 'demo',
    gateway: 'gw1',
    online: true,
    version: '0.1.0',
    bufferReadings: 1,
    clockUnsynced: false,
    readers: [{ device: 'D01', reader: 'puppet', status: 'ok', lastGoodMs: RIGHT }],
    gaps: [],
  });
  t.match(state?.installId, /^[0-9a-f]{16}$/);
  const snapshot = agent.snapshot();
  t.match(snapshot, { diskRefuses: false, gapsPending: 0, forwarder: { connection: 'online' } });
  broker.release();
  await agent.stop();
});

t.test('reloads one after another; an end in the middle of one is an end', async (t) => {
  const broker = await startTestBroker();
  t.teardown(() => broker.close());
  const puppets = new Map([
    ['D01', new Puppet()],
    ['D02', new Puppet()],
  ]);
  const config = configOf(t.testdir({}), broker.url, [deviceOf('D01')]);
  const { agent } = makeAgent(config, puppets);
  await agent.start();
  const both = { ...config, devices: [deviceOf('D01'), deviceOf('D02')] };
  const changed = { ...config, devices: [deviceOf('D01', 'other'), deviceOf('D02')] };
  await Promise.all([agent.reload(both), agent.reload(changed)]);
  t.equal(puppets.get('D01')?.lives, 2);
  t.equal(puppets.get('D02')?.lives, 1, 'untouched by the second');
  await puppets.get('D02')?.say(5);
  const reloading = agent.reload({ ...changed, devices: [deviceOf('D01', 'third')] });
  await Promise.all([agent.stop(), reloading]);
  t.equal(puppets.get('D01')?.lives, 2, 'nothing was started any more');
});

t.test('a data folder that cannot be', async (t) => {
  const folder = t.testdir({ file: 'not a folder' });
  const config = configOf(join(folder, 'file/data'), 'mqtt://127.0.0.1:1', []);
  t.throws(() => makeAgent(config, new Map()), { code: 'AGENT_DATA_DIR' });
  const fresh = join(folder, 'a/b');
  const { agent } = makeAgent({ ...config, dataDir: fresh }, new Map());
  await agent.start();
  await agent.stop();
  t.ok(existsSync(join(fresh, 'buffer.sqlite')));
});

t.test('a buffer that is damaged does not stop the start', async (t) => {
  const folder = t.testdir({});
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'data/buffer.sqlite'), Buffer.alloc(20_000, 'x'));
  const puppet = new Puppet();
  const config = configOf(join(folder, 'data'), 'mqtt://127.0.0.1:1', [deviceOf('D01')]);
  const { agent } = makeAgent(config, new Map([['D01', puppet]]));
  await agent.start();
  await puppet.say(1);
  t.equal(agent.snapshot().buffer.readings, 1);
  await agent.stop();
});
