/**
 * Payloads of every wire version that was ever released, with what is in them. Each later program must
 * still read them, so files here are never changed or removed. To add cases for a new version or
 * field: `FMS_GOLDEN=write tap test/proto/golden.test.ts` writes the missing files and overwrites none.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { decodeBatch, encodeBatch, frameCrcOk } from '../../proto/batch.ts';
import { decodeCommand, encodeAcked, payloadDigest } from '../../proto/command.ts';
import { WIRE_VERSION } from '../../proto/limits.ts';
import type { Reading } from '../../proto/model.ts';
import { GapReason, Quality, Severity } from '../../proto/model.ts';
import { decodeState, encodeState } from '../../proto/state.ts';
import { allReadings, EPOCH, headerOf, open, reading, sealAll, T0 } from '../support/wire.ts';

const FOLDER = fileURLToPath(new URL('../cases/wire', import.meta.url));

/** JSON has no NaN, -0 and infinities: such numbers are kept as {"number": "NaN"}. */
function jsonValue(value: Reading['value']): unknown {
  if (typeof value !== 'number') return value;
  const kept = Number.isFinite(value) && !Object.is(value, -0);
  return kept ? value : { number: Object.is(value, -0) ? '-0' : String(value) };
}

function describe(payload: Uint8Array): unknown {
  const state = decodeState(payload);
  const batch = decodeBatch(payload);
  if (!batch.ok && !state.ok) {
    const command = decodeCommand(payload);
    return command.ok ? { command: command.value } : { error: batch.error.message };
  }
  if (!batch.ok) return state.ok ? { state: state.value } : { error: batch.error.message };
  const { chunks, ...header } = batch.value;
  return {
    header,
    chunks: chunks.map((frame) => {
      const { bytes, ...rest } = frame;
      const columns = open(frame);
      return {
        ...rest,
        crc_ok: frameCrcOk(header.epoch, frame),
        clock: columns.clock,
        readings: allReadings(columns).map((r) => ({ ...r, value: jsonValue(r.value) })),
        rejects: columns.rejects.map((r) => ({ ...r, head: Buffer.from(r.head).toString('hex') })),
      };
    }),
  };
}

function rows(count: number): Reading[] {
  return Array.from({ length: count }, (_, i) => {
    const timeMs = T0 + i * 10_000 + (i % 7);
    return [
      reading('sensor1', 45 + ((i * 37) % 100) / 100, { timeMs }),
      reading('motor1', 1_200 - ((i * 13) % 90), { timeMs }),
      reading('isFail', i % 9 === 0, { timeMs }),
    ];
  }).flat();
}

const numbers = [0, -0, 1e308, 5e-324, Number.NaN, Number.POSITIVE_INFINITY, 0.1 + 0.2, 2 ** 53];

