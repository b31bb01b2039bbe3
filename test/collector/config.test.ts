import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { check } from '../../collector/commands/check.ts';
import schema from '../../collector/config.schema.json' with { type: 'json' };
import { ConfigInvalid, loadConfig } from '../../collector/config.ts';
import { envVariables } from '../../collector/config_env.ts';
import { sha256 } from '../../collector/config_gateways.ts';
import { gatewayDirectory } from '../../collector/gateways.ts';

function fileWith(t: Test, text: string, more: Record<string, string> = {}): string {
  return join(t.testdir({ 'collector.yaml': text, ...more }), 'collector.yaml');
}

function mistakesOf(file: string, env = {}): string[] {
  try {
    loadConfig(file, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigInvalid)) throw error;
    return error.mistakes.map((line) => line.replace(`${file}:`, ''));
  }
}

t.test('an empty file is a collector with all defaults', async (t) => {
  const file = fileWith(t, '');
  const config = loadConfig(file);
  t.match(config, {
    mqtt: { host: '127.0.0.1', port: 1883, maxConnections: 20_000 },
    http: { host: '127.0.0.1', port: 8080, allowedHosts: [] },
    log: { partitions: 1, maxBytes: 10_737_418_240, retentionHours: 168 },
    store: { retentionDays: 365 },
    gateways: [],
  });
  t.equal(config.dataDir, join(file, '../collector'), 'beside the file');
  t.match(config.channels.get('sensor1'), { unit: '°C' }, 'FMS channels are known');
});

t.test('tokens in three ways, sites, channels', async (t) => {
  const hash = sha256('third-token').toString('hex');
  const file = fileWith(
    t,
    `data_dir: /srv/fms
sites: { demo: { time_zone: Asia/Seoul, day_start: "06:30" }, 서울: {} }
channels: { temp: { unit: K, decimals: 1, attention_when: 7 } }
gateways:
  - { site: demo, gateway: gw1, token: first-token }
  - { site: demo, gateway: gw2, token_file: token.txt }
  - { site: 서울, gateway: gw3, token_sha256: ${hash.toUpperCase()} }
`,
    { 'token.txt': ' second-token\n' },
  );
  const config = loadConfig(file);
  t.equal(config.dataDir, '/srv/fms');
  t.same(config.sites.get('demo'), { timeZone: 'Asia/Seoul', dayStart: '06:30' });
  t.same(config.sites.get('서울'), { timeZone: 'UTC', dayStart: '00:00' });
  t.match(config.channels.get('temp'), { unit: 'K', decimals: 1, attentionWhen: 7 });
  const directory = gatewayDirectory(config.gateways);
  t.same(directory.authenticate('demo/gw1', 'first-token'), { site: 'demo', gateway: 'gw1' });
  t.same(directory.authenticate('demo/gw2', 'second-token'), { site: 'demo', gateway: 'gw2' });
  t.same(directory.authenticate('서울/gw3', 'third-token'), { site: '서울', gateway: 'gw3' });
  t.equal(directory.authenticate('demo/gw1', 'second-token'), undefined, 'another one’s token');
  t.equal(directory.authenticate('demo/gw9', 'first-token'), undefined, 'unknown gateway');
  t.equal(directory.authenticate('demo/gw9', ''), undefined);
});

t.test('every mistake at once, in the order of the lines', async (t) => {
  const file = fileWith(
    t,
    `mqtt: { port: 99999 }
http:
  port: "eighty"
  hots: 127.0.0.1
log: { max_bytes: 1048576, partitions: 0 }
sites:
  demo: { time_zone: Mars/Olympus, day_start: 6 }
  "a/b": {}
gateways:
  - { site: demo }
  - { site: demo, gateway: gw1, token_sha256: abc }
nonsense: 1
`,
  );
  const mistakes = mistakesOf(file);
  t.same(
    mistakes.map((line) => Number(line.split(':')[0])),
    [1, 3, 4, 5, 7, 7, 8, 10, 11, 12],
  );
  for (const part of ['mqtt.port', 'unknown key "hots"', 'Mars/Olympus', '"gateway" is missing'])
    t.ok(
      mistakes.some((line) => line.includes(part)),
      part,
    );
});

t.test('mistakes that no schema finds', async (t) => {
  const file = fileWith(
    t,
    `mqtt: { port: 8080 }
log: { max_bytes: 2000000, retention_bytes: 3000000 }
gateways:
  - { site: demo, gateway: gw1, token: first-token }
  - { site: demo, gateway: gw1, token: other-token }
  - { site: demo, gateway: gw2 }
  - { site: demo, gateway: gw3, token: one-of-two-tokens, token_file: x }
  - { site: demo, gateway: gw4, token_file: nowhere.txt }
  - { site: demo, gateway: gw5, token_file: short.txt }
http: { port: 8080 }
`,
    { 'short.txt': 'abc\n' },
  );
  const mistakes = mistakesOf(file);
  t.same(
    mistakes.map((line) => Number(line.split(':')[0])),
    [2, 5, 6, 7, 8, 9, 10],
  );
  t.notOk(mistakes.join().includes('one-of-two-tokens'), 'no token is ever printed');
});

