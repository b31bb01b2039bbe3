/**
 * A process that holds a log, for tests that kill it or limit its disk. `node log-writer.ts PATH flood`
 * appends and processes without pause and writes each resolved offset to its standard output; `… serve`
 * does what its parent asks for.
 */

import { writeSync } from 'node:fs';
import type { Log } from '../../collector/log/log.ts';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import { silentLogger } from './silent-logger.ts';

export interface WriterRequest {
  id: number;
  appends: number;
  bytes: number;
}

/** Offsets of what was stored and codes of what was refused. */
export interface WriterAnswer {
  id: number;
  outcomes: (number | string)[];
  appendable: boolean;
}

export const MAX_BYTES = 64 * 1024 * 1024;

/** What record `offset` holds: its own number, then filling of a length that varies. */
export function valueAt(offset: number): Buffer {
  const value = Buffer.alloc(8 + ((offset * 7_919) % 9_000), offset & 0xff);
  value.writeDoubleLE(offset, 0);
  return value;
}

export async function openWriterLog(path: string): Promise<Log> {
  return openSqliteLog({
    path,
    partitions: 1,
    maxBytes: MAX_BYTES,
    retentionBytes: MAX_BYTES,
    retentionMs: 3_600_000,
    clock: { wallMs: () => Date.now() },
    log: silentLogger,
  });
}

async function flood(log: Log): Promise<void> {
  let { next } = await log.bounds('raw', 0);
  const appendOne = async (): Promise<void> => {
    for (;;) {
      const offset = next++;
      const value = valueAt(offset);
      const stored = await log.append('raw', 0, { key: 's/g', kind: 'batch', value });
      writeSync(1, `${stored}\n`);
    }
  };
  for (let caller = 0; caller < 20; caller++) void appendOne();
  await process1by1(log);
}

/** One output and one count in the state for each raw record: they must never come apart. */
async function process1by1(log: Log): Promise<void> {
  const session = await log.openProcessor(0);
  const { signal } = new AbortController();
  for (;;) {
    const { position } = session;
    await log.waitFor('raw', 0, position, signal);
    const records = await log.read('raw', 0, position, { maxRecords: 7, maxBytes: 100_000 });
    const end = position + records.length;
    await session.commit({
      position: end,
      state: new Map([['processed', Buffer.from(String(end))]]),
      outputs: records.map(({ key, kind, value }) => ({
        topic: 'readings',
        record: { key, kind, value: value.subarray(0, 8) },
      })),
    });
  }
}

function serve(log: Log): void {
  process.on('message', (request: WriterRequest) => {
    const value = Buffer.alloc(request.bytes, 7);
    const appends = Array.from({ length: request.appends }, () =>
      log
        .append('raw', 0, { key: 's/g', kind: 'batch', value })
        .catch((error: { code?: string }) => error.code ?? 'unknown'),
    );
    void Promise.all(appends).then((outcomes) => {
      process.send?.({ id: request.id, outcomes, appendable: log.stats().appendable });
    });
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.({ id: 0, outcomes: [], appendable: true });
}

if (process.argv[1] === import.meta.filename) {
  const [, , path = '', mode] = process.argv;
  const log = await openWriterLog(path);
  if (mode === 'serve') serve(log);
  else await flood(log);
}
