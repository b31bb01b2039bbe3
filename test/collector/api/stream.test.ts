import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import type { LiveRecord } from '../../../collector/api/live/records.ts';
import type { StreamSink } from '../../../collector/api/stream.ts';
import { STREAM_BOUNDS, StreamHub } from '../../../collector/api/stream.ts';
import { maskOf, Treatment } from '../../../collector/findings.ts';
import type { DeviceEntry } from '../../../collector/processor/outputs/device.ts';

/** Takes everything, or holds everything back until `drain`. */
class Sink implements StreamSink {
  text = '';
  writableLength = 0;
  isSlow = false;
  isDestroyed = false;
  isEnded = false;
  write(text: string): boolean {
    this.text += text;
    if (this.isSlow) this.writableLength += text.length;
    return !this.isSlow;
  }
  drain(): void {
    this.writableLength = 0;
    this.isSlow = false;
  }
  destroy(): void {
    this.isDestroyed = true;
  }
  end(): void {
    this.isEnded = true;
  }
  events(name: string): unknown[] {
    return [...this.text.matchAll(new RegExp(`event: ${name}\\ndata: (.*)\\n`, 'g'))].map(
      (match) => JSON.parse(match[1] ?? '') as unknown,
    );
  }
  lastId(): string | undefined {
    return [...this.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1];
  }
}

function record(offset: number, devices = ['D01'], site = 'demo', partition = 0): LiveRecord {
  const newest = { timeMs: offset, value: offset / 10, quality: 0, treatment: 0, findings: 0 };
  return {
    partition,
    offset,
    site,
    gateway: 'gw1',
    receivedMs: 1_000 + offset,
    devices: devices.map((device) => ({
      device,
      series: [
        {
          channel: 'temp',
          kind: 'number',
          decimals: 1,
          count: 1,
          newest,
          readings: () => [newest],
        },
      ],
    })),
  };
}

const ALL = { site: undefined, device: undefined };

const LATE: DeviceEntry = {
  site: 'demo',
  device: 'D01',
  gateway: 'gw1',
  area: 'hall 1',
  line: 'A',
  profile: 'fms',
  intervalMs: 10_000,
  channels: ['temp'],
  state: 'late',
  firstReceivedMs: 1,
  lastReceivedMs: 2,
  lastMs: 3,
  updatedMs: 4,
};

t.test('readings go to those who asked for them', async (t) => {
  const hub = new StreamHub(1);
  const [all, one, other] = [new Sink(), new Sink(), new Sink()];
  hub.attach(all, ALL);
  hub.attach(one, { site: 'demo', device: 'D02' });
  hub.attach(other, { site: 'elsewhere', device: undefined });
  hub.publish(record(0, ['D01', 'D02']));
  hub.publish(record(1, ['D01']));
  t.equal(all.events('readings').length, 3);
  t.same(one.events('readings'), [
    {
      site: 'demo',
      gateway: 'gw1',
      device: 'D02',
      received_ms: 1_000,
      readings: [{ channel: 'temp', time_ms: 0, value: 0, quality: 0 }],
    },
  ]);
  t.equal(other.events('readings').length, 0);
  t.match(all.events('hello'), [{ heartbeat_ms: Number }]);
  t.equal(all.lastId(), '2');
  t.equal(one.lastId(), '1', 'the id of the last record that it was sent');
  hub.close();
  t.ok(all.isEnded && one.isEnded && other.isEnded);
});

t.test('only the kinds of events that were asked for', async (t) => {
  const hub = new StreamHub(1);
  const [readings, devices] = [new Sink(), new Sink()];
  hub.attach(readings, { ...ALL, kinds: ['readings'] });
  hub.attach(devices, { ...ALL, kinds: ['device', 'alert'] });
  hub.publish(record(0));
  hub.publishDevice(LATE);
  hub.skipped(0, 5);
  t.equal(readings.events('readings').length, 1);
  t.equal(readings.events('device').length, 0);
  t.equal(devices.events('readings').length, 0);
  t.equal(devices.events('device').length, 1);
  t.equal(devices.events('lost').length, 1, 'what was left out is told to all');
  hub.close();
});

t.test('what the rules did and said travels with a reading', async (t) => {
  const hub = new StreamHub(1);
  const sink = new Sink();
  hub.attach(sink, ALL);
  const one = record(0);
  const [series] = one.devices[0]?.series ?? [];
  if (series === undefined) throw new Error('no series');
  const findings = maskOf('null_value', 'late');
  series.readings = () => [{ ...series.newest, treatment: Treatment.FILLED, findings }];
  hub.publish(one);
  t.match(sink.events('readings'), [
    { readings: [{ treatment: 'filled', findings: ['null_value', 'late'] }] },
  ]);
  hub.close();
});