/** What the present version writes. Names say what is in them. */
const cases: Record<string, () => Uint8Array> = {
  fms_rows: () => encodeBatch(headerOf(90), sealAll(rows(30))),
  uncompressed: () => encodeBatch(headerOf(9), sealAll(rows(3)), 'none'),
  several_chunks: () =>
    encodeBatch(headerOf(18), [
      ...sealAll(rows(3)),
      ...sealAll(rows(3)).map((frame) => ({ ...frame, firstSeq: frame.firstSeq + 9, crc32c: 1 })),
    ]),
  every_kind: () =>
    encodeBatch(
      headerOf(40),
      sealAll([
        ...Array.from({ length: 10 }, (_, k) => reading(`decimals${k}`, 1 + 10 ** -k)),
        ...numbers.map((n, i) => reading('extreme', n, { timeMs: T0 + i })),
        reading('text', '가나다 😀'),
        reading('text', ''),
        reading('flag', true),
        reading('flag', false),
        reading('온도', -12.5, { device: '압축기 1' }),
        reading('', 1, { device: '' }),
      ]),
    ),
  every_quality: () =>
    encodeBatch(
      headerOf(50),
      sealAll([
        ...Object.values(Quality).map((quality, i) => reading('q', i, { quality })),
        ...Object.values(Quality).map((quality) => reading('t', 'text', { quality })),
        reading('q', null),
        reading('only_nulls', null),
        reading('mixed', 1),
        reading('mixed', 'one'),
        reading('mixed', true),
        reading('mixed', null, { quality: Severity.UNCERTAIN }),
      ]),
    ),
  rejects: () =>
    encodeBatch(
      headerOf(3),
      sealAll(
        [reading('a', 1)],
        [
          {
            timeMs: T0,
            device: 'D01',
            reason: 'garbage',
            detail: 'not JSON',
            head: Buffer.from('<html>'),
          },
          {
            timeMs: T0 + 1,
            device: '',
            reason: 'missing_device',
            detail: '',
            head: new Uint8Array(0),
          },
        ],
      ),
    ),
  declarations: () =>
    encodeBatch(
      headerOf(100, {
        predecessorEpoch: 'fedcba9876543210',
        predecessorLastSeq: 123_456_789,
        corrections: [{ boot: 'ffeeddccbbaa0099', offsetMs: T0 - 600_000 }],
        gaps: Object.values(GapReason).map((reason, i) => ({
          epoch: i % 2 === 0 ? EPOCH : 'fedcba9876543210',
          firstSeq: i * 10 + 1,
          lastSeq: i * 10 + 9,
          firstMs: i === 0 ? 0 : T0,
          lastMs: i === 0 ? 0 : T0 + 1_000,
          reason,
        })),
      }),
      [],
    ),
  state: () => encodeState(state(true)),
  will: () => encodeState(state(false)),
  acked: () => encodeAcked(['', 'a', 'ab'].map((text) => payloadDigest(Buffer.from(text)))),
};

function state(online: boolean): Parameters<typeof encodeState>[0] {
  return {
    site: '공장',
    gateway: 'gw-1',
    installId: '0123456789abcdef',
    online,
    cleanEnd: false,
    version: '0.1.0',
    epoch: EPOCH,
    lastSeq: 2 ** 40,
    sentMs: T0,
    startedMs: T0 - 5_000,
    bufferReadings: 12_345,
    bufferBytes: 67_890,
    bufferSecondsUntilEviction: online ? 3_600.5 : -1,
    clockUnsynced: !online,
    clockStepMs: -2_500,
    readers: [
      {
        device: 'D01',
        reader: 'http',
        status: 'ok',
        lastGoodMs: T0,
        errorsTotal: 0,
        lastError: '',
      },
      {
        device: 'D02',
        reader: 'modbus',
        status: 'open',
        lastGoodMs: 0,
        errorsTotal: 7,
        lastError: 'ECONNREFUSED',
      },
    ],
    gaps: [{ epoch: EPOCH, firstSeq: 1, lastSeq: 2, firstMs: 0, lastMs: 0, reason: 'corrupt' }],
  };
}

function writeMissing(): void {
  const folder = join(FOLDER, `v${WIRE_VERSION}`);
  mkdirSync(folder, { recursive: true });
  for (const [name, make] of Object.entries(cases)) {
    const path = join(folder, `${name}.bin`);
    if (existsSync(path)) continue;
    const payload = make();
    writeFileSync(path, payload, { flag: 'wx' });
    const json = `${JSON.stringify(describe(payload), null, 1)}\n`;
    writeFileSync(join(folder, `${name}.json`), json, { flag: 'wx' });
  }
}

if (process.env.FMS_GOLDEN === 'write') writeMissing();

const versions = readdirSync(FOLDER).filter((name) => /^v\d+$/.test(name));

t.test('there are golden files of this version for every case', async (t) => {
  const names = readdirSync(join(FOLDER, `v${WIRE_VERSION}`));
  for (const name of Object.keys(cases)) t.ok(names.includes(`${name}.bin`), name);
});

for (const version of versions.filter((v) => Number(v.slice(1)) >= WIRE_VERSION - 1)) {
  const folder = join(FOLDER, version);
  const files = readdirSync(folder).sort();
  for (const file of files.filter((name) => name.endsWith('.bin'))) {
    t.test(`${version}/${file} reads as ever`, async (t) => {
      const payload = readFileSync(join(folder, file));
      const wanted = readFileSync(join(folder, file.replace('.bin', '.json')), 'utf8');
      t.equal(`${JSON.stringify(describe(payload), null, 1)}\n`, wanted);
      t.notMatch(wanted, '"error"');
    });
  }
}
