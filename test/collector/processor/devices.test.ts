import t from 'tap';
import { DEVICES_PER_GATEWAY_MAX, PAUSE_MS } from '../../../collector/processor/limits.ts';
import { Processor } from '../../../collector/processor/processor.ts';
import type { Configuration, DeviceProfile } from '../../../collector/profile.ts';
import { RawKind } from '../../../collector/types.ts';
import { ChunkBuilder } from '../../../proto/chunk.ts';
import type { Said } from '../../support/raw-records.ts';
import { RawRecords, said } from '../../support/raw-records.ts';
import { profile } from '../../support/validation.ts';
import { CLOCK, frameOf, reading } from '../../support/wire.ts';

const TIMED = { lateAfterMs: 3_000, silentAfterMs: 6_000, match: [] };

/** One gateway, and time that passes a second at a time. */
class Plant {
  readonly raw = new RawRecords();
  processor: Processor;
  #seq = 1;

  constructor(processor = new Processor(new Map())) {
    this.processor = processor;
  }

  configure(version: string, some: Partial<Configuration> = {}): Said {
    const profiles: Record<string, DeviceProfile> = { p: profile({ a: {} }, TIMED) };
    const assignments = [{ site: '*', device: 'D*', area: 'hall', line: '2', profile: 'p' }];
    const whole = { version, retentionMs: 0, aheadMaxMs: 1e12, profiles, assignments, ...some };
    return this.#run(RawKind.CONFIGURATION, Buffer.from(JSON.stringify(whole)), '');
  }

  readings(...devices: readonly string[]): Said {
    const builder = new ChunkBuilder();
    for (const [i, name] of devices.entries()) {
      const [device = '', channel = 'a'] = name.split('.');
      builder.addReading(reading(channel, i, { device, timeMs: this.raw.timeMs }));
    }
    const frame = frameOf(builder.seal(CLOCK), this.#seq);
    this.#seq += devices.length;
    return said(this.processor.process(this.raw.batch([frame])));
  }

  state(online: boolean): Said {
    return said(this.processor.process(this.raw.state({ online, cleanEnd: !online })));
  }

  seconds(count: number): Said {
    const outputs = [];
    for (let i = 0; i < count; i++) outputs.push(...this.processor.process(this.raw.tick()));
    return said(outputs);
  }

  #run(kind: string, value: Uint8Array, key: string): Said {
    return said(this.processor.process(this.raw.add(kind, value, key)));
  }
}

/** Alerts have tests of their own. */
function kinds(all: Said): string[] {
  const events = all.events.filter(({ kind }) => !kind.startsWith('alert_'));
  return events.map(({ kind, device }) => (device === '' ? kind : `${device} ${kind}`));
}

t.test('new, late, silent and back', async (t) => {
  const plant = new Plant();
  plant.configure('v1');
  plant.readings('D01', 'X');
  const fresh = plant.seconds(1);
  t.same(kinds(fresh), ['D01 device_new', 'X device_new']);
  t.match(fresh.devices, [
    {
      device: 'D01',
      gateway: 'gw1',
      area: 'hall',
      line: '2',
      profile: 'p',
      intervalMs: 1_000,
      channels: ['a'],
      state: 'online',
      firstReceivedMs: plant.raw.timeMs - 1_000,
      lastReceivedMs: plant.raw.timeMs - 1_000,
      lastMs: plant.raw.timeMs - 1_000,
      updatedMs: plant.raw.timeMs,
    },
    { device: 'X', area: '', profile: '', intervalMs: 0 },
  ]);
  t.same(plant.seconds(1).devices, [], 'nothing changed');
  plant.readings('D01');
  t.same(plant.seconds(2).devices, [], 'in time: nothing changed');
  const late = plant.seconds(1);
  t.same(kinds(late), ['D01 device_late']);
  t.match(late.devices, [{ device: 'D01', state: 'late' }]);
  t.same(plant.seconds(2).devices, []);
  const silent = plant.seconds(1);
  t.match(silent.events, [
    { kind: 'device_silent', severity: 'error', detail: { before: 'late' } },
  ]);
  t.same(plant.seconds(3).devices, [], 'told once');
  plant.readings('D01');
  const back = plant.seconds(1);
  t.match(back.events, [{ kind: 'device_online', device: 'D01', detail: { before: 'silent' } }]);
  t.match(back.devices, [{ state: 'online', firstReceivedMs: fresh.devices[0]?.firstReceivedMs }]);
});

