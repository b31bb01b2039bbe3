/** The hand-written codec against protobufjs' own, which reads proto/fms.proto: both directions. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import t from 'tap';
import { decodeBatch, encodeBatch } from '../../proto/batch.ts';
import { decodeCommand, encodeAcked, payloadDigest } from '../../proto/command.ts';
import type { Gap, GatewayState, Reading, Reject } from '../../proto/model.ts';
import { hasValue, SeriesKind } from '../../proto/model.ts';
import { decodeState, encodeState } from '../../proto/state.ts';
import {
  allReadings,
  anyHeader,
  anyReading,
  anyReject,
  anyState,
  CLOCK,
  open,
  sealAll,
  shown,
} from '../support/wire.ts';

const source = readFileSync(new URL('../../proto/fms.proto', import.meta.url), 'utf8');
const { root } = protobuf.parse(source, { keepCase: true });
const type = (name: string): protobuf.Type => root.lookupType(`fms.v1.${name}`);

// What reflection answers: plain objects, 64-bit numbers as decimal text.
// biome-ignore lint/suspicious/noExplicitAny: reflection has no static types
type Plain = any;
const PLAIN = { longs: String, defaults: true, arrays: true, enums: Number } as const;

function parsed(name: string, bytes: Uint8Array): Plain {
  return type(name).toObject(type(name).decode(bytes), PLAIN);
}

function made(name: string, value: Plain): Uint8Array {
  const refused = type(name).verify(value);
  if (refused !== null) throw new Error(refused);
  return type(name).encode(type(name).fromObject(value)).finish();
}

const hex = (decimal: string): string => BigInt(decimal).toString(16).padStart(16, '0');
const long = (hexDigits: string): protobuf.Long => {
  const big = BigInt(`0x${hexDigits}`);
  return {
    low: Number(BigInt.asIntN(32, big)),
    high: Number(BigInt.asIntN(32, big >> 32n)),
    unsigned: true,
  };
};

/** A slow reader of Chunk by the comments of fms.proto alone. */
function readChunk(chunk: Plain): Reading[] {
  const runs: number[] = [];
  for (let i = 0; i < chunk.quality_runs.length; i += 2)
    for (let n = 0; n < chunk.quality_runs[i]; n++) runs.push(chunk.quality_runs[i + 1]);
  const [times, values] = [[...chunk.time_deltas], [...chunk.value_deltas]];
  const [doubles, texts] = [[...chunk.doubles], [...chunk.texts]];
  const readings: Reading[] = [];
  let before: number[] = [];
  for (const [s, count] of chunk.series_count.entries()) {
    const kind = chunk.series_kind[s];
    const own: number[] = [];
    let timeMs = Number(chunk.base_time_ms);
    let integer = 0;
    for (let i = 0; i < count; i++) {
      timeMs = chunk.series_same_times[s] === 1 ? before[i]! : timeMs + times.shift();
      own.push(timeMs);
      let value: Reading['value'];
      if (kind === SeriesKind.DOUBLE) value = doubles.shift();
      else if (kind === SeriesKind.TEXT) value = texts.shift();
      else {
        integer += values.shift();
        value = kind === SeriesKind.BOOLEAN ? integer === 1 : integer / 10 ** kind;
      }
      const quality = runs[readings.length] ?? 0;
      if (!hasValue(quality)) value = null;
      const device = chunk.names[chunk.series_device[s]];
      readings.push({
        device,
        channel: chunk.names[chunk.series_channel[s]],
        timeMs,
        value,
        quality,
      });
    }
    before = own;
  }
  assert.deepEqual([times, values, doubles, texts], [[], [], [], []], 'nothing is left over');
  return readings;
}

function readGap(gap: Plain): Gap {
  return {
    epoch: hex(gap.epoch),
    firstSeq: Number(gap.first_seq),
    lastSeq: Number(gap.last_seq),
    firstMs: Number(gap.first_ms),
    lastMs: Number(gap.last_ms),
    reason: gap.reason,
  };
}

