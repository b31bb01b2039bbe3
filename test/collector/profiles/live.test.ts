/** Profiles that change while the collector runs: what reaches the log, and what holds meanwhile. */

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import type { Configuration } from '../../../collector/profile.ts';
import type { LiveProfilesOptions } from '../../../collector/profiles/live.ts';
import { LiveProfiles } from '../../../collector/profiles/live.ts';
import { RawKind } from '../../../collector/types.ts';
import { FaultyLog } from '../../support/faulty-log.ts';
import { silentLogger } from '../../support/silent-logger.ts';

// Generous: a machine may be busy with other things.
t.setTimeout(1_200_000);

const GOOD = 'channels: { rpm: { min: 0, max: 100 } }\n';
const OTHER = 'channels: { rpm: { min: 0, max: 200 } }\n';
const BAD = 'channels:\n  rpm: { min: 5, max: 1 }\n  run: { tpye: boolean }\n';

interface Entry {
  level: string;
  fields: Record<string, unknown>;
  message: string;
}

interface Scene {
  folder: string;
  profile: string;
  keptFile: string;
  log: FaultyLog;
  entries: Entry[];
  open(timing?: LiveProfilesOptions['timing']): LiveProfiles;
  /** Configurations in a partition, in order. */
  recorded(partition: number): Promise<Configuration[]>;
}

async function scene(t: Test, text = GOOD): Promise<Scene> {
  const root = t.testdir({ profiles: { 'motor.yaml': text } });
  const folder = join(root, 'profiles');
  const inner = await openSqliteLog({
    path: join(root, 'log.sqlite'),
    partitions: 2,
    maxBytes: 2 ** 30,
    retentionBytes: 2 ** 29,
    retentionMs: 1e9,
    clock: { wallMs: () => Date.now() },
    log: silentLogger,
  });
  const log = new FaultyLog(inner);
  const entries: Entry[] = [];
  const opened: LiveProfiles[] = [];
  t.teardown(async () => {
    for (const live of opened) await live.close();
    await inner.close();
  });
  const note =
    (level: string) =>
    (fields: object, message: string): void => {
      entries.push({ level, fields: { ...fields }, message });
    };
  const keptFile = join(root, 'data/configuration.json');
  return {
    folder,
    profile: join(folder, 'motor.yaml'),
    keptFile,
    log,
    entries,
    open: (timing = {}) => {
      const live = new LiveProfiles({
        source: { profilesDir: folder, retentionMs: 1_000 },
        keptFile,
        clock: { wallMs: () => Date.now() },
        logger: { info: note('info'), warn: note('warn'), error: note('error') },
        timing: { publishWaitMs: 20_000, retryMs: 5, settleMs: 20, lookMs: 50, ...timing },
      });
      opened.push(live);
      return live;
    },
    recorded: async (partition) => {
      const records = await inner.read('raw', partition, 0, { maxRecords: 100, maxBytes: 2 ** 24 });
      return records.map(({ kind, key, value }) => {
        t.same([kind, key], [RawKind.CONFIGURATION, '']);
        return JSON.parse(Buffer.from(value).toString('utf8')) as Configuration;
      });
    },
  };
}

async function until(isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(`still not so after 60 s: ${isSo}`);
    await delay(5);
  }
}

function maxOf({ profiles }: Configuration): number | undefined {
  return profiles.motor?.channels.rpm?.max;
}

t.test('at the start every partition gets the configuration', async (t) => {
  const { log, open, recorded } = await scene(t);
  const live = open();
  t.match(live.status(), { pending: true, profiles: 1, mistakes: [] });
  await live.start(log);
  t.equal(live.status().pending, false);
  for (const partition of [0, 1]) t.strictSame(await recorded(partition), [live.current]);
  await live.close();
  await open().start(log);
  t.equal((await recorded(0)).length, 2, 'and again at the next start');
});

t.test('a changed file holds without a restart', async (t) => {
  const { profile, log, open, recorded } = await scene(t);
  const live = open();
  await live.start(log);
  writeFileSync(profile, OTHER);
  await until(() => live.status().reloads.changed === 1 && !live.status().pending);
  t.equal(maxOf(live.current), 200);
  for (const partition of [0, 1])
    t.same((await recorded(partition)).map(maxOf), [100, 200], `partition ${partition}`);
});

t.test('a bad reload is refused with its lines and leaves the old one in effect', async (t) => {
  const { profile, log, open, recorded, entries } = await scene(t);
  const live = open();
  await live.start(log);
  const before = live.current;
  writeFileSync(profile, BAD);
  await until(() => live.status().mistakes.length > 0);
  t.equal(live.current, before);
  t.ok(live.status().reloads.refused >= 1);
  t.equal(live.status().pending, false);
  t.match(live.status().mistakes, [`${profile}:3: unknown key "tpye"`]);
  const said = entries.find(({ level }) => level === 'error');
  t.match(said?.fields, { code: 'PROFILES_INVALID', hint: /check/, count: 1 });
  t.match(said?.fields.mistakes, [/motor\.yaml:3: /]);
  t.equal((await recorded(0)).length, 1);

  writeFileSync(profile, BAD.replace('tpye', 'type'));
  t.equal(await live.reload(), 'refused', 'the schema passes, the contradiction shows');
  t.match(live.status().mistakes, [/:2: channels\.rpm: max \(1\) is below min \(5\)/]);
  writeFileSync(profile, GOOD);
  t.equal(await live.reload(), 'unchanged');
  t.same(live.status().mistakes, []);
  t.equal((await recorded(0)).length, 1);
});

