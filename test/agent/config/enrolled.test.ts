/** The configuration of a gateway that is enrolled, has a certificate from elsewhere, or several files. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { formatMistake, loadConfig, loadEnrolmentSettings } from '../../../agent/config/config.ts';
import type { AgentConfig } from '../../../agent/config/values.ts';
import { writeIdentity } from '../../../agent/identity/files.ts';
import { makeKey, publicKeyOf } from '../../../agent/identity/keys.ts';
import { readers } from '../../../agent/readers/registry.ts';
import { SmallAuthority } from '../../support/small-authority.ts';

const authority = await SmallAuthority.make();
const key = await makeKey();
const certificate = await authority.gateway('plant/gw', publicKeyOf(key));
const enrolment = { url: 'mqtts://collector.plant:8883', site: 'plant', gateway: 'gw' };

/** Files by name; `enrolled`: an identity in ./data. */
function load(
  test: Pick<typeof t, 'testdir'>,
  files: Record<string, string>,
  { enrolled = false, env = {} }: { enrolled?: boolean; env?: Record<string, string> } = {},
): { config: AgentConfig | undefined; mistakes: string[]; folder: string } {
  const folder = test.testdir({});
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  if (enrolled) {
    writeIdentity(join(folder, 'data'), { enrolment, ca: authority.pem, certificate, key });
  }
  const loaded = loadConfig({ path: join(folder, 'agent.yaml'), env, readerTypes: readers });
  if (loaded.ok) return { config: loaded.config, mistakes: [], folder };
  const mistakes = loaded.mistakes.map((mistake) =>
    formatMistake(mistake).replaceAll(`${folder}/`, ''),
  );
  return { config: undefined, mistakes, folder };
}

const DEVICE = '{ name: D01, reader: http, http: { url: "http://h/" }, channels: { v: {} } }';

t.test('enrolled: the file may leave out who and where', async (t) => {
  const { config, mistakes } = load(t, { 'agent.yaml': 'data_dir: ./data\n' }, { enrolled: true });
  t.same(mistakes, []);
  t.match(config, {
    site: 'plant',
    gateway: 'gw',
    collector: { url: enrolment.url, token: undefined, isEnrolled: true },
  });
  t.test('and say the same, or where the collector is now', async (t) => {
    const text =
      'data_dir: ./data\nsite: plant\ngateway: gw\ncollector: { url: "mqtts://new:1" }\n';
    const { config } = load(t, { 'agent.yaml': text }, { enrolled: true });
    t.match(config, { site: 'plant', collector: { url: 'mqtts://new:1', isEnrolled: true } });
  });
});

t.test('enrolled, and the file says otherwise', async (t) => {
  const text = `data_dir: ./data
site: other
gateway: gw
collector:
  url: mqtt://collector.plant:1883
  token: abc
  ca_file: ca.pem
`;
  const { mistakes } = load(t, { 'agent.yaml': text }, { enrolled: true });
  t.equal(mistakes.length, 4, mistakes.join('\n'));
  t.match(mistakes[0], /^agent\.yaml:2:7: "site" .*enrolled as plant\/gw/);
  t.match(mistakes[1], /^agent\.yaml:5:8: "collector\.url" .*TLS only/);
  t.match(mistakes[2], /^agent\.yaml:6:3: "collector\.token" .*remove this line/);
  t.match(mistakes[3], /^agent\.yaml:7:3: "collector\.ca_file"/);
  t.notMatch(mistakes.join(), /abc/, 'no mistake tells a token');
  t.test('by the environment: the variable is named', async (t) => {
    const env = { FMS_AGENT_SITE: 'other', FMS_AGENT_COLLECTOR__TOKEN: 'abc' };
    const { mistakes } = load(t, { 'agent.yaml': 'data_dir: ./data\n' }, { enrolled: true, env });
    t.match(mistakes.join('\n'), /FMS_AGENT_SITE: "site"/);
    t.match(mistakes.join('\n'), /FMS_AGENT_COLLECTOR__TOKEN: "collector\.token"/);
  });
});

