/** From a token to readings over mutual TLS, against a whole collector. */

import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { gatewayOfCommonName } from '../../../proto/enrolment.ts';
import { fmsRow, Publisher } from '../../support/publisher.ts';
import { TestCollector, until } from '../../support/running-collector.ts';
import { askWithToken, enrolWithToken, invite, makeKey } from '../../support/trust.ts';

t.setTimeout(180_000);

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
