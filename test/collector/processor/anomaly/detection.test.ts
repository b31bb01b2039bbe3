import t from 'tap';
import { GatewayDetection } from '../../../../collector/processor/anomaly/detection.ts';
import {
  CHANNEL_FIELDS,
  DEVICE_FIELDS,
  DeviceStates,
} from '../../../../collector/processor/anomaly/devices.ts';
import type { Row } from '../../../support/detection.ts';
import {
  columnsOf,
  INTERVAL_MS,
  only,
  plainRows,
  rowsOf,
  SITE,
  START_MS,
  Watched,
} from '../../../support/detection.ts';

const LEARNT = 1_500;
const PLAIN = plainRows(LEARNT);
const at = (row: number): { startMs: number } => ({ startMs: START_MS + row * INTERVAL_MS });

/** Without a profile: the defaults. */
function learnt(): Watched {
  const device = new Watched();
  device.feed(rowsOf(PLAIN));
  t.same(device.changes, []);
  return device;
}

t.test('one anomaly an event, whatever many detectors and channels say', async (t) => {
  const device = learnt();
  const wrong = Array.from({ length: 120 }, () => ({ a: 500, b: -500, c: 500 }));
  device.feed(rowsOf([...wrong, ...plainRows(300, 'b')], at(LEARNT)));
  t.equal(device.onsets.length, 1);
  const phases = device.changes.map(({ phase }) => phase);
  t.equal(phases.filter((phase) => phase === 'peak').length <= 8, true);
  t.equal(phases.at(-1), 'end');
  t.equal(new Set(device.changes.map(({ onsetMs }) => onsetMs)).size, 1);
  const [onset] = device.onsets;
  t.equal(onset?.channels.length, 3);
  t.match(onset?.channels[0], { channel: onset?.channel, detector: onset?.detector });
});

t.test('scores: 0 to 1, from 0.5 on an anomaly is open', async (t) => {
  const device = learnt();
  device.feed(rowsOf([{ a: 500, b: 50, c: 50 }], at(LEARNT)));
  const last = device.scores.at(-1)!;
  t.match(last, { isOnset: true, isOpen: true, device: 'D01', timeMs: at(LEARNT).startMs });
  t.equal(device.detection.scoreOf('D01'), last.score);
  t.ok(last.score > 0.5 && last.score <= 1);
  t.equal(last.reason?.en, device.onsets[0]?.reason.en);
  t.equal(device.detection.scoreOf('D02'), 0);
  for (const { score, isOpen } of device.scores) t.ok(score < 0.5 || isOpen);
});

t.test('a gap is no breach: nothing begins after it', async (t) => {
  for (const pauseMs of [60_000, 3_600_000, 86_400_000, 40 * 86_400_000]) {
    const device = learnt();
    const later = { startMs: at(LEARNT).startMs + pauseMs };
    device.feed(rowsOf(plainRows(300, 'b'), later));
    t.same(device.onsets, [], `${pauseMs} ms`);
  }
});

t.test('no data: what is open ends when it was last abnormal', async (t) => {
  const device = learnt();
  device.feed(rowsOf(Array(3).fill({ a: 500, b: 50, c: 50 }), at(LEARNT)));
  const [end] = device.detection.silent('D01', at(LEARNT + 1_000).startMs);
  t.match(end, { phase: 'end', onsetMs: at(LEARNT).startMs });
  t.ok(end!.endMs >= end!.onsetMs && end!.endMs <= at(LEARNT + 2).startMs);
  t.same(device.detection.silent('D01', 0), []);
  t.same(device.detection.silent('unheard of', 0), []);
  t.equal(device.detection.scoreOf('D01'), 0);
});

/** Rows whose seqs come before those that were fed before. */
function feedLate(device: Watched, rows: readonly Row[], seq: number): void {
  device.feed(rows, { seq, chunkRows: rows.length });
}

t.test(
  'late readings: judged in their own time, told at most once an hour, and never learnt',
  async (t) => {
    const late = rowsOf([...PLAIN.slice(0, 20), ...Array(20).fill({ a: 500, b: 50, c: 50 })], {
      startMs: START_MS + 5_000,
    });
    const [device, other] = [learnt(), learnt()];
    // Seqs 1 to 120 came already; what is fed here has the seqs of readings that were skipped.
    feedLate(device, late.slice(0, 30), 1);
    feedLate(device, late.slice(30), 2);
    t.same(
      device.changes.map(({ phase, onsetMs, endMs }) => [phase, onsetMs, endMs]),
      [
        ['onset', late[20]!.timeMs, 0],
        ['end', late[20]!.timeMs, late[20]!.timeMs],
      ],
    );
    t.equal(device.scores.filter(({ score }) => score >= 0.5).length, 20);
    const next = rowsOf([...plainRows(100, 'b'), { a: 300, b: 50, c: 50 }], at(LEARNT));
    device.feed(next);
    other.feed(next);
    t.same(
      device.scores.slice(-101).map(({ score }) => score),
      other.scores.slice(-101).map(({ score }) => score),
    );
  },
);

