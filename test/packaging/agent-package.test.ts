/** fms-agent's Debian package: what is in it, and what installing, upgrading and removing it does. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { packagedAgent } from '../support/packaged.ts';
import { whyNotWithout } from '../support/programs.ts';
import { ThrowawayMachine, whyNoThrowawayMachine } from '../support/throwaway-machine.ts';

const FILES = join(import.meta.dirname, '../../packaging/agent/files');
/** The target of the issue is 2.0; what it is now may not slip. */
const EXPOSURE_MAX = 1.5;

t.setTimeout(1_200_000);

function output(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program}: ${error?.message ?? stderr}${stdout}`);
  return stdout;
}

t.test('what is in it', { skip: whyNotWithout('dpkg-deb') }, async (t) => {
  const { deb, bill } = packagedAgent();
  const field = (name: string) => output('dpkg-deb', '--field', deb, name).trim();
  t.equal(field('Package'), 'fms-agent');
  t.equal(field('Architecture'), process.arch === 'arm64' ? 'arm64' : 'amd64');
  t.notMatch(field('Depends'), /node|systemd/, 'nothing that a plain machine lacks');

  const listed = output('dpkg-deb', '--contents', deb).split('\n');
  const lines = listed.filter((line) => line !== '');
  t.ok(lines.every((line) => line.includes(' root/root ')));
  t.same(
    lines.filter((line) => /^-..(s|.{3}[s]|.{5}w|.{2}w)/.test(line)),
    [],
    'nothing that others may write or that changes its user',
  );
  const modes = new Map(
    lines.map((line) => [line.split(/\s+/)[5]?.slice(1) ?? '', line.slice(0, 10)]),
  );
  t.equal(modes.get('/usr/lib/fms-agent/fms-agent'), '-rwxr-xr-x');
  t.equal(modes.get('/usr/lib/fms-agent/better_sqlite3.node'), '-rw-r--r--');
  t.equal(modes.get('/usr/bin/fms-agent'), 'lrwxrwxrwx');

  const sums = readFileSync(join(dirname(deb), 'SHA256SUMS'), 'utf8');
  for (const file of [deb, bill]) {
    const sum = createHash('sha256').update(readFileSync(file)).digest('hex');
    t.ok(sums.includes(`${sum}  ${basename(file)}\n`), basename(file));
  }
  const { components } = JSON.parse(readFileSync(bill, 'utf8')) as {
    components: { name: string; version: string; hashes?: unknown[] }[];
  };
  const names = components.map(({ name }) => name);
  for (const name of ['node', 'better-sqlite3', 'mqtt', 'yaml', 'modbus-serial']) {
    t.ok(names.includes(name), name);
  }
  t.notOk(names.includes('aedes'), 'nothing of the collector');
  t.ok(components.every(({ name, hashes }) => name === 'node' || hashes?.length === 1));
});

t.test('files of /etc stay as they are, so that dpkg never asks', async (t) => {
  const sum = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(FILES, name)))
      .digest('hex')
      .slice(0, 16);
  // Changed here, an upgrade asks everybody who edited the file. New settings belong into conf.d.
  t.equal(sum('agent.yaml'), 'a90d1e79e13527a0');
  t.equal(sum('conf.d-README'), 'c7e1cbd50e6be0a4');
});

t.test('manual page without a fault', { skip: whyNotWithout('mandoc') }, async (t) => {
  const { stdout, stderr } = spawnSync(
    'mandoc',
    ['-Tlint', '-Wstyle', join(FILES, 'fms-agent.8')],
    {
      encoding: 'utf8',
    },
  );
  const said = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
  // Pages that this machine has not listed say nothing of ours.
  t.same(
    said.filter((line) => !/outdated mandoc\.db|referenced manual not found/.test(line)),
    [],
  );
});

t.test('the manual page tells of the language', async (t) => {
  const page = readFileSync(join(FILES, 'fms-agent.8'), 'utf8');
  t.match(page, /^\.Fl -language Ar en \| ko/m);
  t.match(page, /^\.It Ev FMS_LANGUAGE$/m);
});

t.test('lintian finds nothing', { skip: whyNotWithout('lintian', 'dpkg-deb') }, async (t) => {
  // Without the program itself, whose hundred megabytes of strings it reads for a minute and more.
  const folder = mkdtempSync(join(tmpdir(), 'fms-lintian-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const tree = join(folder, 'tree');
  output('dpkg-deb', '-R', packagedAgent().deb, tree);
  writeFileSync(join(tree, 'usr/lib/fms-agent/fms-agent'), '#!/bin/sh\n');
  const sums = join(tree, 'DEBIAN/md5sums');
  const md5 = createHash('md5').update('#!/bin/sh\n').digest('hex');
  const text = readFileSync(sums, 'utf8').replace(
    /^\S+(?= {2}usr\/lib\/fms-agent\/fms-agent$)/m,
    md5,
  );
  writeFileSync(sums, text);
  const deb = join(folder, 'fms-agent_1.0.0_all.deb');
  output('dpkg-deb', '--root-owner-group', '-Zgzip', '-z1', '-b', tree, deb);
  const { stdout } = spawnSync('lintian', ['--allow-root', '--show-overrides', deb], {
    encoding: 'utf8',
  });
  const found = stdout.split('\n').filter((line) => /^[EWI]: /.test(line));
  t.same(found, []);
  t.match(stdout, /^O: fms-agent: bogus-mail-host/m, 'it has looked');
});

t.test('on a machine', { skip: whyNoThrowawayMachine() }, async (t) => {
  const machine = await ThrowawayMachine.make();
  t.teardown(() => machine.close());
  const { deb } = packagedAgent();
  const own = machine.bring(deb, 'fms-agent.deb');
  const stat = (path: string) => machine.must('stat', '-c', '%A %U %G', path).trim();

  await t.test('installed: user, folders, key, service, and what to do next', async (t) => {
    t.match(machine.must('dpkg', '-i', own), /sudo fms-agent check/);
    t.equal(stat('/var/lib/fms-agent'), 'drwxr-x--- fms-agent fms-agent');
    t.equal(stat('/etc/fms-agent'), 'drwxr-x--- root fms-agent');
    t.equal(stat('/etc/fms-agent/agent.yaml'), '-rw-r----- root fms-agent');
    t.equal(stat('/etc/fms-agent/buffer.key'), '-rw------- root root');
    t.match(machine.must('cat', '/etc/fms-agent/buffer.key'), /^[0-9a-f]{64}\n$/);
    t.match(machine.must('getent', 'passwd', 'fms-agent'), /:\/var\/lib\/fms-agent:\S*nologin$/m);
    machine.must('test', '-L', '/etc/systemd/system/multi-user.target.wants/fms-agent.service');
    const check = machine.run('fms-agent', 'check');
    t.equal(check.status, 2);
    t.match(check.stderr, /fms-agent enroll/);
    machine.must('fms-agent', 'self-test');
    const enrolled = {
      FMS_AGENT_SITE: 's',
      FMS_AGENT_GATEWAY: 'g',
      FMS_AGENT_COLLECTOR__TOKEN: 't',
    };
    const env = Object.entries(enrolled).map(([name, value]) => `${name}=${value}`);
    const url = 'FMS_AGENT_COLLECTOR__URL=mqtts://127.0.0.1:1';
    const next = machine.must('env', ...env, url, 'fms-agent', 'check');
    t.match(next, /no devices yet[\s\S]*sudo cp \/usr\/share\/fms-agent\/devices\.yaml/);
    // What is to be copied is right as it is; the devices of it are nowhere.
    machine.must('cp', '/usr/share/fms-agent/devices.yaml', '/etc/fms-agent/conf.d/');
    const example = machine.run('env', ...env, url, 'fms-agent', 'check');
    machine.must('rm', '/etc/fms-agent/conf.d/devices.yaml');
    t.match(example.stdout, /agent\.yaml is right; reading 2 devices once/);
    t.match(example.stderr, /AGENT_CHECK_FAILED: press-1, oven-1/);
  });

  await t.test(
    'its unit: right, and closed in',
    { skip: whyNotWithout('systemd-analyze') },
    async (t) => {
      const unit = '/usr/lib/systemd/system/fms-agent.service';
      const verify = machine.run('systemd-analyze', 'verify', '--man=no', unit);
      // The exit code is 0 whatever it finds. Other units of the machine are not ours to judge.
      const ours = verify.stderr.split('\n').filter((line) => line.includes('fms-agent'));
      t.same(ours, []);
      const security = machine.must('systemd-analyze', 'security', '--offline=true', unit);
      const exposure = /Overall exposure level for fms-agent\.service: ([\d.]+)/.exec(
        security,
      )?.[1];
      t.ok(Number(exposure) <= EXPOSURE_MAX, `exposure ${exposure}`);
    },
  );

  await t.test(
    'read-only root, one folder to write, no network: it reads and buffers',
    async (t) => {
      machine.must(
        'sh',
        '-c',
        `cat >/etc/fms-agent/conf.d/all.yaml <<'END'
