/** From a token to readings over mutual TLS, against a whole collector. */

import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { showAuthority } from '../../../collector/commands/ca.ts';
import {
  addGateways,
  listGateways,
  revokeGateway,
  tokenFor,
} from '../../../collector/commands/gateway.ts';
import { gatewayOfCommonName } from '../../../proto/enrolment.ts';
import { fmsRow, Publisher } from '../../support/publisher.ts';
import { TestCollector, until } from '../../support/running-collector.ts';
import { askWithToken, enrolWithToken, invite, makeKey } from '../../support/trust.ts';

t.setTimeout(1_200_000);

const collector = new TestCollector({}, { tls: {} });
await collector.start();
t.teardown(() => collector.remove());

t.test('a token becomes a certificate, and the certificate lets readings in', async (t) => {
  const [invited] = await invite(collector.base, [{ site: 'demo', gateway: 'press-1' }]);
  const gateway = await enrolWithToken(collector.mqttTlsPort, invited?.token ?? '');
  const certificate = new X509Certificate(gateway.cert);
  t.same(gatewayOfCommonName(certificate.subject.replace('CN=', '')), {
    site: 'demo',
    gateway: 'press-1',
  });
  const publisher = await Publisher.connect({
    port: collector.mqttTlsPort,
    site: 'demo',
    gateway: 'press-1',
    ca: gateway.ca,
    cert: gateway.cert,
    key: gateway.key,
  });
  t.teardown(() => publisher.close());
  await publisher.readings(fmsRow('D01', Date.now()));
  await publisher.state();
  await until(async () => {
    const { body } = await collector.get('/api/v1/gateways/demo/press-1');
    return body.status === 'online' && body.transport === 'tls' && body.last_seq === 7;
  });
  const { body } = await collector.get('/api/v1/gateways/demo/press-1');
  t.same(body.certificate, { not_after_ms: gateway.notAfterMs, state: 'valid' });
});

t.test('a token is for one key', async (t) => {
  const [invited] = await invite(collector.base, [{ site: 'demo', gateway: 'press-2' }]);
  const token = invited?.token ?? '';
  const key = makeKey();
  const first = await askWithToken(collector.mqttTlsPort, token, key);
  const again = await askWithToken(collector.mqttTlsPort, token, key);
  t.equal(again.body.certificate, first.body.certificate, 'an answer that was lost is given again');
  const other = await askWithToken(collector.mqttTlsPort, token);
  t.equal(other.status, 409);
  t.equal(other.body.error?.code, 'ENROL_TOKEN_USED');
});

