import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { configError, formatMistake, loadConfig } from '../../../agent/config/config.ts';
import { listVariables } from '../../../agent/config/env.ts';
import { suggestion } from '../../../agent/config/mistakes.ts';
import { agentSchema, publishedSchema } from '../../../agent/config/schema.ts';
import type { AgentConfig } from '../../../agent/config/values.ts';
import { readers } from '../../../agent/readers/registry.ts';

const CASES = join(import.meta.dirname, '../../cases/agent-config');
const ROOT = join(import.meta.dirname, '../../..');

function load(folder: string, env: Record<string, string> = {}) {
  return loadConfig({ path: join(folder, 'agent.yaml'), env, readerTypes: readers });
}

function mistakesOf(folder: string, env: Record<string, string> = {}): string[] {
  const loaded = load(folder, env);
  if (loaded.ok) return [];
  return loaded.mistakes.map((mistake) => formatMistake(mistake).replaceAll(`${folder}/`, ''));
}

function configOf(folder: string, env: Record<string, string> = {}): AgentConfig {
  const loaded = load(folder, env);
  if (!loaded.ok) throw new Error(loaded.mistakes.map(formatMistake).join('\n'));
  return loaded.config;
}

const MINIMAL = {
  'agent.yaml':
    'site: demo\ngateway: gw1\ncollector: { url: "mqtt://127.0.0.1:1883", token: abc }\n',
};

for (const name of readdirSync(CASES)) {
  const folder = join(CASES, name);
  const files = readdirSync(folder);
  if (files.includes('expected.txt')) {
    t.test(`case ${name}: every mistake with its place, all at once`, async (t) => {
      const expected = readFileSync(join(folder, 'expected.txt'), 'utf8').trim().split('\n');
      t.same(mistakesOf(folder), expected);
    });
  } else {
    t.test(`case ${name}: defaults filled in, conf.d merged`, async (t) => {
      const expected: unknown = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));
      const config = configOf(folder);
      const devices = config.devices.map(({ fingerprint: _, report, ...device }) => ({
        ...device,
        report: Object.fromEntries(report),
      }));
      const plain = JSON.stringify({ ...config, devices }).replaceAll(folder, '.');
      t.same(JSON.parse(plain), expected);
    });
  }
}

t.test('agent/config.schema.json is the schema of the code', async (t) => {
  const file: unknown = JSON.parse(readFileSync(join(ROOT, 'agent/config.schema.json'), 'utf8'));
  const schema: unknown = JSON.parse(JSON.stringify(publishedSchema(readers)));
  t.same(file, schema, 'else: node agent/main.ts schema > agent/config.schema.json');
});

t.test('files that are not there', async (t) => {
  const folder = t.testdir({});
  const loaded = load(folder);
  t.notOk(loaded.ok);
  t.same(mistakesOf(folder), ['agent.yaml: cannot be read: it does not exist']);
  if (!loaded.ok) t.equal(configError(loaded.mistakes).code, 'AGENT_CONFIG_UNREADABLE');
  const other = t.testdir(MINIMAL);
  t.same(mistakesOf(other), []);
});

t.test('a folder in the place of a file', async (t) => {
  const folder = t.testdir({ ...MINIMAL, 'conf.d': { 'a.yaml': {}, 'b.txt': 'not read' } });
  t.same(mistakesOf(folder), ['conf.d/a.yaml: cannot be read: it is a folder']);
});

t.test('environment variables override, by their path', async (t) => {
  const folder = t.testdir(MINIMAL);
  const config = configOf(folder, {
    FMS_AGENT_SITE: 'plant2',
    FMS_AGENT_COLLECTOR__TOKEN: '12345',
    FMS_AGENT_BUFFER__MAX_BYTES: '5000000',
    FMS_AGENT_BUFFER__MAX_AGE_HOURS: '0.5',
    FMS_AGENT_STATUS__ENABLED: 'false',
    FMS_AGENT_LOG__LEVEL: 'debug',
    FMS_AGENT_MACHINE_ID: 'reserved',
    OTHER: 'x',
  });
  t.match(config, {
    site: 'plant2',
    collector: { token: '12345' },
    buffer: { maxBytes: 5_000_000, maxAgeMs: 1_800_000 },
    status: { enabled: false },
    log: { level: 'debug' },
  });
  t.same(
    mistakesOf(folder, {
      FMS_AGENT_BUFER__MAX_BYTES: '1',
      FMS_AGENT_STATUS__PORT: 'http',
      FMS_AGENT_COLLECTOR__URL: 'collector:1883',
      FMS_AGENT_LOG__LEVEL: '',
    }).sort(),
    [
      'FMS_AGENT_BUFER__MAX_BYTES: this variable sets nothing; did you mean FMS_AGENT_BUFFER__MAX_BYTES?',
      'FMS_AGENT_COLLECTOR__URL: "collector.url" must begin with mqtt:// or mqtts://, not collector://',
      'FMS_AGENT_LOG__LEVEL: "log.level" must be one of debug, info, warn, error',
      'FMS_AGENT_STATUS__PORT: "status.port" must be a whole number, not "http"',
    ].sort(),
  );
  t.ok(listVariables(agentSchema).size > 20, 'every single value has its variable');
});

