import t from 'tap';
import { only, plainRows, rowsOf, START_MS, Watched } from '../../../support/detection.ts';

const TRAINED = 2_000;
const LATER = { startMs: START_MS + TRAINED * 10_000 };

function trained(): Watched {
  const device = new Watched([{ a: { unit: 'rpm' }, b: {}, c: {} }, only('device')]);
  device.feed(rowsOf(plainRows(TRAINED)));
  t.same(device.onsets, []);
  return device;
}

t.test('the level of one channel goes off: latched until it is back', async (t) => {
  const device = trained();
  const off = plainRows(200, 'b').map(({ a, b, c }, i) => ({
    a: Number(a) + Math.min(50, i),
    b: b!,
    c: c!,
  }));
  device.feed(rowsOf([...off, ...plainRows(100, 'c')], LATER));
  t.equal(device.onsets.length, 1);
  const [onset] = device.onsets;
  t.match(onset, { detector: 'device', channel: 'a' });
  t.ok(onset!.onsetMs < LATER.startMs + 70 * 10_000);
  t.match(onset?.reason.en, /^a: level about .* rpm; for this device .* rpm to .* rpm is expected/);
  const end = device.changes.at(-1)!;
  t.equal(end.phase, 'end');
  t.ok(end.endMs >= LATER.startMs + 199 * 10_000);
});

t.test('unusually noisy', async (t) => {
  const device = trained();
  const noisy = plainRows(300, 'b').map(({ a, b, c }, i) => ({
    a: a!,
    b: Number(b) + (i % 2 ? 12 : -12),
    c: c!,
  }));
  device.feed(rowsOf(noisy, LATER));
  t.equal(device.onsets.length, 1);
  t.match(device.onsets[0], { channel: 'b' });
  t.match(device.onsets[0]?.reason, { en: /unusually noisy/, ko: /변동이 큽니다/ });
});

t.test('says nothing before it is trained, nor of a device with one channel', async (t) => {
  const device = new Watched([{ a: {}, b: {}, c: {} }, only('device')]);
  device.feed(rowsOf(plainRows(350)));
  device.feed(rowsOf(Array(40).fill({ a: 1e4, b: 0, c: 0 }), { startMs: START_MS + 3_500_000 }));
  t.same(device.changes, []);
  const one = new Watched([{ a: {} }, only('device')]);
  const alone = plainRows(TRAINED).map(({ a }) => ({ a: a! }));
  one.feed(rowsOf([...alone, ...Array(50).fill({ a: 1e4 })]));
  t.same(one.changes, []);
});

t.test('channels that are read at different rates, in one chunk or in many', async (t) => {
  const rows = rowsOf(plainRows(TRAINED)).map(({ timeMs, values }, i) => ({
    timeMs,
    values: i % 6 === 0 ? values : { a: values.a! },
  }));
  const off = rowsOf(Array(60).fill({ a: 200 }), LATER);
  const told = [1, 7, 500].map((chunkRows) => {
    const device = new Watched([{ a: {}, b: {}, c: {} }, only('device')]);
    device.feed([...rows, ...off], { chunkRows });
    return device.changes;
  });
  t.equal(told[0]?.[0]?.phase, 'onset');
  t.same(told[1], told[0]);
  t.same(told[2], told[0]);
});
