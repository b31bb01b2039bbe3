/**
 * `fms-agent self-test`: tries what depends on the machine and on how the program was packaged: the addon of
 * the database, encryption, compression, TLS, the readers. Needs no configuration; writes into a folder of
 * its own below the temporary folder.
 */

import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { decodeBatch, encodeBatch } from '../../proto/batch.ts';
import { readingAt } from '../../proto/chunk.ts';
import { decodeChunk } from '../../proto/decode.ts';
import type { ChunkFrame, Reading } from '../../proto/model.ts';
import { NO_EPOCH, Quality } from '../../proto/model.ts';
import { openBuffer } from '../buffer/buffer.ts';
import { bufferKey } from '../buffer/keys.ts';
import { bootId, systemClock } from '../clock.ts';
import { readers } from '../readers/registry.ts';
import type { Speaker } from '../words/say.ts';
import { english } from '../words/say.ts';
import { padTo, widthOf } from '../words/text.ts';

const READINGS = 1_000;
const TIMEOUT_MS = 60_000;

/** Prints a line for each part. True when all of them work. */
export async function selfTest(
  print: (text: string) => void,
  speaker: Speaker = english,
): Promise<boolean> {
  const { say, retell } = speaker;
  let frames: { epoch: string; frames: ChunkFrame[] } | undefined;
  const parts: [string, () => Promise<string> | string][] = [
    [
      say('encrypted buffer on the disk'),
      async () => {
        frames = await throughBuffer();
        return say('{count} readings', { count: READINGS });
      },
    ],
    [
      say('batch on the wire, compressed'),
      () => say('{count} bytes', { count: throughBatch(frames) }),
    ],
    [
      say('keys of gateways: ECDSA P-256'),
      () => {
        signing();
        return say('signed and verified');
      },
    ],
    [
      say('TLS 1.3 and 1.2'),
      async () => (await Promise.all(TLS_VERSIONS.map(throughTls))).join(', '),
    ],
    [say('readers'), readersLoad],
  ];
  const verdict = (text: 'ok' | 'FAILED'): string =>
    padTo(say(text), Math.max(6, widthOf(say('FAILED'))));
  let isWhole = true;
  for (const [name, work] of parts) {
    try {
      print(`${verdict('ok')}  ${name}: ${await work()}\n`);
    } catch (error) {
      isWhole = false;
      const message = error instanceof Error ? error.message : String(error);
      print(`${verdict('FAILED')}  ${name}: ${retell(message)}\n`);
    }
  }
  return isWhole;
}

function expect(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

/** Written, committed, closed; opened anew and read: SQLite, codec, checksums, AES-256-GCM. */
async function throughBuffer(): Promise<{ epoch: string; frames: ChunkFrame[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'fms-agent-self-test-'));
  const keys = { keys: [bufferKey(randomBytes(32))], encrypt: true, isOff: false, warnings: [] };
  const quiet = () => {};
  const open = () =>
    openBuffer({
      path: join(folder, 'buffer.sqlite'),
      commitIntervalMs: 0,
      maxBytes: 64 * 2 ** 20,
      maxAgeMs: 3_600_000,
      minFreeBytes: 0,
      keys,
      clock: systemClock,
      clockState: () => ({
        boot: bootId(),
        unsynced: false,
        lastStepMs: 0,
        stepsTotal: 0,
        corrections: [],
      }),
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    });
  try {
    const first = open();
    await first.append(someReadings(), []);
    await first.close();
    const second = open();
    const all = { maxBytes: 2 ** 30, maxReadings: READINGS * 2, maxChunks: READINGS };
    const chunks = second.next(0, all);
    await second.close();
    const count = chunks.reduce((sum, { frame }) => sum + frame.count, 0);
    expect(count === READINGS, `${count} readings of ${READINGS} came back`);
    return { epoch: chunks[0]?.epoch ?? '', frames: chunks.map(({ frame }) => frame) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function someReadings(): Reading[] {
  const now = Math.round(systemClock.wallMs());
  return Array.from({ length: READINGS }, (_, i) => ({
    device: 'self-test',
    channel: 'value',
    timeMs: now + i,
    value: i / 10,
    quality: Quality.GOOD,
  }));
}

/** Answers how many bytes it took. */
function throughBatch(from: { epoch: string; frames: ChunkFrame[] } | undefined): number {
  if (from === undefined) throw new Error('the buffer gave no readings');
  const header = {
    site: 'self',
    gateway: 'test',
    epoch: from.epoch,
    predecessorEpoch: NO_EPOCH,
    predecessorLastSeq: 0,
    lastSeq: READINGS,
    sentMs: Math.round(systemClock.wallMs()),
    installId: '',
    corrections: [],
    gaps: [],
  };
  const bytes = encodeBatch(header, from.frames);
  const batch = decodeBatch(bytes);
  if (!batch.ok) throw batch.error;
  let sum = 0;
  for (const frame of batch.value.chunks) {
    const columns = decodeChunk(frame);
    if (!columns.ok) throw columns.error;
    for (const series of columns.value.series) {
      for (let i = 0; i < series.count; i++) {
        sum += Number(readingAt(columns.value, series, i).value) * 10;
      }
    }
  }
  expect(Math.round(sum) === (READINGS * (READINGS - 1)) / 2, 'other values came back');
  return bytes.length;
}

function signing(): void {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const data = randomBytes(64);
  const signature = sign('sha256', data, privateKey);
  expect(verify('sha256', data, publicKey, signature), 'its own signature is refused');
  data[0] = ~data[0]!;
  expect(!verify('sha256', data, publicKey, signature), 'a wrong signature is accepted');
}

const TLS_VERSIONS = ['TLSv1.3', 'TLSv1.2'] as const;

/** A handshake on loopback, by a key that both know: a certificate would need an authority. */
async function throughTls(version: (typeof TLS_VERSIONS)[number]): Promise<string> {
  const psk = randomBytes(32);
  const options = {
    minVersion: version,
    maxVersion: version,
    ciphers: 'TLS_AES_128_GCM_SHA256:PSK-AES128-GCM-SHA256',
  };
  const server = createServer({ ...options, pskCallback: () => psk }, (socket) => {
    socket.on('error', () => {});
    socket.end(psk);
  });
  server.listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const socket = connect({
      ...options,
      port: (server.address() as AddressInfo).port,
      host: '127.0.0.1',
      pskCallback: () => ({ psk, identity: 'self-test' }),
      checkServerIdentity: () => undefined,
    });
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
    const [data] = (await once(socket, 'data')) as [Buffer];
    const protocol = socket.getProtocol();
    socket.destroy();
    expect(psk.equals(data) && protocol === version, `${protocol} in place of ${version}`);
    return version;
  } finally {
    server.close();
  }
}

/** The one reader that loads a package only when it connects; nothing listens there. */
async function readersLoad(): Promise<string> {
  const { ModbusConnection } = await import('../readers/modbus/connection.ts');
  const nowhere = { host: '127.0.0.1', port: 1, requestTimeoutMs: 1_000 };
  const refused = await ModbusConnection.open(nowhere, AbortSignal.timeout(TIMEOUT_MS)).then(
    () => new Error('something answers at port 1'),
    (error: Error) => error,
  );
  expect(refused.message.includes('ECONNREFUSED'), refused.message);
  return Object.keys(readers).join(', ');
}
