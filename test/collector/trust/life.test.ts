/** What happens to a gateway's certificate in its life: renewal, another hardware, copies, requests, lost answers. */

import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { REQUESTS_OF_ADDRESS_MAX } from '../../../collector/trust/requests.ts';
import { RawKind } from '../../../collector/types.ts';
import { ENROLMENT_PATHS, fingerprintOf } from '../../../proto/enrolment.ts';
import type { GatewayId } from '../../../proto/topics.ts';
import type { EndpointAnswer, GatewayKey } from '../../support/trust.ts';
import {
  askEndpoint,
  askToRenew,
  askWithToken,
  enrolledBy,
  enrolWithToken,
  makeKey,
  proofOf,
} from '../../support/trust.ts';
import type { TrustPlant } from '../../support/trust-plant.ts';
import { connectGateway, ended, INSTALL, startTrustPlant } from '../../support/trust-plant.ts';

t.setTimeout(1_200_000);

const DAY_MS = 24 * 3_600_000;
const PRESS = { site: 's', gateway: 'press' };
const CLONE = 'fedcba9876543210';
const NOT_AUTHORIZED = { code: 5 };

function counting(plant: TrustPlant): number {
  return plant.trust.opened.registry.get(PRESS)?.certificates.length ?? 0;
}

t.test('a renewed certificate ends the one before by being used', async (t) => {
  const plant = await startTrustPlant(t);
  const old = await plant.enrol(PRESS);
  const first = await connectGateway(t, plant.port, old);
  plant.clock.nowMs += 70 * DAY_MS;
  const key = makeKey();
  const answer = await askToRenew(plant.port, old, INSTALL, key);
  const renewed = enrolledBy(answer, key);
  t.ok(renewed.notAfterMs > old.notAfterMs);
  t.equal((await askToRenew(plant.port, old, INSTALL, key)).body.certificate, renewed.cert);
  t.equal(counting(plant), 2, 'both count');
  const closed = ended(first);
  await connectGateway(t, plant.port, renewed);
  await closed;
  await untilSo(() => counting(plant) === 1);
  await t.rejects(connectGateway(t, plant.port, old), NOT_AUTHORIZED);
  t.match(plant.deeds.at(-1), { action: 'gateway.renew', who: 's/press', kind: 'gateway' });
});

t.test(
  'a spare from the shelf: over, within the grace, it renews; later it does not',
  async (t) => {
    const plant = await startTrustPlant(t);
    const old = await plant.enrol(PRESS);
    plant.clock.nowMs = old.notAfterMs + 20 * DAY_MS;
    const key = makeKey();
    const renewed = enrolledBy(await askToRenew(plant.port, old, INSTALL, key), key);
    t.ok(renewed.notAfterMs > plant.clock.nowMs);
    await connectGateway(t, plant.port, renewed);
    plant.clock.nowMs = renewed.notAfterMs + 31 * DAY_MS;
    const late = await askToRenew(plant.port, renewed, INSTALL);
    t.match(late.body.error, { code: 'ENROL_CERTIFICATE_REFUSED', message: 'certificate_expired' });
  },
);

t.test('nobody renews without a certificate that counts', async (t) => {
  const plant = await startTrustPlant(t);
  const press = await plant.enrol(PRESS);
  const body = { public_key: makeKey().publicKeyPem, proof: 'x'.repeat(90), install_id: INSTALL };
  const none = await askEndpoint(plant.port, ENROLMENT_PATHS.renew, {
    body: { ...body, version: '1' },
  });
  t.equal(none.body.error?.code, 'ENROL_CERTIFICATE_REFUSED');
  await plant.admin.revoke(PRESS, '', 'test');
  const revoked = await askToRenew(plant.port, press, INSTALL);
  t.match(revoked.body.error, { code: 'ENROL_CERTIFICATE_REFUSED', message: 'revoked' });
});

t.test('other hardware under the same name', async (t) => {
  const plant = await startTrustPlant(t);
  const old = await plant.enrol(PRESS);
  const before = await connectGateway(t, plant.port, old);
  const { token } = await plant.admin.token(PRESS, { validHours: 1, now: false, by: 'test' });
  t.ok(before.connected, 'the old one goes on meanwhile');
  const closed = ended(before);
  const swapped = await enrolWithToken(plant.port, token);
  await closed;
  await t.rejects(connectGateway(t, plant.port, old), NOT_AUTHORIZED);
  await connectGateway(t, plant.port, swapped, { installId: CLONE });
  await untilSo(() => plant.trust.opened.registry.get(PRESS)?.installId === CLONE);
  const cut = plant.admin.token(PRESS, { validHours: 1, now: true, by: 'test' });
  await t.resolves(cut);
  await t.rejects(connectGateway(t, plant.port, swapped), NOT_AUTHORIZED);
});

