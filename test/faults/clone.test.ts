/**
 * A clone with the same gateway name: the disk of a gateway is copied while it is off, with readings in
 * its buffer that the collector does not have, and a second machine starts from the copy. The one that
 * connects first is served and not disturbed, the other is refused and shows as an identity conflict;
 * when the first stops, the clone is let in. Nothing is stored twice or confused, and each reading of
 * each is there, also what the first still had on its disk when it died.
 *
 * Alone: `node test/faults/clone.test.ts --seed N`.
 */

import { cpSync } from 'node:fs';
import t from 'tap';
import { Plant, seedOfRun, until } from '../support/plant.ts';
import { account } from './support/account.ts';
import { allowed, Gateway, settleGateways } from './support/gateway.ts';
import { FAULTY_COLLECTOR, LogControl } from './support/log-control.ts';

interface EventItem {
  gateway: string;
  kind: string;
  severity: string;
  detail: Record<string, unknown>;
}

const DEVICES_EACH = 3;
const CHANNELS = 7;
/** What three devices can say within the commit interval, and slack for a busy machine. */
const UNCOMMITTED_MAX = 15 * DEVICES_EACH * CHANNELS;

// Also when run alone, without the runner's own limit.
t.setTimeout(1_200_000);

t.test('a clone with the same gateway name', { timeout: 900_000 }, async (t) => {
  const seed = seedOfRun();
  t.comment(`seed ${seed}`);
  const plant = new Plant({
    name: 'clone',
    seed,
    devices: DEVICES_EACH * 2,
    intervalMs: 100,
    collector: allowed(['gw1']),
    collectorProgram: FAULTY_COLLECTOR,
  });
  t.comment(`folder ${plant.folder}`);
  const gateway = (name: string, devices: string[]) =>
    new Gateway({ plant, name, gateway: 'gw1', devices });
  const first = gateway('first', ['D01', 'D02', 'D03']);
  const clone = gateway('clone', ['D04', 'D05', 'D06']);
  t.teardown(async () => {
    await Promise.all([first.abandon(), clone.abandon()]);
    await plant.abandon();
  });
  const log = await LogControl.create();
  await plant.configure();
  await plant.start('sim');
  const conflicts = async () =>
    (await plant.api<{ items: EventItem[] }>('events?limit=100')).items.filter(
      ({ kind }) => kind === 'identity_conflict',
    );
  const isRefused = async (who: Gateway) => {
    const { last_error, online } = (await who.status()).collector;
    return !online && last_error?.code === 'AGENT_NOT_AUTHORISED';
  };
  const delivered = async (who: Gateway) => {
    const { collector, buffer } = await who.status();
    return collector.online && buffer.readings < 500;
  };

  // The image: readings that nobody has yet, which both will deliver.
  await first.start();
  const buffered = await until('a backlog', 300_000, async () => {
    const { readings } = (await first.status()).buffer;
    return readings > 1_000 && readings;
  });
  await first.stop();
  cpSync(first.dataFolder, clone.dataFolder, { recursive: true });

  await plant.start('collector', { env: log.env });
  await first.start();
  await until('the first to be served', 300_000, () => delivered(first));
  const servedEpoch = (await first.status()).epoch;
  await clone.start();
  await until('the clone to be refused', 300_000, () => isRefused(clone));
  const [conflict] = await until('the event', 300_000, async () => {
    const found = await conflicts();
    return found.length > 0 && found;
  });
  const [firstId, cloneId] = [(await first.status()).install_id, (await clone.status()).install_id];
  t.not(firstId, cloneId, 'the clone is another install');
  t.match(conflict, { gateway: 'gw1', severity: /warning|error/ });
  const detail = JSON.stringify(conflict?.detail);
  t.ok(detail.includes(firstId) && detail.includes(cloneId), `the event names both: ${detail}`);

  // The clone keeps knocking while the first keeps delivering.
  const knocks = await clone.metric('fms_agent_connect_failures_total');
  const acknowledged = (await first.status()).collector.acknowledged_readings_total;
  await until('more knocks', 300_000, async () => {
    return (await clone.metric('fms_agent_connect_failures_total')) >= knocks + 3;
  });
  await until('more readings of the first', 300_000, async () => {
    const { collector } = await first.status();
    return collector.acknowledged_readings_total > acknowledged + 500;
  });
  t.equal(await first.metric('fms_agent_connections_total'), 1, 'the first is not disturbed');
  t.equal(await first.metric('fms_agent_resent_batches_total'), 0, 'and repeats nothing');
  t.equal((await first.status()).collector.last_error, null, 'and knows of no error');
  t.equal(await plant.metric('collector', 'fms_collector_mqtt_taken_over_total'), 0);
  t.ok((await clone.status()).buffer.readings > buffered, 'the clone buffers what it reads');
  t.equal(await clone.metric('fms_agent_acknowledged_batches_total'), 0);

  await first.stop();
  await until('the clone to be served', 300_000, () => delivered(clone));
  await first.start();
  await until('the first to be refused in its turn', 300_000, () => isRefused(first));
  t.equal(await clone.metric('fms_agent_connections_total'), 1, 'the clone is not disturbed');
  await clone.stop();
  await until('the first to be served again', 300_000, () => delivered(first));

  // The first dies with readings of which the collector knows, but which only its disk has. The clone
  // takes its place, for longer than the collector waits for what was announced: it gives them up.
  await log.switchTo('refuse-batches');
  const givenUp = async () =>
    (await plant.ledger()).reduce((sum, one) => sum + one.gap_readings, 0);
  await until('announced readings', 300_000, async () =>
    (await plant.ledger()).some(({ in_flight }) => in_flight > 500),
  );
  await first.kill();
  const waiting = plant.kills.at(-1)?.buffered.size ?? 0;
  t.ok(waiting > 400, `${waiting} readings wait on the disk of the first when it dies`);
  await log.switchTo('none');
  await clone.start();
  await until('the clone to be served again', 300_000, () => delivered(clone));
  const lost = await until('the collector to give up', 300_000, async () => {
    const readings = await givenUp();
    return readings > 0 && readings;
  });
  t.ok(lost > 400, `${lost} readings count as lost on the gateway`);
  await clone.stop();
  await first.start();
  await until('the first to be served at last', 300_000, () => delivered(first));

  const ledger = await settleGateways(plant, [first]);
  const result = await account(plant, ledger);
  t.comment(JSON.stringify(result.summary));
  t.same(result.problems, [], 'store and truth file agree: nothing twice, nothing confused');
  t.equal(result.summary.epochs, 6, 'the image, the first three times, the clone twice');
  const image = ledger.find(({ duplicates }) => duplicates > 0);
  t.ok((image?.duplicates ?? 0) >= buffered, 'what both had in the image was removed once');
  t.not(image?.epoch, servedEpoch, 'and is of the epoch before the copy');
  // Each end in order may cost an answer that was just on its way; the kill, what was not yet committed.
  const unreadMax = 4 * DEVICES_EACH * CHANNELS + UNCOMMITTED_MAX;
  t.ok(result.summary.unread <= unreadMax, `${result.summary.unread} unread`);
  t.equal(result.summary.gap_readings, 0, 'nothing is lost: what was given up came after all');
  if (t.passing()) plant.discard();
  else t.comment(`folder kept: ${plant.folder}`);
});