t.test('late readings do not disturb what is open', async (t) => {
  const device = learnt();
  device.feed(rowsOf(Array(3).fill({ a: 500, b: 50, c: 50 }), at(LEARNT)));
  const before = device.changes.length;
  feedLate(device, rowsOf(Array(5).fill({ a: -900, b: 50, c: 50 })), 1);
  t.equal(device.changes.length, before);
  t.same(device.detection.silent('D01', 0).length, 1);
});

t.test('switched off: nothing is learnt, and what is open ends', async (t) => {
  const device = learnt();
  device.feed(rowsOf([{ a: 500, b: 50, c: 50 }], at(LEARNT)));
  const off = { enabled: false, off: [], falseAlarmsPerDay: 0.1, trainRows: 400 };
  device.configuration = new Watched([{ a: {} }, { detection: off }]).configuration;
  const changes = device.feed(rowsOf([{ a: 900, b: 50, c: 50 }], at(LEARNT + 1)));
  t.same(
    changes.map(({ phase }) => phase),
    ['end'],
  );
});

t.test('null and what the profile says is no value are missing, not abnormal', async (t) => {
  const device = new Watched([
    { a: { sentinels: [-1] } },
    only('novelty', 'drift', 'device', 'stuck'),
  ]);
  device.feed(rowsOf(PLAIN.map(({ a }) => ({ a: a! }))));
  device.feed(rowsOf(Array(100).fill({ a: -1 }), at(LEARNT)));
  device.feed(rowsOf(Array(100).fill({ a: null }), at(LEARNT + 100)));
  t.same(device.changes, []);
});

t.test('memory: at most 8,192 bytes a channel, in numbers and in a snapshot', async (t) => {
  t.ok(CHANNEL_FIELDS * 8 <= 8_192 - 8 * DEVICE_FIELDS, `${CHANNEL_FIELDS * 8} bytes`);
  const device = new Watched();
  const values = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`c${i}`, i]));
  device.feed(rowsOf(Array(500).fill(values)));
  t.ok(device.detection.encode().length / 40 <= 8_192);
});

t.test('beyond the bound the device that was unseen longest is forgotten', async (t) => {
  const device = new Watched();
  device.detection = new GatewayDetection(SITE, new DeviceStates(9));
  for (const name of ['D01', 'D02', 'D03'])
    device.feed(rowsOf(PLAIN.slice(0, 5)), { device: name });
  device.feed(rowsOf(PLAIN.slice(5, 10), at(5)), { device: 'D01' });
  device.feed(rowsOf(PLAIN.slice(0, 5)), { device: 'D04' });
  const states = DeviceStates.decode(device.detection.encode(), 9)!;
  t.equal(states.channelCount, 9);
  t.same(
    ['D01', 'D02', 'D03', 'D04'].map((name) => states.find(name) !== undefined),
    [true, false, true, true],
  );
});

t.test(
  'more channels than a gateway or a device may have: the others are left alone',
  async (t) => {
    const device = new Watched();
    device.detection = new GatewayDetection(SITE, new DeviceStates(2));
    device.feed(rowsOf(PLAIN.slice(0, 5)));
    const states = DeviceStates.decode(device.detection.encode(), 2)!;
    t.same(states.find('D01')?.channels, ['a', 'b']);
  },
);

t.test('foreign bytes are refused', async (t) => {
  const bytes = learnt().detection.encode();
  t.ok(GatewayDetection.decode(SITE, bytes));
  t.ok(GatewayDetection.decode(SITE, Buffer.from(bytes)), 'a Buffer, at any place of its memory');
  t.equal(GatewayDetection.decode(SITE, new Uint8Array()), undefined);
  t.equal(GatewayDetection.decode(SITE, bytes.subarray(0, 40)), undefined);
  t.equal(GatewayDetection.decode(SITE, bytes.subarray(0, bytes.length - 8)), undefined);
  for (const place of [0, 4, 9, 13, 17, 25, 40, bytes.length - 1]) {
    const damaged = Uint8Array.from(bytes);
    damaged[place] = damaged[place]! ^ 1;
    t.equal(GatewayDetection.decode(SITE, damaged), undefined, `byte ${place}`);
  }
});

t.test('text channels are left alone', async (t) => {
  const device = new Watched();
  const columns = columnsOf(rowsOf(PLAIN.slice(0, 3)));
  for (const series of columns.series) series.kind = 17;
  device.feedColumns(columns);
  t.same(device.scores, []);
});
