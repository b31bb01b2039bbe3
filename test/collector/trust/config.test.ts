/** What collector.yaml may say of TLS and the authority, and what cannot be meant. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import type { ConfigInvalid } from '../../../collector/config.ts';
import { loadConfig } from '../../../collector/config.ts';
import { isServerName } from '../../../collector/config_trust.ts';
import { openAuthority } from '../../../collector/trust/authority.ts';
import { AuthorityFiles } from '../../../collector/trust/authority_files.ts';
import { gatewayKeyIn } from '../../../collector/trust/pem.ts';
import { makeKey } from '../../support/trust.ts';

const folder = mkdtempSync(join(tmpdir(), 'fms-config-trust-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const clock = { wallMs: () => Date.now() };
const files = new AuthorityFiles(folder);
const authority = await openAuthority({ given: undefined, files, clock });
const key = makeKey();
const publicKey = gatewayKeyIn(key.publicKeyPem);
if (publicKey === undefined) throw new Error('no key');
const server = await authority.issueServer(['a.example'], publicKey);
for (const [name, text] of Object.entries({
  'ca.pem': authority.authoritiesPem,
  'ca.key': files.authority()?.key ?? '',
  'server.pem': server.pem,
  'server.key': key.keyPem,
  empty: '',
}))
  writeFileSync(join(folder, name), text);
const KAFKA = { brokers: ['127.0.0.1:9092'] };
const OWN = { cert_file: 'server.pem', key_file: 'server.key' };
const CA = { cert_file: 'ca.pem', key_file: 'ca.key' };

function load(content: object, env: Record<string, string> = {}) {
  const file = join(folder, 'collector.yaml');
  writeFileSync(file, stringify(content));
  return loadConfig(file, env);
}

function mistakesOf(content: object): string {
  try {
    load(content);
    return '';
  } catch (error) {
    return (error as ConfigInvalid).mistakes.join('\n');
  }
}

t.test('what is left out, and what is said', async (t) => {
  const { mqtt, authority: ca } = load({});
  t.match(mqtt, { plain: true, tls: undefined });
  t.same(ca, { given: undefined, trusted: [], gatewayDays: 90, graceDays: 30 });
  const said = load({
    mqtt: { plain: false, tls: { names: ['a.example', '192.0.2.1'], ...OWN } },
    ca: { ...CA, trusted_files: ['ca.pem'], gateway_days: 30, grace_days: 0 },
    gateways: [{ site: 's', gateway: 'g', token: '12345678', without_tls: true }],
  });
  t.match(said.mqtt.tls, { host: '0.0.0.0', port: 8883, names: ['a.example', '192.0.2.1'] });
  t.same(said.mqtt.tls?.files, {
    certFile: join(folder, 'server.pem'),
    keyFile: join(folder, 'server.key'),
  });
  t.equal(said.authority.given?.cert, authority.authoritiesPem.trim());
  t.equal(said.authority.trusted.length, 1);
  t.match(said.gateways, [{ withoutTls: true }]);
  const env = { FMS_COLLECTOR_MQTT__PLAIN: 'false', FMS_COLLECTOR_MQTT__TLS__PORT: '18883' };
  t.match(load({}, env).mqtt, { plain: false, tls: { port: 18_883 } });
});

t.test('what cannot be meant is said with its line', async (t) => {
  const cases: [object, RegExp][] = [
    [{ mqtt: { plain: false } }, /:2: mqtt\.plain is false .*nothing would listen/],
    [{ mqtt: { tls: {}, outside: { url: 'mqtt://x' } } }, /mqtt\.tls: with mqtt\.outside/],
    [{ mqtt: { tls: {} }, log: { kafka: KAFKA } }, /ca\.cert_file and ca\.key_file are needed/],
    [{ mqtt: { tls: { cert_file: 'server.pem' } } }, /both cert_file and key_file, or neither/],
    [{ ca: { key_file: 'ca.key' } }, /both cert_file and key_file, or neither/],
    [
      { ca: { cert_file: 'ca.pem', key_file: 'server.key' } },
      /belongs to none of the certificates/,
    ],
    [{ ca: { cert_file: 'empty', key_file: 'ca.key' } }, /there is no certificate/],
    [{ ca: { cert_file: 'nowhere', key_file: 'ca.key' } }, /cannot be read/],
    [{ ca: { trusted_files: ['server.pem'] } }, /holds what is no authority/],
    [{ ca: { trusted_files: ['empty'] } }, /no certificate/],
    [{ mqtt: { tls: { names: ['a b'] } } }, /"a b" is not a server_name/],
    [{ mqtt: { tls: { names: [] } } }, /mqtt\.tls\.names/],
  ];
  for (const [content, wanted] of cases) t.match(mistakesOf(content), wanted);
  const team = { mqtt: { tls: OWN }, log: { kafka: KAFKA }, ca: CA };
  t.equal(mistakesOf({ ...team, store: { clickhouse: { url: 'http://x' } } }), '');
});

t.test('names of servers', async (t) => {
  for (const good of [
    'a',
    'collector.plant.example',
    '*.plant.example',
    '192.0.2.1',
    '2001:db8::1',
  ])
    t.ok(isServerName(good), good);
  for (const bad of ['', '.', 'a..b', '-a', 'a/b', 'a.*', '**.a', '공장', `${'a'.repeat(64)}.b`])
    t.notOk(isServerName(bad), bad);
});
