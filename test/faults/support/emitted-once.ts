/** Compares `readings` of a server with what gateways emitted, by their own record. */

import type { ClickHouseFront } from '../../support/clickhouse-front.ts';
import type { RovingGateway } from '../../support/roving-gateway.ts';

interface StoredRow {
  epoch: string;
  seq: number;
  value: number;
  device: string;
  channel: string;
  /** ms; a text, as the server writes 64 bits. */
  time: string;
}

const LISTED_MAX = 10;

/** One line a problem, at most ten; empty: each reading is there once, as it was emitted, and nothing else is. */
export async function emittedOnce(
  front: ClickHouseFront,
  gateways: readonly RovingGateway[],
): Promise<string[]> {
  const columns = 'epoch, toUInt32(seq) AS seq, value, device, channel, toString(time_ms) AS time';
  const query = `SELECT ${columns} FROM readings FORMAT JSONEachRow`;
  const response = await fetch(`${front.url}/?database=fms`, { method: 'POST', body: query });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  const left = new Set<string>();
  for (const { epoch, emitted } of gateways)
    for (let seq = 1; seq <= emitted.length; seq++) left.add(`${epoch.id}/${seq}`);
  const byEpoch = new Map(gateways.map((one) => [one.epoch.id, one.emitted]));
  const problems: string[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const { epoch, seq, value, device, channel, time } = JSON.parse(line) as StoredRow;
    const reading = byEpoch.get(epoch)?.[seq - 1];
    const isSame =
      reading?.value === value &&
      reading.device === device &&
      reading.channel === channel &&
      reading.timeMs === Number(time);
    if (!left.delete(`${epoch}/${seq}`)) problems.push(`${epoch}/${seq} is double or unknown`);
    else if (!isSame) problems.push(`${epoch}/${seq} is another reading: ${line}`);
  }
  for (const name of left) problems.push(`${name} is missing`);
  return problems.slice(0, LISTED_MAX);
}