t.test('reflection reads what the codec writes', async (t) => {
  fc.assert(
    fc.property(
      anyHeader,
      fc.array(anyReading, { maxLength: 80, size: 'max' }),
      fc.array(anyReject, { maxLength: 3 }),
      (header, readings, rejects) => {
        const frames = sealAll(readings, rejects);
        const envelope = parsed('Envelope', encodeBatch(header, frames, 'none'));
        assert.deepEqual([envelope.version, envelope.codec], [1, 0]);
        const batch = parsed('Batch', envelope.payload);
        assert.equal(batch.site, header.site);
        assert.equal(batch.gateway, header.gateway);
        assert.equal(hex(batch.epoch), header.epoch);
        assert.equal(hex(batch.predecessor_epoch), header.predecessorEpoch);
        assert.equal(Number(batch.predecessor_last_seq), header.predecessorLastSeq);
        assert.equal(Number(batch.last_seq), header.lastSeq);
        assert.equal(Number(batch.sent_ms), header.sentMs);
        assert.equal(batch.install_id, header.installId);
        assert.deepEqual(batch.gaps.map(readGap), header.gaps);
        assert.deepEqual(
          batch.corrections.map((c: Plain) => ({
            boot: hex(c.boot),
            offsetMs: Number(c.offset_ms),
          })),
          header.corrections,
        );
        for (const [i, frame] of frames.entries()) {
          const plain = batch.chunks[i];
          assert.equal(Number(plain.first_seq), frame.firstSeq);
          assert.equal(plain.count, frame.count);
          assert.deepEqual(
            [Number(plain.first_ms), Number(plain.last_ms)],
            [frame.firstMs, frame.lastMs],
          );
          assert.equal(plain.crc32c, frame.crc32c);
          const chunk = parsed('Chunk', plain.chunk);
          assert.deepEqual([hex(chunk.boot), Number(chunk.wall_ms)], [CLOCK.boot, CLOCK.wallMs]);
          assert.deepEqual(readChunk(chunk).map(shown), allReadings(open(frame)).map(shown));
          assert.deepEqual(chunk.rejects.map(readReject), open(frame).rejects.map(shownReject));
        }
      },
    ),
    { numRuns: 200 },
  );
  t.pass('for all');
});

function readReject(reject: Plain): object {
  const { device, reason, detail, head } = reject;
  return {
    timeMs: Number(reject.time_ms),
    device,
    reason,
    detail,
    head: Buffer.from(head).toString('hex'),
  };
}

function shownReject(reject: Reject): object {
  return { ...reject, head: Buffer.from(reject.head).toString('hex') };
}

/** The simplest sender that keeps to fms.proto: a series a reading, doubles and texts only. */
function writeChunk(readings: readonly Reading[]): Plain {
  const chunk: Plain = {
    boot: long(CLOCK.boot),
    wall_ms: 5,
    mono_ms: 6,
    clock_unsynced: true,
    base_time_ms: readings[0]!.timeMs,
    names: [],
  };
  const columns = ['device', 'channel', 'kind', 'count', 'same_times'];
  for (const column of columns) chunk[`series_${column}`] = [];
  for (const column of ['time_deltas', 'value_deltas', 'doubles', 'texts', 'quality_runs'])
    chunk[column] = [];
  for (const r of readings) {
    chunk.names.push(r.device, r.channel);
    chunk.series_device.push(chunk.names.length - 2);
    chunk.series_channel.push(chunk.names.length - 1);
    chunk.series_count.push(1);
    chunk.series_same_times.push(0);
    chunk.time_deltas.push(r.timeMs - readings[0]!.timeMs);
    chunk.quality_runs.push(1, r.quality);
    if (typeof r.value === 'string') {
      chunk.series_kind.push(SeriesKind.TEXT);
      chunk.texts.push(r.value);
    } else if (typeof r.value === 'boolean') {
      chunk.series_kind.push(SeriesKind.BOOLEAN);
      chunk.value_deltas.push(r.value ? 1 : 0);
    } else {
      chunk.series_kind.push(SeriesKind.DOUBLE);
      chunk.doubles.push(r.value ?? Number.NaN);
    }
  }
  return chunk;
}