t.test('another configuration, or another channel, puts out what differs', async (t) => {
  const plant = new Plant();
  t.match(plant.configure('v1').events, [{ kind: 'configuration', detail: { version: 'v1' } }]);
  plant.readings('D01', 'D02.b');
  t.match(plant.seconds(1).devices, [{ channels: ['a'] }, { channels: ['a', 'b'] }]);
  t.same(plant.configure('v1').events, [], 'the same version is no news');
  t.same(plant.seconds(1).devices, []);
  plant.readings('D01', 'D02.b');
  const assignments = [{ site: '*', device: 'D01', area: 'yard', line: '', profile: 'p' }];
  t.match(plant.configure('v2', { assignments }).events, [{ detail: { before: 'v1' } }]);
  const moved = plant.seconds(1);
  t.match(moved.devices, [
    { device: 'D01', area: 'yard', line: '' },
    { device: 'D02', area: '', line: '', profile: '', channels: ['b'] },
  ]);
  t.same(kinds(moved), [], 'no change of state');
  plant.readings('D01.z');
  t.match(plant.seconds(1).devices, [{ device: 'D01', channels: ['a', 'z'] }]);
  plant.raw.timeMs += 1_000;
  const assigned = plant.configure('v3');
  t.match(assigned.devices, [{ area: 'hall' }, { area: 'hall' }], 'with a report in one record');
});

t.test('what is no configuration is refused, and the old one goes on', async (t) => {
  const plant = new Plant();
  plant.configure('v1');
  for (const value of ['{', '[]', '{"version":"v2"}', '{"version":"v2","profiles":null}']) {
    const record = plant.raw.add(RawKind.CONFIGURATION, Buffer.from(value), '');
    t.match(said(plant.processor.process(record)).events, [
      { kind: 'configuration', severity: 'error', detail: { version: 'v1', refused: true } },
    ]);
  }
  plant.readings('D01');
  t.match(plant.seconds(1).devices, [{ profile: 'p' }]);
});

t.test('one partition of several tells of a configuration', async (t) => {
  const plant = new Plant();
  plant.configure('v1');
  const [record] = plant.raw.records;
  const other = new Processor(new Map());
  t.same(said(other.process({ ...record!, partition: 1 })).events, []);
});

t.test('a pause of the collector is held against nobody', async (t) => {
  const plant = new Plant();
  plant.configure('v1');
  plant.state(true);
  plant.readings('D01');
  plant.seconds(1);
  plant.raw.timeMs += PAUSE_MS + 60_000;
  t.same(kinds(plant.seconds(3)), [], 'not late although a minute has passed');
  t.same(kinds(plant.seconds(1)), ['D01 device_late']);
});

t.test('a gateway that says nothing more, and then does', async (t) => {
  const plant = new Plant();
  t.same(kinds(plant.state(true)), ['gateway_online']);
  t.same(kinds(plant.seconds(34)), []);
  plant.state(true);
  t.same(kinds(plant.seconds(34)), [], 'every word counts');
  t.same(kinds(plant.seconds(1)), ['gateway_silent']);
  t.same(kinds(plant.seconds(40)), [], 'told once');
  t.match(plant.state(true).events, [{ kind: 'gateway_online', detail: { silent_ms: 75_000 } }]);
  t.same(kinds(plant.state(false)), ['gateway_offline']);
  t.same(kinds(plant.seconds(60)), [], 'it said goodbye');
});

t.test('after a cold start what shows up is not announced, its state is', async (t) => {
  const plant = new Plant();
  plant.configure('v1');
  plant.state(true);
  plant.readings('D01');
  plant.seconds(1);
  const state = new Map<string, Uint8Array>();
  for (const [key, bytes] of plant.processor.takeChanges())
    if (bytes !== null) state.set(key, bytes);
  plant.processor = new Processor(state, { coldReason: 'for the test' });
  t.same(kinds(plant.seconds(1)), ['cold_start']);
  plant.readings('D01');
  const again = plant.seconds(1);
  t.same(kinds(again), []);
  t.match(again.devices, [{ device: 'D01', state: 'online', area: 'hall' }]);
  t.same(kinds(plant.seconds(3)), ['D01 device_late']);
  t.same(kinds(plant.seconds(40)), ['D01 device_silent', 'gateway_silent']);
});

t.test('more devices than are remembered', async (t) => {
  const plant = new Plant();
  const names = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => `X${from + i}`);
  const half = DEVICES_PER_GATEWAY_MAX / 2;
  plant.seconds(1);
  plant.readings(...names(0, half));
  t.equal(plant.seconds(1).devices.length, half);
  plant.readings(...names(half, half));
  t.equal(plant.seconds(1).devices.length, half);
  plant.readings('one more');
  t.same(kinds(plant.seconds(1)), ['one more device_new']);
  plant.readings(...names(half, half));
  t.same(kinds(plant.seconds(1)), [], 'the newer half is still known');
  plant.readings('X0');
  t.same(kinds(plant.seconds(1)), ['X0 device_new'], 'one of the older is not');
});
