/** Sends hours of readings of many devices through a collector as fast as it takes them. */

import { setTimeout as delay } from 'node:timers/promises';
import mqtt from 'mqtt';
import { topicOf } from '../../proto/topics.ts';
import { BatchSource, installIdOf, SharedSource } from '../../simulators/fleet-source.ts';
import type { Rig } from './rig.ts';

const ROWS_PER_BATCH = 20;
/** Sent and not yet queryable. */
const AHEAD_MAX = 500_000;
const DRAIN_MS = 300_000;
const ASK_EVERY_MS = 500;

export interface Devices {
  gateways: number;
  /** Of each gateway. */
  devices: number;
  channels: number;
  intervalMs: number;
}

/** Resolves, when all of it is queryable, with the number of readings. The last ones are of now. */
export async function backfill(
  rig: Rig,
  { gateways, devices, channels, intervalMs }: Devices,
  hours: number,
  log: (line: string) => void,
): Promise<number> {
  const batches = Math.ceil((hours * 3_600_000) / intervalMs / ROWS_PER_BATCH);
  const total = batches * ROWS_PER_BATCH * gateways * devices * channels;
  const firstMs = Date.now() - batches * ROWS_PER_BATCH * intervalMs;
  const shared = new SharedSource({
    mode: 'live',
    seed: 1,
    devices,
    channels,
    rowsPerBatch: ROWS_PER_BATCH,
    rowIntervalMs: intervalMs,
    onRows: undefined,
  });
  let sent = 0;
  let queryable = 0;
  let nextLine = 0;
  const asking = setInterval(() => {
    void rig.totals().then(
      ({ rows_in_store }) => {
        queryable = rows_in_store;
        if (queryable < nextLine) return;
        log(`before: ${queryable.toLocaleString('en')} of ${total.toLocaleString('en')} readings`);
        nextLine = queryable + total / 20;
      },
      () => undefined,
    );
  }, ASK_EVERY_MS);
  const sendOne = async (gateway: number): Promise<void> => {
    const source = new BatchSource(
      { site: rig.fleet.site, gateway: `${rig.fleet.gatewayPrefix}${gateway}` },
      shared,
    );
    const id = source.gateway;
    const client = await mqtt.connectAsync(rig.fleet.url, {
      protocolVersion: 4,
      clientId: `${id.site}/${id.gateway}/${installIdOf(id)}`,
      username: `${id.site}/${id.gateway}`,
      password: rig.token,
      reconnectPeriod: 0,
    });
    for (let batch = 1; batch <= batches; batch++) {
      while (sent - queryable > AHEAD_MAX) await delay(20);
      const { payload, readings } = source.next(firstMs + batch * ROWS_PER_BATCH * intervalMs);
      sent += readings;
      await client.publishAsync(topicOf(id, 'batch'), Buffer.from(payload), { qos: 1 });
    }
    await client.endAsync();
  };
  try {
    await Promise.all(Array.from({ length: gateways }, (_, i) => sendOne(i + 1)));
  } finally {
    clearInterval(asking);
  }
  const totals = await rig.untilStored(sent, DRAIN_MS);
  if (totals.rows_in_store < sent)
    throw new Error(`${totals.rows_in_store} of ${sent} readings are queryable`);
  return sent;
}