t.test('the codec reads what reflection writes', async (t) => {
  fc.assert(
    fc.property(
      anyHeader,
      fc.array(anyReading, { minLength: 1, maxLength: 40 }),
      (header, readings) => {
        // Made well-formed by the builder, so that both sides mean the same readings.
        for (const frame of sealAll(readings)) {
          const wanted = allReadings(open(frame));
          const chunk = made('Chunk', writeChunk(wanted));
          const batch = made('Batch', {
            site: header.site,
            gateway: header.gateway,
            epoch: long(header.epoch),
            last_seq: header.lastSeq,
            sent_ms: header.sentMs,
            chunks: [
              {
                first_seq: 17,
                count: wanted.length,
                first_ms: frame.firstMs,
                last_ms: frame.lastMs,
                crc32c: 1,
                chunk,
              },
            ],
          });
          const decoded = decodeBatch(made('Envelope', { version: 1, payload: batch }));
          if (!decoded.ok) throw decoded.error;
          assert.equal(decoded.value.epoch, header.epoch);
          assert.equal(decoded.value.sentMs, header.sentMs);
          const columns = open(decoded.value.chunks[0]!);
          assert.deepEqual(allReadings(columns).map(shown), wanted.map(shown));
          assert.deepEqual(columns.clock, {
            boot: CLOCK.boot,
            wallMs: 5,
            monoMs: 6,
            unsynced: true,
          });
        }
      },
    ),
    { numRuns: 200 },
  );
  t.pass('for all');
});

const STATE_FIELDS: [keyof GatewayState, string][] = [
  ['site', 'site'],
  ['gateway', 'gateway'],
  ['installId', 'install_id'],
  ['online', 'online'],
  ['cleanEnd', 'clean_end'],
  ['version', 'version'],
  ['lastSeq', 'last_seq'],
  ['sentMs', 'sent_ms'],
  ['startedMs', 'started_ms'],
  ['bufferReadings', 'buffer_readings'],
  ['bufferBytes', 'buffer_bytes'],
  ['bufferSecondsUntilEviction', 'buffer_seconds_until_eviction'],
  ['clockUnsynced', 'clock_unsynced'],
  ['clockStepMs', 'clock_step_ms'],
];

t.test('states, in both directions', async (t) => {
  fc.assert(
    fc.property(anyState, (state) => {
      const plain = parsed('GatewayState', parsed('Envelope', encodeState(state)).payload);
      for (const [ours, theirs] of STATE_FIELDS) {
        const value = typeof state[ours] === 'number' ? Number(plain[theirs]) : plain[theirs];
        assert.deepEqual(value, state[ours], ours);
      }
      assert.equal(hex(plain.epoch), state.epoch);
      assert.deepEqual(plain.gaps.map(readGap), state.gaps);
      const message = type('GatewayState').fromObject(plain);
      const bytes = type('GatewayState').encode(message).finish();
      const back = decodeState(made('Envelope', { version: 1, payload: bytes }));
      if (!back.ok) throw back.error;
      assert.deepEqual(back.value, state);
    }),
    { numRuns: 200 },
  );
  t.pass('for all');
});

t.test('commands, in both directions', async (t) => {
  const digests = ['one', 'two'].map((text) => payloadDigest(Buffer.from(text)));
  const envelope = parsed('Envelope', encodeAcked(digests));
  assert.deepEqual([envelope.version, envelope.codec], [1, 0]);
  const plain = parsed('Command', envelope.payload);
  assert.deepEqual(
    plain.acked.digests.map((digest: Uint8Array) => Buffer.from(digest).toString('hex')),
    digests,
  );
  const command = made('Command', { acked: { digests: plain.acked.digests } });
  const back = decodeCommand(made('Envelope', { version: 1, payload: command }));
  t.same(back, { ok: true, value: { acked: digests } });
  // printf one | sha256sum
  t.equal(digests[0], '7692c3ad3540bb803c020b3aee66cd88');
});