t.test(
  'a copy of the machine: the registered install wins, and each meeting is recorded',
  async (t) => {
    const plant = await startTrustPlant(t);
    const press = await plant.enrol(PRESS);
    const own = await connectGateway(t, plant.port, press);
    await untilSo(() => plant.trust.opened.registry.get(PRESS)?.installId === INSTALL);
    await t.rejects(connectGateway(t, plant.port, press, { installId: CLONE }), { code: 2 });
    const renewal = await askToRenew(plant.port, press, CLONE);
    t.equal(renewal.body.error?.code, 'ENROL_CLONE');
    t.match(plant.deeds.at(-1), { action: 'gateway.clone_refused', target: 's/press' });
    const gone = ended(own);
    own.end();
    await gone;
    await untilSo(() => plant.test.broker.connected().length === 0);
    const copy = await connectGateway(t, plant.port, press, { installId: CLONE });
    const pushed = ended(copy);
    await connectGateway(t, plant.port, press);
    await pushed;
    t.equal(plant.test.broker.connectionOf('s/press')?.installId, INSTALL);
    const kinds = (await plant.test.recordsOnce(1)).map(({ kind }) => kind);
    t.ok(kinds.includes(RawKind.IDENTITY_CONFLICT));
  },
);

t.test('an admin approves a key, and not another one', async (t) => {
  const plant = await startTrustPlant(t);
  const key = makeKey();
  const asked = await askForCertificate(plant, PRESS, key);
  t.match(asked, { status: 202, body: { state: 'pending' } });
  const id = String(asked.body.id);
  t.equal((await askForCertificate(plant, PRESS, key)).body.id, id, 'asking again is no other one');
  t.match(plant.admin.requests(), [{ id, from: '127.0.0.1', known: false }]);
  const other = makeKey().fingerprint;
  await t.rejects(plant.admin.approve(id, other, 'test'), { code: 'ENROL_KEY_REFUSED' });
  await plant.admin.approve(id, key.fingerprint.toUpperCase(), 'test');
  const { body } = await askEndpoint(plant.port, `${ENROLMENT_PATHS.requests}/${id}`);
  t.equal(body.state, 'approved');
  const answer = { status: 200, body: body.certificate as EndpointAnswer['body'] };
  const gateway = enrolledBy({ ...answer, retryAfter: undefined }, key);
  await connectGateway(t, plant.port, gateway);
  t.same(plant.admin.requests(), []);
  const [rejected] = [makeKey()];
  const second = await askForCertificate(plant, { site: 's', gateway: 'oven' }, rejected);
  await plant.admin.reject(String(second.body.id));
  const state = await askEndpoint(plant.port, `${ENROLMENT_PATHS.requests}/${second.body.id}`);
  t.equal(state.body.state, 'rejected');
  await t.rejects(plant.admin.approve(String(second.body.id), rejected.fingerprint, 'test'));
});

t.test('a flood of requests ends at its bound', async (t) => {
  const plant = await startTrustPlant(t);
  const key = makeKey();
  for (let i = 0; i < REQUESTS_OF_ADDRESS_MAX; i++) {
    const { status } = await askForCertificate(plant, { site: 's', gateway: `x${i}` }, key);
    if (status !== 202) t.fail(`${i}: ${status}`);
  }
  const over = await askForCertificate(plant, { site: 's', gateway: 'one-more' }, key);
  t.match(over, { status: 429, body: { error: { code: 'ENROL_TOO_MANY' } } });
  plant.clock.nowMs += 2 * DAY_MS;
  t.same(plant.admin.requests(), [], 'they end by themselves');
  t.equal((await askForCertificate(plant, PRESS, key)).status, 202);
});

t.test('a name that was removed begins anew; one that is enrolled is not removed', async (t) => {
  const plant = await startTrustPlant(t);
  const press = await plant.enrol(PRESS);
  await t.rejects(plant.admin.remove(PRESS), { code: 'GATEWAY_REFUSED' });
  await plant.admin.revoke(PRESS, 'scrapped', 'test');
  await plant.admin.remove(PRESS);
  await t.rejects(connectGateway(t, plant.port, press), NOT_AUTHORIZED);
  await connectGateway(t, plant.port, await plant.enrol(PRESS));
  await t.rejects(connectGateway(t, plant.port, press), NOT_AUTHORIZED);
});

t.test('of two keys that show one token at once one gets the certificate', async (t) => {
  const plant = await startTrustPlant(t);
  const token = await plant.token(PRESS);
  const answers = await Promise.all([1, 2, 3, 4].map(() => askWithToken(plant.port, token)));
  t.same(answers.map(({ status }) => status).sort(), [201, 409, 409, 409]);
  const got = answers.find(({ status }) => status === 201)?.body.certificate;
  const fingerprint = fingerprintOf(new X509Certificate(String(got)));
  t.ok(plant.trust.opened.registry.byFingerprint(fingerprint));
});

function askForCertificate(
  plant: TrustPlant,
  { site, gateway }: GatewayId,
  key: GatewayKey,
): Promise<EndpointAnswer> {
  const { fingerprint } = plant.authority;
  const proof = proofOf(key, 'request', `${site}/${gateway}`, fingerprint);
  const body = { site, gateway, public_key: key.publicKeyPem, proof, version: '1' };
  return askEndpoint(plant.port, ENROLMENT_PATHS.requests, { body });
}

/** What the door writes down beside. */
async function untilSo(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}
