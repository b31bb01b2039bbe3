/** Folders of profiles under test/cases/profiles, and what becomes of them. */

import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import type { Configuration } from '../../../collector/profile.ts';
import {
  AHEAD_MAX_MS,
  CONFIGURATION_BYTES_MAX,
  FILE_BYTES_MAX,
  FILES_MAX,
  loadConfiguration,
  ProfilesInvalid,
} from '../../../collector/profiles/load.ts';
import {
  canonicalJson,
  encodeConfiguration,
  withVersion,
} from '../../../collector/profiles/version.ts';

const CASES = join(import.meta.dirname, '../../cases/profiles');
const DAY_MS = 86_400_000;

function load(profilesDir: string | undefined): Configuration {
  return loadConfiguration({ profilesDir, retentionMs: DAY_MS });
}

function mistakesOf(folder: string): string[] {
  try {
    load(folder);
    return [];
  } catch (error) {
    if (!(error instanceof ProfilesInvalid)) throw error;
    return error.mistakes.map((mistake) => mistake.replaceAll(`${folder}/`, ''));
  }
}

for (const name of readdirSync(CASES)) {
  const folder = join(CASES, name);
  if (readdirSync(folder).includes('expected.txt'))
    t.test(`case ${name}: every mistake with its line, all at once`, async (t) => {
      const expected = readFileSync(join(folder, 'expected.txt'), 'utf8').trim().split('\n');
      t.same(mistakesOf(folder), expected);
    });
  else
    t.test(`case ${name}: defaults filled in`, async (t) => {
      const expected: unknown = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));
      t.strictSame(load(folder), expected);
    });
}

t.test('the built-in profile is that of FMS devices', async (t) => {
  const { profiles, assignments, aheadMaxMs, retentionMs } = load(undefined);
  t.same(Object.keys(profiles), ['fms']);
  t.same([assignments, aheadMaxMs, retentionMs], [[], AHEAD_MAX_MS, DAY_MS]);
  const fms = profiles.fms!;
  t.match(fms, {
    intervalMs: 10_000,
    timelyWithinMs: 30_000,
    lateAfterMs: 30_000,
    silentAfterMs: 300_000,
    failure: { channel: 'isFail', when: 1 },
  });
  const limits = Object.entries(fms.channels).map(([name, { min, max, fill }]) =>
    [name, min, max, fill.kind === 'last' ? 'last' : fill.value].join(' '),
  );
  t.same(limits, [
    'isFail   last',
    'motor1 0 2000 0',
    'motor2 0 1500 0',
    'motor3 0 1800 0',
    'sensor1 0 100 last',
    'sensor2 0 100 last',
    'sensor3 0 150 last',
  ]);
  for (const [name, channel] of Object.entries(fms.channels)) {
    t.ok(channel.title !== '' && channel.titleKo, `${name} has a title in both languages`);
    if (name !== 'isFail') t.match(channel, { sentinels: [-1], onNull: 'fill' });
  }
});

t.test('a folder without profiles leaves every device unprofiled', async (t) => {
  t.same(load(t.testdir({})).profiles, {});
  t.same(load(t.testdir({ 'devices.yaml': '' })).assignments, []);
});

t.test('what cannot be read is a mistake', async (t) => {
  const folder = t.testdir({ 'a.yaml': 'channels: { a: {} }' });
  t.match(mistakesOf(join(folder, 'nowhere')), [/cannot be read: ENOENT/]);
  cpSync(join(folder, 'a.yaml'), join(folder, 'dir.yaml/a.yaml'), { recursive: true });
  t.match(mistakesOf(folder), [/^dir\.yaml:1: EISDIR/]);
});

t.test('bounds', async (t) => {
  const large = `# ${'x'.repeat(FILE_BYTES_MAX)}\nchannels: { a: {} }\n`;
  t.match(mistakesOf(t.testdir({ 'large.yaml': large })), [/^large\.yaml:1: \d+ bytes; at most/]);
  const many = Object.fromEntries(
    Array.from({ length: FILES_MAX + 1 }, (_, i) => [`${i}.yaml`, 'channels: { a: {} }']),
  );
  t.match(mistakesOf(t.testdir(many)), [/201 files; at most 200 are read/]);
  const title = '가'.repeat(256);
  const channels = Array.from(
    { length: 1_000 },
    (_, i) => `  c${i}: { title: { en: ${title}, ko: ${title} } }\n`,
  );
  const text = `channels:\n${channels.join('')}`;
  const count = Math.ceil(CONFIGURATION_BYTES_MAX / Buffer.byteLength(text));
  const folder = t.testdir(
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i}.yaml`, text])),
  );
  t.match(mistakesOf(folder).at(-1), /all together \d+ bytes; at most/);
});

t.test('hostile names stay names', async (t) => {
  const folder = t.testdir({
    'a.yaml':
      'name: __proto__\nchannels: { __proto__: { unit: K }, constructor: {}, toString: {} }\nrules: [{ name: r, expect: "`__proto__` > `constructor`" }]\n',
  });
  const { profiles } = JSON.parse(
    encodeConfiguration(load(folder)).toString('utf8'),
  ) as Configuration;
  t.same(Object.keys(profiles), ['__proto__']);
  const [profile] = Object.values(profiles);
  t.same(Object.keys(profile?.channels ?? {}), ['__proto__', 'constructor', 'toString']);
  t.same(profile?.rules[0]?.channels, ['__proto__', 'constructor']);
});

t.test('equal content has an equal version, other content another', async (t) => {
  const folder = t.testdir({ 'a.yaml': 'channels: { a: { min: 0 }, b: {} }\ntitle: A\n' });
  const before = load(folder);
  writeFileSync(
    join(folder, 'a.yaml'),
    '# a comment\ntitle: A\nchannels:\n  b: { type: number }\n  a: { min: 0.0 }\n',
  );
  t.equal(load(folder).version, before.version);
  writeFileSync(join(folder, 'a.yaml'), 'channels: { a: { min: 1 }, b: {} }\ntitle: A\n');
  t.not(load(folder).version, before.version);
  t.not(
    loadConfiguration({ profilesDir: folder, retentionMs: 0 }).version,
    load(folder).version,
    'the retention is part of it',
  );
  const { version, ...content } = before;
  t.equal(withVersion(content).version, version, 'of what came back from the log as well');
});

t.test('property: the canonical form does not depend on the order of keys', async () => {
  const shuffled = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(shuffled)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([key, one]) => [key, shuffled(one)]),
          )
        : value;
  fc.assert(
    fc.property(fc.jsonValue(), (value) => canonicalJson(value) === canonicalJson(shuffled(value))),
  );
});

t.test('the samples in OPERATIONS are right', async (t) => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/OPERATIONS.md'), 'utf8');
  const samples = [...text.matchAll(/```yaml\n# profiles\/([a-z.]+)[^\n]*\n(.*?)```/gs)];
  const files = Object.fromEntries(samples.map(([, file, yaml]) => [file ?? '', yaml ?? '']));
  const { profiles, assignments } = load(t.testdir(files));
  t.same(Object.keys(profiles), ['press']);
  t.equal(assignments.length, 2);
  const schema = readFileSync(
    join(import.meta.dirname, '../../../collector/profiles/profile.schema.json'),
    'utf8',
  );
  const section = /### Device profiles\n(.*?)\n### /s.exec(text)?.[1] ?? '';
  for (const key of section.match(/\b(?:on|timely|stuck|rate|outlier)_[a-z_]+\b/g) ?? [])
    t.match(schema, `"${key}"`, `${key} exists`);
});
