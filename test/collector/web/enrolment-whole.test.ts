/** Administration → Gateways against a whole collector: from a name to readings over mutual TLS, and back out. */

import t from 'tap';
import { ENROLMENT_PATHS, formatFingerprint, parseToken } from '../../../proto/enrolment.ts';
import { noBrowser } from '../../support/browser.ts';
import { browserOf, openPage } from '../../support/pages.ts';
import { Publisher } from '../../support/publisher.ts';
import { TestCollector } from '../../support/running-collector.ts';
import { askEndpoint, enrolWithToken, makeKey, proofOf } from '../../support/trust.ts';

// Generous: a machine may be busy with other things.
t.setTimeout(1_200_000);

const browser = browserOf(t);

t.test('a gateway from its token to its end', { skip: noBrowser }, async (t) => {
  const collector = new TestCollector({}, { tls: {} });
  await collector.start();
  t.teardown(() => collector.remove());
  const port = collector.mqttTlsPort;
  const tab = await openPage(t, browser, `${collector.base}/admin/gateways`);
  const { page } = tab;
  const row = (name: string) => page.locator(`[data-registered="demo/${name}"]`);
  const submit = () => page.locator('dialog button[type="submit"]').click();
  await row('gw1').getByText('by a token in collector.yaml').waitFor();

  await page.locator('[data-action="add"]').click();
  await page.locator('textarea[name="names"]').fill('press-1\npress-2');
  await submit();
  const command = (await page.locator('[data-made="demo/press-1"] code').textContent()) ?? '';
  const [, , , url = '', token = ''] = command.split(' ');
  t.equal(new URL(url).protocol, 'mqtts:');
  t.equal(Number(new URL(url).port), port);
  const ca = parseToken(token)?.caFingerprint ?? '';
  await page.locator('[data-action="have"]').click();
  await row('press-1').getByText('waits for its gateway').waitFor();
  t.equal(await page.locator('[data-authority]').getAttribute('data-authority'), ca);

  const enrolled = await enrolWithToken(port, token);
  await row('press-1').getByText('has a certificate').waitFor();
  const { cert, key } = enrolled;
  const identity = { site: 'demo', gateway: 'press-1', ca: enrolled.ca, cert, key };
  const publisher = await Publisher.connect({ port, ...identity });
  t.teardown(() => publisher.close());
  await publisher.state();
  await row('press-1').getByText('online · TLS').waitFor();
  await row('press-1').locator('[data-validity="good"]').waitFor();

  // One that asks.
  const asking = makeKey();
  const asked = await askEndpoint(port, ENROLMENT_PATHS.requests, {
    body: {
      site: 'demo',
      gateway: 'oven-1',
      public_key: asking.publicKeyPem,
      proof: proofOf(asking, 'request', 'demo/oven-1', ca),
      version: '0.0.0-test',
    },
  });
  t.equal(asked.status, 202);
  const request = page.locator(`[data-request="${asked.body.id}"]`);
  await request.locator('[data-action="approve"]').click();
  // As it stands on the screen of the gateway.
  await page.locator('input[name="typed"]').fill(formatFingerprint(asking.fingerprint));
  await submit();
  await request.waitFor({ state: 'detached' });
  await row('oven-1').getByText('has a certificate').waitFor();
  const answer = await askEndpoint(port, `${ENROLMENT_PATHS.requests}/${asked.body.id}`);
  t.match(answer.body, { state: 'approved', certificate: { gateway: 'oven-1' } });

  await row('press-1').locator('[data-action="token"]').click();
  await submit();
  await page.locator('[data-made="demo/press-1"]').waitFor();
  await page.keyboard.press('Escape');
  await row('press-1')
    .getByText(/new hardware may enrol/)
    .waitFor();
  await row('press-1').locator('[data-action="revoke"]').click();
  await page.locator('input[name="reason"]').fill('stolen');
  await page.keyboard.press('Enter');
  await row('press-1').getByText('revoked').waitFor();
  // Cut off.
  await row('press-1').getByText('online · TLS').waitFor({ state: 'detached' });
  await row('press-1').locator('[data-action="remove"]').click();
  await submit();
  await page.locator('[data-unregistered]').getByText('press-1').waitFor();
  t.equal(await row('press-1').count(), 0);
  t.same(tab.errors, []);
});
