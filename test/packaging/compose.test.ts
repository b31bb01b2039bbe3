/**
 * The compose file of a plant and what it mounts: each file is read by the program that it is for, where that can be
 * had. Docker itself runs nowhere here.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { fmsCollector } from '../support/collector-process.ts';
import { COMPOSE, composePlant } from '../support/compose-plant.ts';
import { containerTool, whyWithout } from '../support/container-tools.ts';
import { findProgram, whyNotWithout } from '../support/programs.ts';

const ROOT = join(import.meta.dirname, '../..');
const NAMES = ['collector.plant.example', '192.0.2.10'];
t.setTimeout(1_200_000);

interface Service {
  image: string;
  build?: { context: string; dockerfile?: string };
  user?: string;
  read_only?: boolean;
  cap_drop?: string[];
  cap_add?: string[];
  privileged?: boolean;
  security_opt?: string[];
  restart?: string;
  logging?: { options: Record<string, string> };
  healthcheck?: { test: string[] };
  deploy?: { resources: { limits: { cpus?: number; memory?: string; pids?: number } } };
  ports?: { target: number; published: string }[];
  networks: Record<string, unknown>;
  volumes?: { type: string; source: string; target: string; read_only?: boolean }[];
  secrets?: { source: string }[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
}

interface Project {
  services: Record<string, Service>;
  networks: Record<string, { internal?: boolean }>;
  secrets: Record<string, { file?: string; environment?: string }>;
}

const { folder: plant, secret, init } = composePlant(t);
const initSkip = whyNotWithout('openssl');

t.test('init.sh makes what nobody else may have, once', { skip: initSkip }, async (t) => {
  t.equal(init().status, 2, 'a name is needed');
  for (const name of ['a b', 'a"b', "a'; rm -rf /", 'x,DNS:y', '-x', ''])
    t.equal(init(name).status, 2, name);
  t.notOk(existsSync(join(plant, 'secrets')), 'nothing was made yet');

  t.equal(init(...NAMES).status, 0);
  t.equal(statSync(join(plant, 'secrets')).mode & 0o777, 0o700, 'only its owner enters');
  const files = readdirSync(join(plant, 'secrets')).sort();
  const before = files.map(secret);
  t.ok(files.every((name) => (statSync(join(plant, 'secrets', name)).mode & 0o777) === 0o444));
  const passwords = files.filter((name) => name.endsWith('_password')).map(secret);
  t.equal(passwords.length, 4);
  t.equal(new Set(passwords).size, passwords.length, 'each of its own');
  for (const password of passwords) t.match(password, /^[0-9a-f]{48}$/);
  t.match(secret('kafka_jaas.conf'), `user_fms="${secret('kafka_password')}"`);
  const hash = createHash('sha256').update(secret('clickhouse_password')).digest('hex');
  t.match(secret('clickhouse_users.xml'), hash);
  t.notMatch(secret('clickhouse_users.xml'), secret('clickhouse_password'), 'hashes only');

  const authority = new X509Certificate(secret('ca.crt'));
  const shown = new X509Certificate(secret('grafana.crt'));
  t.ok(authority.ca && authority.checkIssued(authority));
  t.ok(shown.verify(authority.publicKey) && shown.checkIssued(authority) && !shown.ca);
  t.ok(shown.checkHost('collector.plant.example') && shown.checkIP('192.0.2.10'));

  const again = init('another.example');
  t.equal(again.status, 0);
  t.same(files.map(secret), before, 'what is there stays');
  t.match(readFileSync(join(plant, 'config/collector.yaml'), 'utf8'), '192.0.2.10');
  rmSync(join(plant, 'secrets/grafana.crt'));
  t.equal(init(...NAMES).status, 0, 'a certificate that is missing or ends soon is made anew');
  t.ok(new X509Certificate(secret('grafana.crt')).verify(authority.publicKey));
});

t.test('the collectors take their configuration', { skip: initSkip }, async (t) => {
  const folder = t.testdir({ data: {} });
  const text = readFileSync(join(plant, 'config/collector.yaml'), 'utf8')
    .replaceAll('/run/secrets/', `${plant}/secrets/`)
    .replace('/var/lib/fms-collector', join(folder, 'data'));
  const file = join(folder, 'collector.yaml');
  writeFileSync(file, text);
  for (const components of ['intake', 'process,write,serve']) {
    const { code, output } = await fmsCollector(
      t,
      'check',
      '--config',
      file,
      '--components',
      components,
    );
    t.equal(code, 0, `${components} may run`);
    t.match(output, /Kafka at kafka:9092/);
  }
  writeFileSync(file, `${text}\nnonsense: 1\n`);
  t.equal((await fmsCollector(t, 'check', '--config', file)).code, 2, 'it finds mistakes');
});

const compose = containerTool('docker-compose');
t.test(
  "docker compose's own reading of it",
  { skip: whyWithout(compose) || initSkip },
  async (t) => {
    const project = composeConfig(compose.path, plant);
    const { services } = project;
    t.same(Object.keys(services).sort(), [
      'alertmanager',
      'clickhouse',
      'collector',
      'grafana',
      'intake',
      'kafka',
      'prometheus',
    ]);
    for (const [name, service] of Object.entries(services)) checkService(t, name, service);

    const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map(({ target }) => `${name}:${target}`),
    );
    t.same(
      published.sort(),
      ['collector:8080', 'grafana:3000', 'intake:8883'],
      'nothing else is reached',
    );
    const isInternal = (name: string): boolean => project.networks[name]?.internal === true;
    for (const name of ['kafka', 'clickhouse', 'prometheus'])
      t.ok(Object.keys(services[name]?.networks ?? {}).every(isInternal), `${name} is behind`);
    const reached = Object.keys(services.intake?.networks ?? {}).sort();
    t.same(reached, ['edge', 'log', 'monitoring'], 'gateways come no further than intake');
    for (const [name, { file }] of Object.entries(project.secrets))
      t.equal(file, join(plant, 'secrets', name));
    t.same(
      Object.keys(project.secrets).sort(),
      readdirSync(join(plant, 'secrets')).sort(),
      'init.sh makes exactly the secrets that are asked for',
    );
    for (const name of ['intake', 'collector'])
      t.equal(services[name]?.depends_on?.kafka?.condition, 'service_healthy');

    const sources = readFileSync(
      join(ROOT, 'collector/grafana/provisioning/datasources/fms.yaml'),
      'utf8',
    );
    const wanted = new Set(sources.match(/\$FMS_[A-Z_]+/g)?.map((name) => name.slice(1)));
    wanted.delete('FMS_CLICKHOUSE_PASSWORD');
    const given = services.grafana?.environment ?? {};
    for (const name of [...wanted, 'FMS_DASHBOARDS']) t.ok(given[name], `Grafana knows ${name}`);

    writeFileSync(join(plant, 'bad.yaml'), 'services: {intake: {read_onyl: true}}\n');
    t.throws(
      () => composeConfig(compose.path, plant, 'bad.yaml'),
      /read_onyl/,
      'it finds mistakes',
    );
  },
);

function composeConfig(program: string, folder: string, ...more: string[]): Project {
  const files = ['compose.yaml', ...more].flatMap((file) => ['-f', file]);
  const args = ['--project-directory', folder, ...files, 'config', '--format', 'json'];
  const env = { PATH: process.env.PATH ?? '', HOME: folder };
  const text = execFileSync(program, args, { cwd: folder, env, encoding: 'utf8', stdio: 'pipe' });
  return JSON.parse(text) as Project;
}

function checkService(t: Test, name: string, service: Service): void {
  t.equal(service.read_only, true, `${name}: read-only`);
  t.same(service.cap_drop, ['ALL'], `${name}: no capabilities`);
  t.notOk(service.cap_add || service.privileged);
  t.same(service.security_opt, ['no-new-privileges:true']);
  t.match(service.user, /^[1-9]\d*:\d+$/, `${name}: not root`);
  t.equal(service.restart, 'unless-stopped');
  t.ok(service.logging?.options['max-size'] && service.logging.options['max-file']);
  t.ok(service.healthcheck?.test.length, `${name}: a health check`);
  const { memory, cpus, pids } = service.deploy?.resources.limits ?? {};
  t.ok(memory && cpus && pids, `${name}: bounded`);
  t.match(service.image, /^[a-z0-9./-]+:v?\d+\.\d+\.\d+(-[a-z]+)?$/, `${name}: a whole version`);
  for (const [key, value] of Object.entries(service.environment ?? {}))
    if (/PASSWORD|SECRET|TOKEN|KEY$/.test(key)) t.match(value, /^\//, `${name}: ${key} is a file`);
  for (const volume of service.volumes ?? []) {
    if (volume.type !== 'bind') continue;
    t.equal(volume.read_only, true, `${name}: ${volume.target} is read only`);
    t.notMatch(volume.source, /docker\.sock/);
  }
}

const hadolint = containerTool('hadolint');
t.test("Grafana's Dockerfile", { skip: whyWithout(hadolint) }, async (t) => {
  const file = join(COMPOSE, 'grafana/Dockerfile');
  t.equal(spawnSync(hadolint.path, [file], { encoding: 'utf8' }).stdout, '');
});

t.test(
  'Prometheus and Alertmanager take theirs',
  { skip: whyNotWithout('promtool', 'amtool') },
  async (t) => {
    const folder = t.testdir({ rules: {} });
    cpSync(join(ROOT, 'collector/grafana/prometheus/rules'), join(folder, 'rules'), {
      recursive: true,
    });
    mkdirSync(join(plant, 'secrets'), { recursive: true });
    const text = readFileSync(join(COMPOSE, 'prometheus/prometheus.yml'), 'utf8');
    const authority = join(folder, 'ca.crt');
    writeFileSync(authority, initSkip ? '' : secret('ca.crt'));
    writeFileSync(join(folder, 'prometheus.yml'), text.replace('/run/secrets/ca.crt', authority));
    const promtool = (file: string) => run('promtool', 'check', 'config', join(folder, file));
    const checked = promtool('prometheus.yml');
    t.equal(checked.status, 0, checked.output);
    t.match(checked.output, /rule files found/);
    const amtool = run('amtool', 'check-config', join(COMPOSE, 'alertmanager/alertmanager.yml'));
    t.equal(amtool.status, 0, amtool.output);
    writeFileSync(join(folder, 'bad.yml'), `${text}\nnonsense: 1\n`);
    t.not(promtool('bad.yml').status, 0, 'it finds mistakes');
  },
);

t.test("ClickHouse's users", { skip: whyNotWithout('python3') }, async (t) => {
  const script = `import json, sys, xml.etree.ElementTree as tree
roots = [tree.parse(name).getroot() for name in sys.argv[1:]]
print(json.dumps([{"root": r.tag, "users": [u.tag for u in r.findall("users/*")],
  "profiles": [p.tag for p in r.findall("profiles/*")], "uses": [p.text for p in r.findall("users/*/profile")],
  "grants": [q.text for q in r.findall(".//query")]} for r in roots]))`;
  const files = ['clickhouse/config.xml', 'clickhouse/users.xml'].map((name) =>
    join(COMPOSE, name),
  );
  const made = initSkip ? [] : [join(plant, 'secrets/clickhouse_users.xml')];
  const { status, output } = run('python3', '-c', script, ...files, ...made);
  t.equal(status, 0, output);
  const [config, users, passwords] = JSON.parse(output) as Record<string, string[]>[];
  t.match([config, users], [{ root: 'clickhouse' }, { root: 'clickhouse' }]);
  t.same(users?.users, ['default', 'fms', 'grafana']);
  t.same(users?.uses, users?.profiles, 'each user has its profile');
  if (passwords) t.same(passwords.users, ['fms', 'grafana'], 'and its password');
  const { query } = await import('chdb');
  const grants = users?.grants ?? [];
  t.ok(grants.length > 7);
  for (const grant of grants) {
    const whole = `${grant} TO somebody`.replaceAll("'", "\\'");
    t.match(String(query(`SELECT formatQuery('${whole}')`, 'TSV')), /GRANT/, grant);
  }
});

function run(program: string, ...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(findProgram(program) ?? program, args, {
    encoding: 'utf8',
  });
  return { status, output: `${stdout}${stderr}` };
}
