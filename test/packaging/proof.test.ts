/**
 * What users install, from `dpkg -i` to purge, on a bare Debian with systemd: both packages, enrolment, mutual
 * TLS, an encrypted buffer, upgrades with a backlog. Everything is asked as an administrator would ask it.
 */

import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { DebianMachine, whyNoDebianMachine } from '../support/debian-machine.ts';
import { packagedAgent } from '../support/packaged.ts';
import { asVersion, packagedCollector } from '../support/packaged-collector.ts';
import { whyNotWithout } from '../support/programs.ts';

const skip = whyNoDebianMachine() || whyNotWithout('dpkg-deb', 'ar');
const WAIT_MS = 300_000;
const LATER = '99.0.0';
const DEVICE = 'secret-press';
const GOLDEN = join(import.meta.dirname, '../cases/buffer-format-1');
const COUNTING_DEVICE = join(import.meta.dirname, '../support/counting-device.ts');
const TOKEN_FILE = '/var/lib/fms-collector/local-token';

t.setTimeout(1_200_000);

/** As a site's engineer would write it. The golden buffer is from May 2026: older than the 30 days of the default. */
const CONF = `buffer: { max_age_hours: 87600 }
devices:
  - name: ${DEVICE}
    reader: http
    interval_ms: 200
    http: { url: "http://127.0.0.1:9872/", time_field: time }
    channels: { value: { type: number } }
`;

/** Asked from there, with the authority of the collector pinned. */
const ASK = `
const { readFileSync } = require('node:fs');
const token = readFileSync('${TOKEN_FILE}', 'utf8').trim();
fetch('https://127.0.0.1:8080' + process.argv[1], { headers: { authorization: 'Bearer ' + token } })
  .then(async (answer) => { console.log(await answer.text()); process.exit(answer.ok ? 0 : 1); });
`;

class Plant {
  readonly machine: DebianMachine;
  constructor(machine: DebianMachine) {
    this.machine = machine;
  }

  get<T>(path: string): T {
    const node = '/usr/lib/fms-collector/bin/node';
    const authority = 'NODE_EXTRA_CA_CERTS=/var/lib/fms-collector/ca/authority.crt';
    return JSON.parse(this.machine.must('env', authority, node, '-e', ASK, path)) as T;
  }

  /** Of the counting device, as the store has them. */
  values(): number[] {
    const range = `from=0&to=${Date.UTC(2100, 0, 1)}&limit=10000`;
    const path = `/api/v1/readings?site=plant&device=${DEVICE}&${range}`;
    return this.get<{ items: { value: number }[] }>(path).items.map(({ value }) => value);
  }

  buffered(): number {
    const status = JSON.parse(this.machine.must('fms-agent', 'status', '--json')) as {
      buffer: { readings: number };
    };
    return status.buffer.readings;
  }

  async until(what: string, isSo: () => boolean): Promise<void> {
    const endMs = performance.now() + WAIT_MS;
    let last: unknown;
    while (performance.now() < endMs) {
      try {
        if (isSo()) return;
      } catch (error) {
        last = error;
      }
      await delay(250);
    }
    const said = ['fms-agent', 'fms-collector'].map((unit) =>
      this.machine.journal(unit).slice(-3000),
    );
    throw new Error(`not in time: ${what}\n${last}\n${said.join('\n')}`);
  }

  /** Files of the agent's data folder that hold the word. */
  filesWith(word: string): string[] {
    const folder = this.machine.path('/var/lib/fms-agent');
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, name))
      .filter((path) => statSync(path).isFile())
      .filter((path) => readFileSync(path).includes(word));
  }
}

