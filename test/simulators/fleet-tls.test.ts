/** A fleet over mutual TLS: enrolled with one-time tokens, back after a restart of the collector. */

import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { FleetCommandOptions } from '../../simulators/commands/fleet.ts';
import { runFleetCommand } from '../../simulators/commands/fleet.ts';
import { SimError } from '../../simulators/errors.ts';
import { runFleet } from '../../simulators/fleet.ts';
import { enrolFleet, toIdentities } from '../../simulators/fleet-identities.ts';
import type { FleetCounts, FleetOptions } from '../../simulators/fleet-options.ts';
import { fleetDefaults } from '../../simulators/fleet-options.ts';
import { TestCollector, until } from '../support/running-collector.ts';
import { invite } from '../support/trust.ts';

const GATEWAYS = 4;
const NAMES = Array.from({ length: GATEWAYS }, (_, i) => ({
  site: 'demo',
  gateway: `fleet${i + 1}`,
}));

t.setTimeout(1_200_000);
const collector = new TestCollector({}, { tls: { names: ['127.0.0.1'] } });
await collector.start();
t.teardown(() => collector.remove());
const url = `mqtts://127.0.0.1:${collector.mqttTlsPort}`;
const file = join(t.testdir({}), 'identities.json');

t.test('comes by certificates with one-time tokens, and is back after a restart', async (t) => {
  const tokens = new Map(
    (await invite(collector.base, NAMES)).map((one) => [`${one.site}/${one.gateway}`, one.token]),
  );
  const tokenOf: FleetOptions['tokenOf'] = ({ site, gateway }) =>
    tokens.get(`${site}/${gateway}`) ?? '';
  const identities = await enrolFleet(url, NAMES, tokenOf);
  t.same(Object.keys(identities.gateways).sort(), NAMES.map((n) => `demo/${n.gateway}`).sort());
  writeFileSync(file, JSON.stringify(identities));
  const ending = new AbortController();
  const started = Promise.withResolvers<Readonly<FleetCounts>>();
  const fleet = runFleet(
    {
      ...fleetDefaults,
      url,
      identities,
      tokenOf: () => 'is not shown',
      gateways: GATEWAYS,
      batchIntervalMs: 200,
      drainMs: 120_000,
      apiUrl: collector.base,
    },
    { signal: ending.signal, onStarted: started.resolve, progress: () => undefined },
  );
  fleet.catch(started.reject);
  const counts = await started.promise;
  await collector.stop();
  await until(async () => counts.connected === 0);
  await collector.start();
  await until(async () => counts.connected === GATEWAYS);
  const soFar = counts.ackedBatches;
  await until(async () => counts.ackedBatches > soFar + GATEWAYS);
  ending.abort();
  const report = await fleet;
  t.match(report, { unackedBatches: 0, ledger: { stored: report.ackedReadings, balance: 0 } });
  t.ok(report.connectionsTotal >= 2 * GATEWAYS);

  // Each was for one key; and no other collector is taken for the one of the tokens.
  await t.rejects(enrolFleet(url, NAMES, tokenOf), { code: 'SIM_ENROLMENT_REFUSED' });
  const strange = (tokens.get('demo/fleet1') ?? '').replace(/.{6}$/, 'AAAAAA');
  await t.rejects(
    enrolFleet(url, NAMES, () => strange),
    { code: 'SIM_ENROLMENT_REFUSED', message: /is not the collector of the tokens/ },
  );
});

t.test('the file of certificates is made once, for its owner, and read from then on', async (t) => {
  const others = NAMES.map(({ site, gateway }) => ({ site, gateway: `other-${gateway}` }));
  const tokensFile = join(t.testdir({}), 'tokens.json');
  const made = join(t.testdir({}), 'made.json');
  const invited = await invite(collector.base, others);
  writeFileSync(
    tokensFile,
    JSON.stringify(Object.fromEntries(invited.map((one) => [`demo/${one.gateway}`, one.token]))),
  );
  const options: FleetCommandOptions = {
    ...{ url, site: 'demo', prefix: 'other-fleet', gateways: GATEWAYS, devices: 1, channels: 1 },
    ...{ rate: 1, batchMs: 1_000, seconds: 1, mode: 'live', window: 4, seed: '1' },
    identities: made,
  };
  t.equal(await runFleetCommand({ ...options, tokens: tokensFile }), 0);
  t.equal(statSync(made).mode & 0o777, 0o600);
  t.equal(await runFleetCommand(options), 0, 'without tokens');
  t.ok(existsSync(made));
  t.ok(toIdentities(JSON.parse(readFileSync(made, 'utf8')), made));
});

t.test('hundreds of tokens at once', async (t) => {
  const names = Array.from({ length: 400 }, (_, i) => ({
    site: 'demo',
    gateway: `a-name-of-some-length-${i + 1}`,
  }));
  t.equal((await invite(collector.base, names)).length, names.length);
});

t.test('refuses what does not fit', async (t) => {
  t.throws(() => toIdentities(null, 'x'), SimError);
  t.throws(() => toIdentities({ authorities: 1 }, 'x'), SimError);
  await t.rejects(
    enrolFleet(url, NAMES, () => 'token'),
    { code: 'SIM_OPTION_INVALID' },
  );
});