site: plant
gateway: gw1
collector: { url: "mqtt://127.0.0.1:1", token: secret }
status: { port: 0 }
devices:
  - name: C01
    reader: command
    command: { argv: ["/bin/sh", "-c", "while sleep 0.1; do echo '{\\"values\\": {\\"temperature\\": 1}}'; done"] }
END
mkdir -p /run/credentials
cp /etc/fms-agent/buffer.key /run/credentials/
chown fms-agent /run/credentials/buffer.key`,
      );
      // As the unit does it: all of it read-only but the one folder.
      const agent = machine.start(
        'unshare',
        '--mount',
        'sh',
        '-c',
        `mount -o bind /var/lib/fms-agent /var/lib/fms-agent
mount -o remount,bind,ro /
mount -o remount,bind,ro /tmp
touch /etc/x /tmp/x 2>/dev/null && exit 99
export CREDENTIALS_DIRECTORY=/run/credentials
exec setpriv --reuid=fms-agent --regid=fms-agent --clear-groups --no-new-privs fms-agent run`,
      );
      const exited = once(agent, 'exit');
      const lines: string[] = [];
      for await (const line of createInterface({ input: agent.stderr! })) {
        lines.push(line);
        if (line.includes('first reading in the buffer')) break;
      }
      t.match(lines.at(-1), /first reading in the buffer/, lines.join('\n'));
      agent.kill('SIGTERM');
      t.same(await exited, [0, null]);
      t.notMatch(lines.join('\n'), /"level":"error"/);
    },
  );

  const count = (): number => {
    const { stdout } = machine.run(
      ...['fms-agent', 'buffer', 'export', '--key-file', '/etc/fms-agent/buffer.key'],
    );
    return stdout.split('\n').filter((line) => line.includes('C01')).length;
  };
  const before = count();
  const key = machine.must('cat', '/etc/fms-agent/buffer.key');

  await t.test('upgraded: it asks nothing, keeps configuration, key and readings', async (t) => {
    t.ok(before > 0, `${before} readings wait`);
    t.equal(
      machine.must('find', '/var/lib/fms-agent', '!', '-user', 'fms-agent'),
      '',
      'a look as root leaves nothing that the service cannot open',
    );
    machine.must('sh', '-c', 'echo "log: { level: warn }" >>/etc/fms-agent/agent.yaml');
    machine.must('chmod', '0600', '/etc/fms-agent/agent.yaml');
    const newer = newerPackage(machine, own);
    // A service manager that does as it is told, and whose agent does not come up.
    machine.must(
      'sh',
      '-c',
      `mkdir -p /run/systemd/system