t.test('the API: what is said of gateways, and what is refused', async (t) => {
  const base = `${collector.base}/api/v1/enrolment`;
  const send = async (path: string, body?: object, method = 'POST') => {
    const response = await fetch(`${base}/${path}`, {
      method,
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
  };
  const standing = async (name: string) => {
    const { items } = (await (await fetch(`${base}/gateways`)).json()) as {
      items: { gateway: string }[];
    };
    return items.find(({ gateway }) => gateway === name);
  };
  t.match(await standing('gw1'), { state: 'configured', certificate: null, without_tls: false });
  const [lathe, drill] = ['lathe', 'drill'].map((gateway) => ({ site: 'demo', gateway }));
  const made = await send('gateways', { gateways: [lathe], valid_hours: 1 });
  t.match(made, { status: 201, body: { mqtt_port: collector.mqttTlsPort } });
  t.match(await standing('lathe'), { state: 'invited', invitation: { expires_ms: Number } });
  const both = await send('gateways', { gateways: [drill, lathe] });
  t.match(both, { status: 409, body: { error: { code: 'GATEWAY_REFUSED' } } });
  t.equal(await standing('drill'), undefined, 'all or none');
  const twice = await send('gateways', { gateways: [drill, drill] });
  t.equal(twice.status, 409);
  const long = await send('gateways', { gateways: [{ site: 'demo', gateway: 'x'.repeat(64) }] });
  t.match(long, { status: 422, body: { error: { code: 'GATEWAY_NAME_INVALID' } } });
  const gateway = await enrolWithToken(collector.mqttTlsPort, made.body.items[0].token);
  t.match(await standing('lathe'), {
    state: 'enrolled',
    invitation: null,
    certificate: { not_after_ms: gateway.notAfterMs },
  });
  t.equal((await send('gateways/demo/lathe', undefined, 'DELETE')).status, 409);
  t.equal((await send('gateways/demo/lathe/revoke', { reason: 'lost' })).status, 204);
  t.match(await standing('lathe'), {
    state: 'revoked',
    certificate: null,
    changed_by: 'local',
  });
  t.equal((await send('gateways/demo/lathe', undefined, 'DELETE')).status, 204);
  t.equal(await standing('lathe'), undefined);
  t.equal((await send('gateways/demo/nobody/token', {})).status, 404);
  t.equal((await send('gateways/demo/nobody/revoke', {})).status, 404);
});

t.test('the command line: forty from a file, one by its name alone', async (t) => {
  const options = { config: join(collector.folder, 'collector.yaml'), url: collector.base };
  const said: string[] = [];
  const errors: string[] = [];
  const output = {
    log: (line: string) => said.push(line),
    error: (line: string) => errors.push(line),
  };
  const csv = join(collector.folder, 'gateways.csv');
  const names = Array.from({ length: 40 }, (_, i) => `cell-${i}`);
  writeFileSync(csv, `\uFEFFsite,gateway\r\n${names.map((name) => `demo,${name}\r\n`).join('')}`);
  t.equal(await addGateways([], { ...options, csv, valid: '7d' }, {}, output), 0);
  t.equal(said.length, 40);
  t.match(said[39], /^demo\/cell-39 fms-gw1\.[\w-]{22}\.[\w-]{43}$/);
  t.equal(await addGateways(['saw'], { ...options, valid: '30m' }, {}, output), 0);
  t.match(said.at(-1), /^demo\/saw fms-gw1\./, 'of the one site that there is');
  t.equal(await addGateways(['saw'], { ...options, valid: '30m' }, {}, output), 1);
  t.match(errors.at(-1), /GATEWAY_REFUSED/);
  for (const [name, valid] of [
    ['a/b/c', '1h'],
    ['', '1h'],
    ['x', 'soon'],
    ['x', '-1h'],
  ] as const)
    t.equal(await addGateways([name], { ...options, valid }, {}, output), 2, name + valid);
  t.equal(await revokeGateway('saw', { ...options, reason: '' }, {}, output), 0);
  t.equal(await tokenFor('saw', { ...options, valid: '1h' }, {}, output), 0);
  said.length = 0;
  t.equal(await listGateways(options, {}, output), 0);
  t.match(
    said.find((line) => line.startsWith('demo/saw')),
    /invited, token until /,
  );
  said.length = 0;
  t.equal(await showAuthority(options, {}, output), 0);
  t.match(said.at(-1), /^fingerprint {2}([0-9A-F]{4} ){15}[0-9A-F]{4}$/);
});

t.test('certificates and revocations outlast a restart', async (t) => {
  const [one, two] = await invite(collector.base, [
    { site: 'demo', gateway: 'north' },
    { site: 'demo', gateway: 'south' },
  ]);
  const north = await enrolWithToken(collector.mqttTlsPort, one?.token ?? '');
  const south = await enrolWithToken(collector.mqttTlsPort, two?.token ?? '');
  await fetch(`${collector.base}/api/v1/enrolment/gateways/demo/south/revoke`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  await collector.stop();
  await collector.start();
  const of = (gateway: typeof north) => ({ port: collector.mqttTlsPort, ...gateway });
  const publisher = await Publisher.connect(of(north));
  t.teardown(() => publisher.close());
  await publisher.state();
  await t.rejects(Publisher.connect({ ...of(south), reconnectPeriod: 0 }), { code: 5 });
  const text = await (await fetch(`${collector.base}/metrics`)).text();
  t.match(text, /fms_collector_mqtt_tls_gateways 1\n/);
  t.match(text, /fms_collector_mqtt_refused_total\{reason="revoked"\} 1\n/);
  t.match(text, /fms_collector_gateway_certificates\{state="valid"\} \d+\n/);
  t.match(text, /fms_collector_ca_not_after_seconds \d{10}/);
});