t.test('from dpkg -i to purge', { skip }, async (t) => {
  const work = mkdtempSync(join(tmpdir(), 'fms-proof-'));
  t.teardown(() => rmSync(work, { recursive: true, force: true }));
  const agentDeb = packagedAgent().deb;
  const collectorDeb = packagedCollector();
  const machine = await DebianMachine.boot();
  t.teardown(() => machine.close());
  const plant = new Plant(machine);
  const device = machine.beside(process.execPath, COUNTING_DEVICE, '9872');
  const deviceEnded = once(device, 'exit');
  t.teardown(async () => {
    device.kill('SIGKILL');
    await deviceEnded;
  });
  await once(device.stdout!, 'data');
  const beganMs = performance.now();

  await t.test('installed, they run as their units say', async (t) => {
    const debs = [
      machine.bring(agentDeb, 'agent.deb'),
      machine.bring(collectorDeb, 'collector.deb'),
    ];
    const { status, stdout, stderr } = machine.run('dpkg', '-i', ...debs);
    t.equal(status, 0, stderr);
    t.match(stdout, /fms-collector is installed\. Next:[\s\S]*1\.[\s\S]*2\.[\s\S]*3\./);
    t.match(stdout, /fms-agent check/);
    for (const unit of ['fms-agent', 'fms-collector'])
      t.equal(machine.run('systemctl', 'is-active', unit).stdout.trim(), 'active', unit);
    await plant.until('the first password is said', () =>
      machine.journal('fms-collector').includes('first start: log in as admin with the password'),
    );
    t.equal(machine.shell(`stat -c '%U %a' /var/lib/fms-collector`).stdout, 'fms-collector 700\n');
    t.equal(machine.run('fms-collector', 'check').status, 0);
    t.equal(machine.run('systemctl', 'reload', 'fms-collector').status, 0);
    const listening = machine.shell('cat /proc/net/tcp /proc/net/tcp6').stdout;
    const ports = [...listening.matchAll(/:([0-9A-F]{4}) 0{8,32}:0000 0A/g)].map((m) =>
      Number.parseInt(m[1] ?? '', 16),
    );
    t.same(
      [...new Set(ports)].filter((port) => [8080, 8883].includes(port)).sort(),
      [8080, 8883],
      'pages and gateways',
    );
    t.notOk(ports.includes(1883), 'nothing takes readings without TLS');
  });

  await t.test(
    'a gateway with an older buffer enrols; what it had and what it reads arrives',
    async (t) => {
      machine.must('systemctl', 'stop', 'fms-agent');
      const data = machine.path('/var/lib/fms-agent');
      machine.must('sh', '-c', 'rm -f /var/lib/fms-agent/buffer*');
      for (const name of ['buffer.sqlite', 'buffer.sqlite-wal'])
        cpSync(join(GOLDEN, name), join(data, name));
      machine.must('sh', '-c', 'chown fms-agent: /var/lib/fms-agent/*');
      t.not(plant.filesWith('D01').length, 0, 'in a file of before everybody reads along');
      machine.must('sh', '-c', `cat >/etc/fms-agent/conf.d/devices.yaml <<'END'\n${CONF}END`);
      machine.must('systemctl', 'start', 'fms-agent');

      const added = machine.must('fms-collector', 'gateway', 'add', 'plant/gw1');
      const [token = ''] = /fms-gw1\.\S+/.exec(added) ?? [];
      t.not(token, '');
      machine.must('fms-agent', 'enroll', 'mqtts://127.0.0.1', token);
      const again = machine.run('fms-agent', 'enroll', 'mqtts://127.0.0.1', token);
      t.not(again.status, 0, 'a token is used once');
      await plant.until('a reading is on the API', () => plant.values().length > 0);
      t.comment(`dpkg -i to the first reading: ${Math.round(performance.now() - beganMs)} ms`);
      await plant.until('all is delivered', () => plant.buffered() < 20);
      const { items } = plant.get<{ items: { transport: string; certificate: unknown }[] }>(
        '/api/v1/gateways',
      );
      t.match(items, [{ transport: 'tls', certificate: { state: String } }]);
      const ledger = machine.must('fms-collector', 'ledger', '--epochs', '--json');
      t.ok(ledger.includes('f20c114185b66e0f'), 'the epoch of the older buffer is accounted for');
    },
  );

  await t.test(
    'both upgraded while readings wait: each arrives once, nothing is asked',
    async (t) => {
      machine.must('systemctl', 'stop', 'fms-collector');
      const yaml = '/etc/fms-agent/agent.yaml';
      machine.must('sh', '-c', `echo '# edited here' >>${yaml}`);
      machine.must('sh', '-c', "echo '# edited here' >>/etc/fms-collector/collector.yaml");
      machine.must('sh', '-c', 'umask 077; echo 1234 >/etc/fms-collector/secrets/smtp');
      await plant.until('a backlog', () => plant.buffered() > 30);
      t.same(plant.filesWith(DEVICE), [], 'what waits says nothing to who copies the disk');

      const later = [
        machine.bring(asVersion(agentDeb, LATER, work), 'agent-later.deb'),
        machine.bring(asVersion(collectorDeb, LATER, work), 'collector-later.deb'),
      ];
      for (const deb of later) {
        const { status, stdout, stderr } = machine.run('dpkg', '-i', deb);
        t.equal(status, 0, stderr);
        t.notMatch(`${stdout}${stderr}`, /Configuration file|\(Y\/I\/N\/O\/D\/Z\)/);
      }
      for (const name of ['fms-agent', 'fms-collector']) {
        const version = machine.must('dpkg-query', '-W', `-f=\${Version}`, name);
        t.equal(version, LATER);
      }
      t.match(machine.must('cat', yaml), /# edited here/);
      t.match(machine.must('cat', '/etc/fms-collector/collector.yaml'), /# edited here/);
      t.equal(machine.must('cat', '/etc/fms-agent/conf.d/devices.yaml'), CONF);

      const handed = '/run/credentials/fms-collector.service/secrets_smtp';
      t.equal(
        machine.must('stat', '-c', '%U %a', handed),
        'fms-collector 400\n',
        'a secret of root',
      );

      let before = 0;
      await plant.until('the store is there', () => {
        before = Math.max(...plant.values());
        return true;
      });
      await plant.until('the backlog is delivered', () => {
        const values = plant.values();
        return plant.buffered() < 20 && Math.max(...values) > before + 30;
      });
      machine.must('systemctl', 'stop', 'fms-agent');
      const { status, stdout } = machine.run('fms-collector', 'ledger', '--deep');
      t.equal(status, 0, stdout);
      const values = plant.values().toSorted((a, b) => a - b);
      t.equal(new Set(values).size, values.length, 'each once');
      // A question that was on its way when the agent was stopped has no number: at most one a stop.
      const missing = Math.max(...values) - (values[0] ?? 0) + 1 - values.length;
      t.ok(missing <= 2, `${missing} of ${values.length} are missing`);
    },
  );

  await t.test('removed, data and configuration stay; purged, all is gone', async (t) => {
    const names = ['fms-agent', 'fms-collector'];
    machine.must('dpkg', '--remove', ...names);
    const kept = names.flatMap((name) => [`/var/lib/${name}`, `/etc/${name}`]);
    for (const path of kept) t.ok(existsSync(machine.path(path)), `${path} stays`);
    t.ok(existsSync(machine.path('/var/lib/fms-collector/log.sqlite')));
    t.notOk(existsSync(machine.path('/usr/lib/fms-collector')));
    machine.must('dpkg', '--purge', ...names);
    for (const path of [...kept, '/etc/default/fms-collector', '/var/cache/fms-collector'])
      t.notOk(existsSync(machine.path(path)), `${path} is gone`);
    t.equal(machine.run('systemctl', 'is-active', ...names).stdout, 'inactive\ninactive\n');
  });
});