for name in systemctl deb-systemd-invoke; do
  printf '#!/bin/sh\\necho "%s $*" >>/tmp/asked\\n' "$name" >/usr/local/bin/$name
  chmod 755 /usr/local/bin/$name
done
echo '[ "$1" != restart ]' >>/usr/local/bin/deb-systemd-invoke`,
    );
    const { status, stdout, stderr } = machine.run('dpkg', '-i', newer);
    t.equal(status, 0, stdout + stderr);
    t.match(stderr, /DOES NOT START/);
    const asked = machine.must('cat', '/tmp/asked');
    t.match(asked, /daemon-reload/);
    t.match(asked, /deb-systemd-invoke restart fms-agent\.service/);
    t.notMatch(asked, /stop/, 'the old one reads until the new one is there');
    t.match(machine.must('cat', '/etc/fms-agent/agent.yaml'), /level: warn/);
    t.equal(stat('/etc/fms-agent/agent.yaml'), '-rw------- root fms-agent');
    t.equal(machine.must('cat', '/etc/fms-agent/buffer.key'), key);
    t.equal(count(), before);
  });

  await t.test('removed: data and configuration stay for another installation', async (t) => {
    machine.must('dpkg', '--remove', 'fms-agent');
    t.match(machine.must('cat', '/tmp/asked'), /deb-systemd-invoke stop fms-agent\.service/);
    t.not(machine.run('fms-agent', '--version').status, 0);
    machine.must('dpkg', '-i', own);
    t.equal(machine.must('cat', '/etc/fms-agent/buffer.key'), key);
    t.equal(count(), before);
  });

  await t.test('purged: all of it goes', async (t) => {
    machine.must('dpkg', '--purge', 'fms-agent');
    const left = machine.shell('find /etc /usr /var /lib -xdev -name "*fms-agent*"');
    t.same(
      left.stdout.split('\n').filter((path) => path !== ''),
      [],
    );
  });
});

/** The same package under a version that dpkg takes for newer. */
function newerPackage(machine: ThrowawayMachine, deb: string): string {
  machine.must('dpkg-deb', '-R', deb, '/tmp/newer');
  machine.must('sed', '-i', 's/^Version: .*/Version: 99.0.0/', '/tmp/newer/DEBIAN/control');
  machine.must('dpkg-deb', '-Zgzip', '-z1', '-b', '/tmp/newer', '/tmp/newer.deb');
  return '/tmp/newer.deb';
}