t.test('a token from the environment wins over a token file', async (t) => {
  const folder = t.testdir({
    'agent.yaml': 'site: a\ngateway: b\ncollector: { url: "mqtt://h", token_file: /run/none }\n',
  });
  t.equal(configOf(folder, { FMS_AGENT_COLLECTOR__TOKEN: 'x' }).collector.token, 'x');
  t.same(mistakesOf(folder), [
    'agent.yaml:3:43: the file /run/none cannot be read: it does not exist',
  ]);
});

t.test('no mistake ever tells a token', async (t) => {
  const folder = t.testdir({
    'agent.yaml': 'site: a\ngateway: b\ncollector: { url: "mqtt://h", token: 987654321 }\n',
  });
  t.same(mistakesOf(folder), ['agent.yaml:3:38: "collector.token" must be text']);
});

t.test('urls', async (t) => {
  const faultOf = (url: string): string | undefined =>
    mistakesOf(
      t.testdir({
        'agent.yaml': `site: a\ngateway: b\ncollector:\n  token: t\n  url: ${JSON.stringify(url)}\n`,
      }),
    )[0];
  for (const good of ['mqtt://h', 'mqtt://h:1', 'mqtts://[::1]:8883', 'mqtt://h/']) {
    t.equal(faultOf(good), undefined, good);
  }
  for (const [url, fault] of [
    ['', /must not be empty/],
    ['nonsense', /must be a URL like mqtt:/],
    ['http://h', /must begin with mqtt/],
    ['mqtt://', /host|URL/],
    ['mqtt://h/path', /must end after the port/],
    ['mqtt://u:p@h', /must not hold a user/],
    ['mqtt://h:99999', /URL/],
  ] as const) {
    t.match(faultOf(url), fault, url);
    t.match(faultOf(url), /^agent.yaml:5:8: /);
  }
});

t.test('names have a limit in bytes', async (t) => {
  const long = '공'.repeat(60);
  const folder = t.testdir({
    'agent.yaml': `site: ${long}
gateway: gw1
collector: { url: "mqtt://h", token: abc }
devices:
  - name: ${long}
    reader: http
    http: { url: "http://h/" }
    channels: { ${long}: {} }
`,
  });
  t.same(mistakesOf(folder), [
    'agent.yaml:1:7: "site" must have at most 128 bytes in UTF-8',
    "agent.yaml:5:11: a device's name must have at most 128 bytes in UTF-8",
    "agent.yaml:8:17: a channel's name must have at most 128 bytes in UTF-8",
  ]);
});

t.test("a reader's own checks are pointed at their place", async (t) => {
  const folder = t.testdir({
    'agent.yaml': `site: demo
gateway: gw1
collector: { url: "mqtt://h", token: abc }
devices:
  - name: D1
    reader: http
    http:
      url: http://h/
      time_zone: Asia/Seul
    channels: { a: {} }
`,
  });
  const [mistake] = mistakesOf(folder);
  t.match(mistake, /^agent.yaml:9:18: .*Asia\/Seul/);
});

t.test('the fingerprint changes exactly with the device', async (t) => {
  const text = (interval: number) => `${MINIMAL['agent.yaml']}devices:
  - { name: a, reader: http, interval_ms: ${interval}, http: { url: "http://h/" }, channels: { x: {} } }
  - { name: b, reader: http, http: { url: "http://h/" }, channels: { x: {} } }
`;
  const folder = t.testdir({ 'agent.yaml': text(1000) });
  const prints = (): string[] => configOf(folder).devices.map(({ fingerprint }) => fingerprint);
  const [a, b] = prints();
  t.same(prints(), [a, b], 'the same when read again');
  writeFileSync(join(folder, 'agent.yaml'), `# moved\n${text(2000)}`);
  const [changed, same] = prints();
  t.not(changed, a);
  t.equal(same, b);
});

t.test('suggestions are near, or none', async (t) => {
  const known = ['interval_ms', 'jitter_ms', 'retries'];
  t.equal(suggestion('intervall_ms', known), 'interval_ms');
  t.equal(suggestion('intervalMs', known), 'interval_ms');
  t.equal(suggestion('INTERVAL-MS', known), 'interval_ms');
  t.equal(suggestion('retry', known), undefined);
  t.equal(suggestion('zzz', known), undefined);
});
