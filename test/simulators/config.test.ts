import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadDevicesConfig } from '../../simulators/config.ts';
import type { SimError } from '../../simulators/errors.ts';
import { loadModbusConfig } from '../../simulators/modbus-config.ts';

const samples = join(import.meta.dirname, '../../simulators');

function mistakes(load: (path: string) => unknown, text: string): string[] {
  const path = join(t.testdir(), 'sim.yaml');
  writeFileSync(path, text);
  try {
    load(path);
    return [];
  } catch (error) {
    t.equal((error as SimError).code, 'SIM_CONFIG_INVALID');
    return (error as Error).message.split('\n').map((line) => line.replace(/^.*sim\.yaml/, ''));
  }
}

t.test('the documented sample of FMS devices', async (t) => {
  const config = loadDevicesConfig(join(samples, 'devices.yaml'));
  t.equal(config.port, 9872);
  t.same(
    config.devices.map((device) => device.name),
    ['D01', 'D02', 'D03', 'D04', 'D05'],
  );
  const ranges = {
    sensor1: 100,
    sensor2: 100,
    sensor3: 150,
    motor1: 2_000,
    motor2: 1_500,
    motor3: 1_800,
  };
  for (const { channels } of config.devices) {
    t.same([...channels.keys()], [...Object.keys(ranges), 'isFail']);
    for (const [channel, max] of Object.entries(ranges)) {
      const signal = channels.get(channel);
      t.match(signal, { type: 'number', min: 0, max, decimals: channel.startsWith('s') ? 2 : 0 });
      if (signal?.type !== 'number') continue;
      t.ok(signal.mean - 4 * signal.stddev > 0 && signal.mean + 4 * signal.stddev < max, channel);
    }
    t.equal(channels.get('isFail')?.type, 'boolean');
  }
});

t.test('the documented sample of Modbus devices', async (t) => {
  const config = loadModbusConfig(join(samples, 'modbus.yaml'));
  t.same(
    config.units.map((unit) => [unit.name, unit.unit]),
    [
      ['M01', 1],
      ['M02', 2],
    ],
  );
});

t.test('a device changes, adds and drops channels', async (t) => {
  const path = join(t.testdir(), 'sim.yaml');
  writeFileSync(
    path,
    `channels: { a: { mean: 1, stddev: 2 }, b: { mean: 3 } }
truth: { path: ./t.jsonl }
devices:
  X: { channels: { a: { mean: 9 }, b: null, c: { type: boolean } } }
  Y:
`,
  );
  const config = loadDevicesConfig(path);
  const [x, y] = config.devices;
  t.same([...(x?.channels.keys() ?? [])], ['a', 'c']);
  t.match(x?.channels.get('a'), { mean: 9, stddev: 2 });
  t.same([...(y?.channels.keys() ?? [])], ['a', 'b']);
  t.equal(config.truthPath, path.replace('sim.yaml', 't.jsonl'), 'relative to the file');
});

t.test('every mistake is told with its line', async (t) => {
  const found = mistakes(
    loadDevicesConfig,
    `seed: 1
http: { prot: 1 }
channels:
  a: { mean: hot }
  b: { outlier_probability: 2 }
devices:
  D01: { channels: { a: { type: text } } }
`,
  );
  t.match(found, [
    /^:2: http: unknown key 'prot'/,
    /^:4: channels\.a\.mean must be number/,
    /^:5: channels\.b\.outlier_probability must be <= 1/,
    /^:7: devices\.D01\.channels\.a\.type .*: number, boolean/,
  ]);
  t.match(mistakes(loadDevicesConfig, 'devices: { A: '), [/^:\d+: /]);
  t.match(mistakes(loadDevicesConfig, 'seed: 1\n'), [/^:1: the file must have .*'devices'/]);
});

t.test('mistakes in what no schema can say', async (t) => {
  t.match(
    mistakes(
      loadDevicesConfig,
      'devices: { A: { channels: { a: {} } } }\nfaults: [{ at_s: 1, device: B, fault: 429 }, { at_s: 1, device: A, fault: stuck }]\n',
    ),
    [/faults, entry 1: unknown device 'B'/, /faults, entry 2: .*needs a channel/],
  );
  t.match(
    mistakes(
      loadModbusConfig,
      `devices:
  A: { unit: 1, registers: { x: { address: 5, type: int32 }, y: { address: 6 }, p: { address: 9, type: bool, bit: 1 }, q: { address: 9, type: bool, bit: 2 } } }
  B: { unit: 1, registers: { x: { address: 5, table: input } } }
`,
    ),
    [/'y' and 'x' share holding 6/, /two devices have the same unit/],
  );
});

t.test('a file that is not there', async (t) => {
  t.throws(() => loadDevicesConfig('/nowhere/sim.yaml'), { code: 'SIM_FILE_UNREADABLE' });
});
