import t from 'tap';
import { ReportFilter } from '../../agent/report.ts';
import { BufferSink, markUnsynced } from '../../agent/sink.ts';
import type { ClockState, ReaderOutput } from '../../agent/types.ts';
import { REJECT_DETAIL_BYTES, REJECT_HEAD_BYTES } from '../../proto/limits.ts';
import type { Reading, Reject } from '../../proto/model.ts';
import {
  hasValue,
  Quality,
  QualityReason,
  RejectReason,
  reasonOf,
  Severity,
  severityOf,
} from '../../proto/model.ts';

const NOW = 1_767_225_600_000;

function makeSink(options: { unsynced?: boolean; filter?: ReportFilter } = {}) {
  const readings: Reading[] = [];
  const rejects: Reject[] = [];
  let appends = 0;
  const state: ClockState = {
    boot: '0000000000000001',
    unsynced: options.unsynced ?? false,
    lastStepMs: 0,
    stepsTotal: 0,
    corrections: [],
  };
  const sink = new BufferSink({
    buffer: {
      append: async (newReadings, newRejects) => {
        appends++;
        readings.push(...newReadings);
        rejects.push(...newRejects);
      },
    },
    clock: { wallMs: () => NOW + 0.4, monoMs: () => 0 },
    clockState: () => state,
    filterOf: () => options.filter,
  });
  return { sink, readings, rejects, appends: () => appends };
}

function output(sourceTimeMs: number | undefined, value: number | null = 1): ReaderOutput {
  const quality = value === null ? Quality.NULL : Quality.GOOD;
  return { samples: [{ sourceTimeMs, values: [{ channel: 'c', value, quality }] }], rejects: [] };
}

t.test('source time, or the time of arrival', async (t) => {
  const { sink, readings } = makeSink();
  await sink.accept('D01', output(12_345.6));
  await sink.accept('D01', output(undefined));
  t.same(
    readings.map(({ device, channel, timeMs, value, quality }) => [
      device,
      channel,
      timeMs,
      value,
      quality,
    ]),
    [
      ['D01', 'c', 12_346, 1, Quality.GOOD],
      ['D01', 'c', NOW, 1, Quality.GOOD],
    ],
  );
});

t.test('a wrong clock marks what it timed, and only that', async (t) => {
  const { sink, readings } = makeSink({ unsynced: true });
  await sink.accept('D01', output(12_345));
  await sink.accept('D01', output(undefined));
  await sink.accept('D01', output(undefined, null));
  t.equal(readings[0]?.quality, Quality.GOOD, "the device's own time");
  t.equal(readings[1]?.quality, Quality.CLOCK_UNSYNCED);
  const bad = readings[2]?.quality ?? 0;
  t.equal(reasonOf(bad), QualityReason.CLOCK_UNSYNCED, 'bad readings are corrected as well');
  t.equal(severityOf(bad), Severity.BAD);
  t.notOk(hasValue(bad));
});

t.test('marking keeps severity and the missing value', async (t) => {
  for (const quality of Object.values(Quality)) {
    const marked = markUnsynced(quality);
    t.equal(hasValue(marked), hasValue(quality));
    t.ok(severityOf(marked) >= severityOf(quality));
    t.not(severityOf(marked), Severity.GOOD);
  }
});

t.test('report by exception comes first', async (t) => {
  const filter = new ReportFilter(new Map([['c', { deadband: 5 }]]));
  const { sink, readings, appends } = makeSink({ filter });
  for (const value of [1, 2, 3, 10]) await sink.accept('D01', output(NOW, value));
  t.same(
    readings.map(({ value }) => value),
    [1, 10],
  );
  t.equal(appends(), 2, 'nothing is appended for nothing');
});

t.test('rejects keep their head, cut to the limits, on their own memory', async (t) => {
  const { sink, rejects } = makeSink();
  const payload = Buffer.alloc(5_000, 'x');
  const reason = RejectReason.GARBAGE;
  const detail = '공'.repeat(500);
  await sink.accept('D01', { samples: [], rejects: [{ reason, detail, payload }] });
  const [reject] = rejects;
  t.match(reject, { timeMs: NOW, device: 'D01', reason });
  t.equal(reject?.head.length, REJECT_HEAD_BYTES);
  t.not(reject?.head.buffer, payload.buffer);
  t.ok(Buffer.byteLength(reject?.detail ?? '') <= REJECT_DETAIL_BYTES);
  t.notMatch(reject?.detail, /\uFFFD/, 'no half characters');
});

t.test('a time that the wire cannot carry becomes a reject, the rest goes on', async (t) => {
  const { sink, readings, rejects } = makeSink();
  const bad = output(Number.NaN).samples;
  const far = output(9e15).samples;
  const good = output(NOW).samples;
  await sink.accept('D01', { samples: [...bad, ...good, ...far], rejects: [] });
  t.equal(readings.length, 1);
  t.same(
    rejects.map(({ reason }) => reason),
    [RejectReason.BAD_TIME, RejectReason.BAD_TIME],
  );
  t.match(Buffer.from(rejects[0]?.head ?? []).toString(), /"channel":"c"/);
});