t.test('not enrolled: one mistake says what to do', async (t) => {
  const { mistakes } = load(t, { 'agent.yaml': 'data_dir: ./data\n' });
  t.equal(mistakes.length, 1);
  t.match(mistakes[0], /^agent\.yaml:1:1: this gateway is not enrolled: run `fms-agent enroll/);
});

t.test('an identity that cannot be read', async (t) => {
  const files = { 'agent.yaml': 'data_dir: ./data\n', 'data/identity/enrolment.json': '{' };
  t.match(load(t, files).mistakes[0], /identity: cannot be read: AGENT_IDENTITY_UNUSABLE/);
});

t.test('a certificate from elsewhere', async (t) => {
  const base = 'site: plant\ngateway: gw\ncollector:\n';
  const files = { 'cert.pem': certificate, 'key.pem': key, 'other.pem': await makeKey() };
  const mistakesOf = (collector: string): string[] =>
    load(t, { ...files, 'agent.yaml': `${base}${collector}` }).mistakes;
  const { config } = load(t, {
    ...files,
    'agent.yaml': `${base}  { url: "mqtts://h", cert_file: cert.pem, key_file: key.pem }\n`,
  });
  t.same(config?.collector.own, { cert: certificate, key });
  t.equal(config?.collector.token, undefined, 'no token is needed');
  t.match(mistakesOf('  { url: "mqtts://h", cert_file: cert.pem }\n'), [/needs "key_file"/]);
  t.match(mistakesOf('  { url: "mqtts://h", key_file: key.pem }\n'), [/needs "cert_file"/]);
  t.match(mistakesOf('  { url: "mqtt://h", cert_file: cert.pem, key_file: key.pem }\n'), [
    /with TLS only/,
  ]);
  t.match(mistakesOf('  { url: "mqtts://h", cert_file: cert.pem, key_file: other.pem }\n'), [
    /agent\.yaml:4:\d+: the key is not that of cert\.pem/,
  ]);
  t.match(mistakesOf('  { url: "mqtts://h", cert_file: key.pem, key_file: key.pem }\n'), [
    /must be a certificate and its key/,
  ]);
});

t.test('conf.d: any section, later files win by key, every mistake with its place', async (t) => {
  const base = `site: plant
gateway: gw
collector: { url: "mqtt://first", token: abc }
buffer: { max_bytes: 2000000, max_age_hours: 5 }
devices: [${DEVICE}]
`;
  const { config, mistakes, folder } = load(t, {
    'agent.yaml': base,
    'conf.d/10-a.yaml': 'collector: { url: "mqtt://second" }\nbuffer: { max_age_hours: 6 }\n',
    'conf.d/20-b.yaml': `buffer: { max_age_hours: 7 }\ndata_dir: ./d\ndevices: [${DEVICE.replace('D01', 'D02')}]\n`,
    'conf.d/30-empty.yaml': '# all comments\n',
  });
  t.same(mistakes, []);
  t.match(config, {
    collector: { url: 'mqtt://second', token: 'abc' },
    buffer: { maxBytes: 2_000_000, maxAgeMs: 7 * 3_600_000 },
    devices: [{ name: 'D01' }, { name: 'D02' }],
    dataDir: join(folder, 'conf.d/d'),
  });
  t.test('mistakes', async (t) => {
    const { mistakes } = load(t, {
      'agent.yaml': base,
      'conf.d/10-a.yaml': 'buffer: { max_bytes: 1 }\nstatus:\n  prt: 5\n',
      'conf.d/20-b.yaml': 'buffer: { max_bytes: 3000000 }\nlog: { level: loud }\n',
      'conf.d/30-c.yaml': 'collector:\n  token_file: nowhere\n',
    });
    t.match(mistakes, [
      /^conf\.d\/10-a\.yaml:1:22: "buffer\.max_bytes" must be at least/,
      /^conf\.d\/10-a\.yaml:3:3: unknown key "prt" in "status"/,
      /^conf\.d\/20-b\.yaml:2:15: "log\.level" must be one of/,
      /^conf\.d\/30-c\.yaml:2:3: give "token" or "token_file", not both/,
    ]);
  });
  t.test('the environment wins over all, and its mistakes name it', async (t) => {
    const files = { 'agent.yaml': base, 'conf.d/a.yaml': 'status: { port: 1000 }\n' };
    const env = { FMS_AGENT_STATUS__PORT: '2000' };
    t.equal(load(t, files, { env }).config?.status.port, 2_000);
    const wrong = { FMS_AGENT_STATUS__PORT: '200000' };
    t.match(load(t, files, { env: wrong }).mistakes, [/^FMS_AGENT_STATUS__PORT: "status\.port"/]);
  });
  t.test('a key that is no key of ours', async (t) => {
    const files = { 'agent.yaml': base, 'conf.d/a.yaml': '"__proto__": { x: 1 }\n' };
    t.match(load(t, files).mistakes, [/unknown key "__proto__"/]);
    t.equal(({} as { x?: unknown }).x, undefined);
  });
});

t.test('what an enrolment needs to know', async (t) => {
  const folder = t.testdir({
    'agent.yaml': 'data_dir: ./d\nsite: plant\ndevices: [{ name: "", reader: nothing }]\n',
  });
  const options = { path: join(folder, 'agent.yaml'), env: {}, readerTypes: readers };
  const loaded = loadEnrolmentSettings(options);
  if (!loaded.ok) throw new Error('a device with mistakes must not keep a gateway from enrolling');
  t.match(loaded.settings, { dataDir: join(folder, 'd'), site: 'plant', gateway: undefined });
  t.same(loaded.settings.contradictionsOf(enrolment), []);
  const others = loaded.settings.contradictionsOf({ ...enrolment, site: 'elsewhere' });
  t.match(others.map(formatMistake), [/agent\.yaml:2:7: "site"/]);
  t.same(loaded.settings.contradictionsOf(enrolment), [], 'asking changes nothing');
  writeFileSync(options.path, 'a: [');
  t.equal(loadEnrolmentSettings(options).ok, false);
});
