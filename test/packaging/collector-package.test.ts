/** fms-collector's Debian package: what is in it, and whether Debian's own judges have something to say. */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../collector/config.ts';
import { packagedCollector } from '../support/packaged-collector.ts';
import { whyNotWithout } from '../support/programs.ts';

const FILES = join(import.meta.dirname, '../../packaging/collector/files');
/** The target is 2.0; what it is now may not slip. */
const EXPOSURE_MAX = 1.5;
const LIB = './usr/lib/fms-collector';

t.setTimeout(1_200_000);

function output(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
  });
  if (status !== 0) throw new Error(`${program}: ${error?.message ?? stderr}${stdout}`);
  return stdout;
}

function newFolder(test: Pick<typeof t, 'teardown'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'fms-collector-deb-'));
  test.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

t.test('what is in it', { skip: whyNotWithout('dpkg-deb') }, async (t) => {
  const deb = packagedCollector();
  const field = (name: string) => output('dpkg-deb', '--field', deb, name).trim();
  t.equal(field('Package'), 'fms-collector');
  t.equal(field('Architecture'), process.arch === 'arm64' ? 'arm64' : 'amd64');
  t.notMatch(field('Depends'), /node|systemd/, 'nothing that a plain machine lacks');

  const lines = output('dpkg-deb', '--contents', deb)
    .split('\n')
    .filter((line) => line !== '');
  t.ok(lines.every((line) => line.includes(' root/root ')));
  t.same(
    lines.filter((line) => /^-..(s|.{3}[s]|.{5}w|.{2}w)/.test(line)),
    [],
    'nothing that others may write or that changes its user',
  );
  const paths = new Set(lines.map((line) => line.split(/\s+/)[5] ?? ''));
  for (const path of [
    'bin/node',
    'collector/main.ts',
    'collector/profiles/fms.yaml',
    'collector/profiles/load_worker.ts',
    'collector/web/dist/index.html',
    'proto/fms.proto',
    'node_modules/chdb/package.json',
    'node_modules/@peculiar/x509/package.json',
  ])
    t.ok(paths.has(`${LIB}/${path}`), path);
  t.ok([...paths].some((path) => /share\/fms-collector\/grafana\/dashboards\/.*\.json/.test(path)));
  const unwanted =
    /\/(agent|simulators|test|web\/src)\/|node_modules\/(react|vite|typescript|modbus-serial|tap)\/|\.map$|\.d\.ts$/;
  t.same(
    [...paths].filter((path) => unwanted.test(path.replace('./usr/lib/fms-collector', ''))),
    [],
    'nothing that only others need',
  );
  t.same(
    [...paths].filter((path) => /^\.\/(etc|var)\/./.test(path)),
    [],
    'what dpkg could ask about',
  );
  const addons = [...paths].filter((path) => path.includes('better-sqlite3/prebuilds/linux'));
  t.equal(addons.length, 1, 'the addon of this machine alone');
});

t.test('its configuration is right as it is', async (t) => {
  const folder = newFolder(t);
  cpSync(join(FILES, 'collector.yaml'), join(folder, 'collector.yaml'));
  const { http, mqtt, access } = loadConfig(join(folder, 'collector.yaml'));
  t.ok(http.tls);
  t.match(mqtt, { plain: false, tls: { host: '0.0.0.0', port: 8883 } });
  t.match(access, { thisMachine: 'none', anonymous: 'none' });
});

t.test('manual page without a fault', { skip: whyNotWithout('mandoc') }, async (t) => {
  const page = join(FILES, 'fms-collector.8');
  const { stdout, stderr } = spawnSync('mandoc', ['-Tlint', '-Wstyle', page], { encoding: 'utf8' });
  const said = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
  // Pages that this machine has not listed say nothing of ours.
  t.same(
    said.filter((line) => !/outdated mandoc\.db|referenced manual not found/.test(line)),
    [],
  );
});

t.test('its unit: closed in', { skip: whyNotWithout('systemd-analyze') }, async (t) => {
  const unit = join(FILES, 'fms-collector.service');
  const security = output('systemd-analyze', 'security', '--offline=true', unit);
  const [, exposure] =
    /Overall exposure level for fms-collector\.service: ([\d.]+)/.exec(security) ?? [];
  t.ok(Number(exposure) <= EXPOSURE_MAX, `exposure ${exposure}`);
});

t.test('lintian finds nothing', { skip: whyNotWithout('lintian', 'dpkg-deb') }, async (t) => {
  const folder = newFolder(t);
  const tree = join(folder, 'tree');
  output('dpkg-deb', '-R', packagedCollector(), tree);
  // Without machine code, whose 600 megabytes it reads for minutes, and without what others made.
  const lib = join(tree, 'usr/lib/fms-collector');
  rmSync(join(lib, 'node_modules'), { recursive: true });
  writeFileSync(join(lib, 'bin/node'), '#!/bin/sh\n');
  rmSync(join(tree, 'DEBIAN/md5sums'));
  const deb = join(folder, 'fms-collector_1.0.0_all.deb');
  output('dpkg-deb', '--root-owner-group', '-Zgzip', '-z1', '-b', tree, deb);
  const { stdout } = spawnSync('lintian', ['--allow-root', '--show-overrides', deb], {
    encoding: 'utf8',
  });
  const found = stdout.split('\n').filter((line) => /^[EW]: /.test(line) && !/md5sums/.test(line));
  t.same(found, []);
  t.match(stdout, /^O: fms-collector: bogus-mail-host/m, 'it has looked');
});
