import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import { parse } from 'yaml';
import { readOptions as readCommand } from '../../../agent/readers/command/options.ts';
import { readOptions as readHttp } from '../../../agent/readers/http/options.ts';
import { readOptions as readModbus } from '../../../agent/readers/modbus/options.ts';
import type { ReaderName } from '../../../agent/readers/registry.ts';
import { isReaderName, readers } from '../../../agent/readers/registry.ts';
import type { ReaderSpec, ReaderType } from '../../../agent/readers/spec.ts';

const folder = join(import.meta.dirname, '../../../agent/readers');
const all = Object.entries(readers) as [ReaderName, ReaderType][];

interface SampleDevice {
  name: string;
  reader: string;
  channels: Record<string, Record<string, unknown>>;
  [reader: string]: unknown;
}

function sampleOf(name: string): SampleDevice {
  const text = readFileSync(join(folder, name, 'sample.yaml'), 'utf8');
  const { devices } = parse(text) as { devices: SampleDevice[] };
  return devices[0] as SampleDevice;
}

function specOf(name: string): ReaderSpec {
  const { [name]: options, channels } = sampleOf(name);
  return {
    device: 'D',
    options: options as Record<string, unknown>,
    channels: Object.fromEntries(
      Object.entries(channels).map(([channel, { report: _, ...rest }]) => [channel, rest]),
    ),
    timeoutMs: 1_000,
    baseDir: '/etc/fms',
  };
}

t.test('every folder is registered, with all that belongs to a reader', async (t) => {
  const folders = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  t.same(folders.sort(), Object.keys(readers).sort());
  for (const name of folders) {
    for (const file of ['reader.ts', 'schema.ts', 'sample.yaml', 'README.md']) {
      t.ok(existsSync(join(folder, name, file)), `${name}/${file}`);
    }
  }
  t.ok(isReaderName('http'));
  t.notOk(isReaderName('toString'));
});

for (const [name, type] of all) {
  t.test(name, async (t) => {
    const sample = readFileSync(join(folder, name, 'sample.yaml'), 'utf8');
    const readme = readFileSync(join(folder, name, 'README.md'), 'utf8');
    t.ok(readme.includes(`\`\`\`yaml\n${sample}\`\`\``), 'the README shows the sample as it is');

    const ajv = new Ajv2020({ allErrors: true, strict: true, useDefaults: true });
    const isDevice = ajv.compile(type.deviceSchema);
    const isChannel = ajv.compile(type.channelSchema);
    const spec = specOf(name);
    const filled = structuredClone(spec);
    t.ok(isDevice(filled.options), ajv.errorsText(isDevice.errors));
    for (const channel of Object.values(filled.channels)) {
      t.ok(isChannel(channel), ajv.errorsText(isChannel.errors));
    }
    t.notOk(isDevice({ ...spec.options, nonsense: 1 }), 'an unknown key is a mistake');
    t.notOk(isChannel({ ...Object.values(spec.channels)[0], nonsense: 1 }));
    t.notOk(isDevice({}), 'what is required is required');
    t.same(type.check(filled), []);
    for (const property of Object.values(type.deviceSchema.properties ?? {})) {
      t.type((property as { title?: string }).title, 'string', 'every key has a title');
    }
  });
}

t.test('the defaults of the schemas are those of the code', async (t) => {
  const readOptions = {
    http: readHttp,
    modbus: readModbus,
    command: (spec: ReaderSpec) => readCommand(spec, {}),
  };
  const least: Record<ReaderName, Record<string, unknown>> = {
    http: { url: 'http://d/' },
    modbus: { host: 'h' },
    command: { argv: ['x'] },
  };
  for (const [name, type] of all) {
    const ajv = new Ajv2020({ useDefaults: true });
    const spec: ReaderSpec = {
      device: 'D',
      options: least[name],
      channels: { c: name === 'modbus' ? { address: 0 } : {} },
      timeoutMs: 1_000,
      baseDir: '/',
    };
    const filled = structuredClone(spec);
    t.ok(ajv.validate(type.deviceSchema, filled.options));
    t.ok(ajv.validate(type.channelSchema, filled.channels.c));
    t.notSame(filled.options, spec.options, `${name} has defaults`);
    t.same(readOptions[name](filled), readOptions[name](spec), name);
  }
});

t.test('what no configured device needs is not loaded', async (t) => {
  const url = pathToFileURL(join(folder, 'registry.ts')).href;
  const script = `
    await import(${JSON.stringify(url)});
    const { createRequire } = await import('node:module');
    const packages = Object.keys(createRequire(import.meta.url).cache);
    console.log(JSON.stringify({
      undici: process.moduleLoadList.some((name) => name.includes('undici')),
      modbus: packages.some((name) => name.includes('modbus-serial')),
      seesModules: process.moduleLoadList.some((name) => name.includes('child_process')),
    }));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  t.same(JSON.parse(output), { undici: false, modbus: false, seesModules: true });
});