t.test('the ClickHouse interface is off unless it is asked for', async (t) => {
  t.equal(loadConfig(fileWith(t, '')).clickhouseHttp, undefined);
  const given = loadConfig(fileWith(t, 'clickhouse_http: {}\n'));
  t.same(given.clickhouseHttp, { host: '127.0.0.1', port: 8123 });
  const onTaken = mistakesOf(fileWith(t, 'clickhouse_http: { port: 8080 }\n'));
  t.match(onTaken, [/^1: clickhouse_http.port: 8080 is http.port too/]);
  const open = loadConfig(fileWith(t, 'clickhouse_http: { host: 0.0.0.0 }\n'));
  t.equal(open.clickhouseHttp?.host, '0.0.0.0');
});

t.test('who may what without login, and how long a login holds', async (t) => {
  const none = loadConfig(fileWith(t, ''));
  t.same(none.access, {
    thisMachine: 'none',
    anonymous: 'none',
    metrics: 'public',
    session: { idleMs: 43_200_000, longestMs: 604_800_000 },
  });
  t.same(none.http.trustedProxies, []);
  const file = fileWith(
    t,
    'access: { this_machine: operator, anonymous: viewer, session_idle_hours: 0.5 }\nhttp: { trusted_proxies: [10.0.0.0/8, "fd00::/8", 192.168.1.7] }\n',
  );
  t.match(loadConfig(file), {
    access: { thisMachine: 'operator', anonymous: 'viewer', session: { idleMs: 1_800_000 } },
    http: { trustedProxies: ['10.0.0.0/8', 'fd00::/8', '192.168.1.7'] },
  });
  t.match(loadConfig(file, { FMS_COLLECTOR_ACCESS__ANONYMOUS: 'none' }), {
    access: { anonymous: 'none' },
  });
  t.match(
    mistakesOf(
      fileWith(
        t,
        'http:\n  trusted_proxies:\n    - 10.0.0.0/33\n    - proxy\n    - 10.0.0.0/8/8\naccess:\n  this_machine: root\n  anonymous: operator\n  session_idle_hours: 0\n  more: 1\n',
      ),
    ),
    [
      /^3: http\.trusted_proxies.*"10.0.0.0\/33" is not a network/,
      /^4: .*"proxy"/,
      /^5: /,
      /^7: access\.this_machine/,
      /^8: access\.anonymous/,
      /^9: access\.session_idle_hours/,
      /^10: .*"more"/,
    ],
  );
  const longer = 'access:\n  session_hours: 8\n';
  t.match(loadConfig(fileWith(t, longer)), { access: { session: { idleMs: 28_800_000 } } });
});

t.test('what is no YAML, twice the same key, a section that is no map', async (t) => {
  t.match(mistakesOf(fileWith(t, 'mqtt: { port: 1\nhttp: }')).join(), /^\d+: /);
  t.match(mistakesOf(fileWith(t, 'mqtt: {}\nmqtt: {}\n')), [/^2: /]);
  t.match(mistakesOf(fileWith(t, 'mqtt: 7\n')), [/^1: mqtt must be object/]);
  t.match(mistakesOf(fileWith(t, '- a\n- b\n')), [/must be object/]);
  t.match(mistakesOf(fileWith(t, 'mqtt:\n')), [/^1: mqtt must be object/]);
  const missing = join(t.testdir(), 'absent.yaml');
  t.throws(() => loadConfig(missing), { code: 'COLLECTOR_CONFIG_UNREADABLE' });
});

t.test('the environment overrides single values', async (t) => {
  const file = fileWith(t, 'mqtt: { port: 1884 }\n');
  const config = loadConfig(file, {
    FMS_COLLECTOR_MQTT__PORT: '1999',
    FMS_COLLECTOR_HTTP__HOST: '::1',
    FMS_COLLECTOR_DATA_DIR: 'elsewhere',
    FMS_COLLECTOR_LOGGING__LEVEL: 'warn',
    FMS_COLLECTOR_CONFIG: 'not an override',
    OTHER: 'x',
  });
  t.match(config, { mqtt: { port: 1999 }, http: { host: '::1' }, logging: { level: 'warn' } });
  t.equal(config.dataDir, join(file, '../elsewhere'));
  const mistakes = mistakesOf(file, {
    FMS_COLLECTOR_MQTT__PORT: 'many',
    FMS_COLLECTOR_LOG__RETENTION_HOURS: '-1',
    FMS_COLLECTOR_MQTT_PORT: '1',
  });
  t.equal(mistakes.length, 3);
  t.match(mistakes[0], /environment FMS_COLLECTOR_(MQTT__PORT|LOG__RETENTION_HOURS): /);
  t.match(mistakes[2], /environment FMS_COLLECTOR_MQTT_PORT: no such variable/);
});