t.test('states of devices go to those who asked for them, without an id', async (t) => {
  const hub = new StreamHub(1);
  const [all, other] = [new Sink(), new Sink()];
  hub.attach(all, ALL);
  hub.attach(other, { site: 'demo', device: 'D02' });
  const idBefore = all.lastId();
  hub.publishDevice(LATE);
  t.same(all.events('device'), [
    {
      site: 'demo',
      device: 'D01',
      gateway: 'gw1',
      state: 'late',
      area: 'hall 1',
      line: 'A',
      profile: 'fms',
      last_ms: 3,
      received_ms: 2,
      updated_ms: 4,
    },
  ]);
  t.same(other.events('device'), []);
  t.equal(all.lastId(), idBefore);
  hub.close();
});

t.test('a slow caller loses events, is told how many, and takes no memory', async (t) => {
  const hub = new StreamHub(1, { ...STREAM_BOUNDS, bufferBytes: 2_000 });
  const [slow, quick] = [new Sink(), new Sink()];
  hub.attach(slow, ALL);
  hub.attach(quick, ALL);
  slow.isSlow = true;
  for (let i = 0; i < 10_000; i++) hub.publish(record(i));
  t.ok(slow.writableLength < 2_500, `${slow.writableLength} bytes held`);
  t.equal(quick.events('readings').length, 10_000, 'others are not affected');
  const got = slow.events('readings').length;
  slow.drain();
  hub.publish(record(10_000));
  t.same(slow.events('lost'), [{ reason: 'slow', events: 10_000 - got }]);
  t.equal(slow.events('readings').length, got + 1);
  t.equal(hub.stats().lostTotal, 10_000 - got);
  hub.close();
});

t.test('a caller that takes nothing at all is cut off; the others get heartbeats', async (t) => {
  let nowMs = 0;
  const bounds = { ...STREAM_BOUNDS, bufferBytes: 10, heartbeatMs: 5, stuckMs: 1_000 };
  const hub = new StreamHub(1, bounds, () => nowMs);
  const [stuck, fine] = [new Sink(), new Sink()];
  stuck.isSlow = true;
  hub.attach(stuck, ALL);
  hub.attach(fine, ALL);
  hub.publish(record(0));
  nowMs = 1_001;
  while (!fine.text.includes(': still here')) await delay(1);
  t.ok(stuck.isDestroyed);
  t.notOk(fine.isDestroyed);
  t.match(hub.stats(), { clients: 1, cutOffTotal: 1 });
  hub.close();
});

t.test('the number of callers is bounded', async (t) => {
  const hub = new StreamHub(1, { ...STREAM_BOUNDS, clients: 2 });
  const first = hub.attach(new Sink(), ALL);
  hub.attach(new Sink(), ALL);
  t.ok(hub.isFull);
  first.close();
  t.notOk(hub.isFull);
  hub.close();
});

t.test('what was missed comes first, then what came meanwhile, in order', async (t) => {
  const hub = new StreamHub(1);
  for (let i = 0; i < 5; i++) hub.publish(record(i));
  const sink = new Sink();
  const gate = Promise.withResolvers<void>();
  async function* old(): AsyncGenerator<LiveRecord> {
    yield record(3);
    await gate.promise;
    yield record(4);
  }
  hub.attach(sink, ALL, { records: old(), drained: async () => undefined });
  t.equal(sink.lastId(), undefined, 'the id does not move past what is still to come');
  hub.publish(record(5));
  gate.resolve();
  while (sink.events('readings').length < 3) await delay(1);
  hub.publish(record(6));
  const values = sink.events('readings').map((e) => (e as { received_ms: number }).received_ms);
  t.same(values, [1_003, 1_004, 1_005, 1_006]);
  t.equal(sink.lastId(), '7');
  hub.close();
});

t.test('a log that cannot be read again is said', async (t) => {
  const hub = new StreamHub(1);
  const sink = new Sink();
  async function* broken(): AsyncGenerator<LiveRecord> {
    yield record(0);
    throw new Error('trimmed');
  }
  hub.attach(sink, ALL, { records: broken(), drained: async () => undefined });
  while (sink.events('lost').length === 0) await delay(1);
  t.same(sink.events('lost'), [{ reason: 'trimmed', events: null }]);
  hub.publish(record(9));
  t.equal(sink.events('readings').length, 2, 'live all the same');
  hub.close();
});

t.test('event ids', async (t) => {
  const hub = new StreamHub(3);
  hub.publish(record(4, ['D01'], 'demo', 1));
  const id = StreamHub.idOf(hub.positions);
  t.same(hub.positionsOf(id), [0, 5, 0]);
  for (const wrong of ['', '1', '1-2', '1-2-3-4', 'a-b-c', '-1-2-3', '1-2-99999999999999999'])
    t.equal(hub.positionsOf(wrong), undefined, wrong);
});