t.test('a start with mistakes goes on with the configuration that held last', async (t) => {
  const { profile, log, open, recorded, keptFile, entries } = await scene(t);
  const first = open();
  await first.start(log);
  await first.close();
  writeFileSync(profile, BAD);
  const second = open();
  t.strictSame(second.current, first.current);
  t.match(second.status().mistakes, [/:3: /]);
  t.match(entries.at(-1), { level: 'error', fields: { code: 'PROFILES_INVALID' } });
  await second.start(log);
  t.same((await recorded(0)).map(maxOf), [100, 100]);
  await second.close();

  writeFileSync(keptFile, readFileSync(keptFile, 'utf8').replace('100', '101'));
  t.throws(() => open(), { code: 'PROFILES_INVALID' }, 'a damaged copy is not taken');
  rmSync(keptFile);
  t.throws(
    () => open(),
    { code: 'PROFILES_INVALID' },
    'without a copy there is nothing to go on with',
  );
});

t.test('a log that takes nothing holds up nothing, and gets it as soon as it can', async (t) => {
  const { profile, log, open, recorded, entries } = await scene(t);
  log.appendFault = 'full';
  const live = open({ publishWaitMs: 30 });
  await live.start(log);
  t.equal(live.status().pending, true);
  t.match(entries.at(-1), { level: 'warn', fields: { error: /LOG_FULL/ } });
  writeFileSync(profile, OTHER);
  await live.reload();
  log.appendFault = undefined;
  await until(() => !live.status().pending);
  for (const partition of [0, 1])
    t.same((await recorded(partition)).map(maxOf), [200], 'the newest alone');

  log.appendFault = 'fail-after-storing';
  writeFileSync(profile, GOOD);
  await live.reload();
  log.appendFault = undefined;
  await until(() => !live.status().pending);
  const twice = (await recorded(0)).map(maxOf);
  t.ok(twice.length > 2 && twice.slice(1).every((max) => max === 100), 'again is no harm');

  log.appendFault = 'hang';
  writeFileSync(profile, OTHER);
  await live.reload();
  await live.close();
  t.pass('an append that hangs does not keep it from closing');
  log.release();
});

t.test('many reloads at once are one, or two', async (t) => {
  const { log, open, profile } = await scene(t);
  const live = open();
  await live.start(log);
  await live.close();
  const calm = open();
  const first = calm.reload();
  writeFileSync(profile, OTHER);
  const results = await Promise.all([first, ...Array.from({ length: 20 }, () => calm.reload())]);
  t.equal(new Set(results.slice(1)).size, 1);
  t.equal(maxOf(calm.current), 200, 'the files as they were at the last request');
  const { changed, unchanged, refused } = calm.status().reloads;
  t.ok(changed + unchanged <= 2 && refused === 0);
});

t.test('a folder that is moved away and comes back', async (t) => {
  const { folder, log, open } = await scene(t);
  const live = open();
  await live.start(log);
  renameSync(folder, `${folder}.away`);
  await until(() => live.status().mistakes.length > 0);
  t.match(live.status().mistakes, [/profiles: cannot be read: ENOENT/]);
  t.equal(maxOf(live.current), 100);
  mkdirSync(folder);
  writeFileSync(join(folder, 'motor.yaml'), OTHER);
  await until(() => maxOf(live.current) === 200);
  writeFileSync(join(folder, 'motor.yaml'), GOOD);
  await until(() => maxOf(live.current) === 100 && !live.status().pending);
  t.same(live.status().mistakes, []);
});

t.test('a folder that is replaced is told by notices, not by a look now and then', async (t) => {
  const { folder, log, open } = await scene(t);
  const live = open({ lookMs: 3_600_000 });
  await live.start(log);
  for (const [text, max] of [
    [OTHER, 200],
    [GOOD, 100],
  ] as const) {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    writeFileSync(join(folder, 'motor.yaml'), text);
    await until(() => maxOf(live.current) === max && !live.status().pending);
  }
  writeFileSync(join(folder, 'motor.yaml'), OTHER);
  await until(() => maxOf(live.current) === 200 && !live.status().pending);
  t.same(live.status().mistakes, []);
});

t.test('without a folder the built-in profile holds, and a reload finds nothing new', async (t) => {
  const { log, keptFile, recorded } = await scene(t);
  const live = new LiveProfiles({
    source: { profilesDir: undefined, retentionMs: 1_000 },
    keptFile,
    clock: { wallMs: () => 1 },
    logger: silentLogger,
  });
  await live.start(log);
  t.equal(await live.reload(), 'unchanged');
  t.same(Object.keys((await recorded(1))[0]?.profiles ?? {}), ['fms']);
  t.match(live.status(), { sinceMs: 1, profiles: 1 });
  await live.close();
});