t.test('each value of the schema that is no list or map has a variable', async (t) => {
  const variables = envVariables();
  for (const section of ['mqtt', 'http', 'access', 'log', 'store'] as const)
    for (const [key, node] of Object.entries(schema.properties[section].properties)) {
      if (!('type' in node) || node.type === 'array' || node.type === 'object') continue;
      const name = `FMS_COLLECTOR_${section}__${key}`.toUpperCase();
      t.same(variables.get(name)?.path, [section, key], name);
    }
  t.same(variables.get('FMS_COLLECTOR_LOG__KAFKA__SASL__USERNAME')?.path, [
    'log',
    'kafka',
    'sasl',
    'username',
  ]);
});

t.test('many machines: log, store and broker elsewhere', async (t) => {
  const folder = t.testdir({ 'password.txt': 'secret\n', 'ca.pem': 'PEM\n' });
  const file = join(folder, 'collector.yaml');
  const text = [
    'components: [intake, write]',
    'mqtt: { outside: { url: "mqtts://broker:8883", username: c, password_file: password.txt } }',
    'log:',
    '  kafka:',
    '    brokers: ["k1:9092", "[::1]:9092"]',
    '    tls: { ca_file: ca.pem }',
    '    sasl: { mechanism: scram-sha-512, username: fms, password_file: password.txt }',
    'store: { clickhouse: { url: "https://store:8443", password_file: password.txt } }',
  ];
  writeFileSync(file, text.join('\n'));
  const config = loadConfig(file);
  t.same([...config.components], ['intake', 'write']);
  t.match(config.mqtt.outside, { url: 'mqtts://broker:8883', password: 'secret', tls: undefined });
  t.match(config.log.kafka, {
    brokers: ['k1:9092', '[::1]:9092'],
    topicPrefix: 'fms',
    replication: 3,
    minInsync: 2,
    tls: { ca: 'PEM' },
    sasl: { username: 'fms', password: 'secret' },
  });
  t.match(config.store.clickhouse, { database: 'fms', username: 'default', password: 'secret' });
  text[4] = '    brokers: ["k1"]';
  text[5] = '    tls: { ca_file: none.pem }';
  text[7] = 'store: { clickhouse: { url: "store:8443" } }';
  writeFileSync(file, text.join('\n'));
  t.throws(() => loadConfig(file), /:5: log.kafka.brokers.*:8: store.clickhouse.url/s);
  text[4] = '    brokers: ["k1:1"]\n    replication: 1';
  text[7] = 'store: {}';
  writeFileSync(file, text.join('\n'));
  t.throws(() => loadConfig(file), /:4: log.kafka.min_insync.*:7: log.kafka.tls.ca_file cannot/s);
});

t.test('check prints, warns, and answers the exit code', async (t) => {
  const lines: string[] = [];
  const output = { log: (s: string) => lines.push(s), error: (s: string) => lines.push(s) };
  const good = fileWith(t, 'http: { host: 0.0.0.0 }\n');
  t.equal(check(good, {}, output), 0);
  t.match(lines.join('\n'), /no mistakes.*8080.*cross the network unencrypted.*no gateway/s);
  lines.length = 0;
  const bad = fileWith(t, 'mqtt: { port: -1 }\nhttp: { port: -1 }\n');
  t.equal(check(bad, {}, output), 2);
  t.match(lines.join('\n'), /:1: mqtt.port.*:2: http.port.*2 mistake.*COLLECTOR_CONFIG_INVALID/s);
  lines.length = 0;
  t.equal(check('/nowhere/at/all.yaml', {}, output), 2);
  t.match(lines.join(), 'COLLECTOR_CONFIG_UNREADABLE');
});

t.test('a data folder that cannot be', async (t) => {
  const file = fileWith(t, 'data_dir: ./plain-file/data\n', { 'plain-file': '' });
  const lines: string[] = [];
  t.equal(check(file, {}, { log: () => undefined, error: (s) => lines.push(s) }), 2);
  t.match(lines, [/data_dir.*cannot write in .*plain-file/]);
});

t.test('check covers the device profiles', async (t) => {
  const profile = 'channels: { rpm: { min: 0, max: 10 } }\n';
  const folder = t.testdir({
    'collector.yaml': 'profiles_dir: profiles\n',
    profiles: {
      'motor.yaml': profile,
      'devices.yaml': 'devices:\n  - { device: D1, profile: motor }\n',
    },
  });
  const file = join(folder, 'collector.yaml');
  t.equal(loadConfig(file).profilesDir, join(folder, 'profiles'), 'beside the file');
  const said: string[] = [];
  const errors: string[] = [];
  const output = {
    log: (line: string) => said.push(line),
    error: (line: string) => errors.push(line),
  };
  t.equal(check(file, {}, output), 0);
  t.match(said.join('\n'), /profiles 1 \(motor; .*profiles\), 1 assignment/);
  writeFileSync(join(folder, 'profiles/motor.yaml'), `${profile}rules: [{ expect: rpm > }]\n`);
  t.equal(check(file, {}, output), 2);
  t.match(errors, [/motor\.yaml:2: .*"name" is missing/, /1 mistake\(s\)\nPROFILES_INVALID/]);
  t.equal(check(file, { FMS_COLLECTOR_PROFILES_DIR: '/nowhere/profiles' }, output), 2);
});
