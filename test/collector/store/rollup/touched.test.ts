import fc from 'fast-check';
import t from 'tap';
import type { Units } from '../../../../collector/store/rollup/touched.ts';
import { Touched } from '../../../../collector/store/rollup/touched.ts';

const HOURS: Units = {
  startOf: (_site, minute) => Math.floor(minute / 60) * 60,
  group: (site) => site,
};
const MINUTES: Units = { ...HOURS, startOf: (_site, minute) => minute };

const touch = fc.record({
  site: fc.constantFrom('s1', 's2'),
  device: fc.constantFrom('a', 'b', 'c'),
  from: fc.integer({ min: -200, max: 200 }),
  length: fc.integer({ min: 1, max: 90 }),
  channels: fc.integer({ min: 1, max: 5 }),
});
const limits = fc.record({
  cells: fc.integer({ min: 1, max: 400 }),
  devices: fc.integer({ min: 1, max: 3 }),
  ranges: fc.integer({ min: 1, max: 4 }),
  names: fc.integer({ min: 1, max: 20 }),
});

t.test('what is taken is what was added, once, within the limits', async (t) => {
  const check = fc.property(
    fc.array(fc.record({ add: fc.array(touch, { maxLength: 8 }), takes: fc.nat(4) })),
    limits,
    fc.boolean(),
    (steps, bounds, hourly) => {
      const touched = new Touched(1_000_000);
      const units = hourly ? HOURS : MINUTES;
      const waiting = new Set<string>();
      const take = (): boolean => {
        const slice = touched.take(bounds, units);
        if (slice === undefined) return false;
        const sites = new Set(slice.devices.map(({ site }) => site));
        if (slice.devices.length === 0 || sites.size !== 1) throw new Error('no device or site');
        if (slice.devices.length > bounds.devices) throw new Error('too many devices');
        if (slice.ranges.length > bounds.ranges) throw new Error('too many ranges');
        const isOne = slice.devices.length === 1;
        if (!isOne && slice.cells > bounds.cells) throw new Error('too many cells');
        for (const { site, device } of slice.devices) {
          let found = 0;
          for (const { from, to } of slice.ranges) {
            if (hourly && (from % 60 !== 0 || to % 60 !== 0)) throw new Error('a cut unit');
            for (let minute = from; minute < to; minute++) {
              if (waiting.delete(`${site}/${device}/${minute}`)) found++;
            }
          }
          if (found === 0) throw new Error('a device that was not touched');
        }
        return true;
      };
      for (const { add, takes } of steps) {
        for (const { site, device, from, length, channels } of add) {
          const range = hourly
            ? { from: Math.floor(from / 60) * 60, to: Math.ceil((from + length) / 60) * 60 }
            : { from, to: from + length };
          touched.add(site, device, channels, range);
          for (let minute = range.from; minute < range.to; minute++)
            waiting.add(`${site}/${device}/${minute}`);
        }
        for (let i = 0; i < takes; i++) take();
      }
      for (let i = 0; take(); i++) if (i > 10_000) throw new Error('it never ends');
      if (waiting.size > 0 || !touched.empty || touched.ranges !== 0)
        throw new Error(`${waiting.size} minutes were never taken`);
    },
  );
  fc.assert(check, { numRuns: 300 });
  t.pass('300 runs');
});

t.test('the newest minutes come first, and no more than there is room for', async (t) => {
  const touched = new Touched(3);
  t.ok(touched.add('s', 'd', 7, { from: 0, to: 100 }));
  t.ok(touched.add('s', 'd', 7, { from: 100, to: 200 }), 'ranges that meet are one');
  t.equal(touched.ranges, 1);
  t.ok(touched.add('s', 'd', 7, { from: 300, to: 301 }));
  t.ok(touched.add('s', 'e', 7, { from: 300, to: 301 }));
  t.notOk(touched.add('s', 'f', 7, { from: 0, to: 1 }), 'full');
  const bounds = { cells: 70, devices: 10, ranges: 10, names: 1_000 };
  t.same(touched.take(bounds, MINUTES)?.ranges, [
    { from: 191, to: 200 },
    { from: 300, to: 301 },
  ]);
  t.same(
    touched.take(bounds, MINUTES)?.devices.map(({ device }) => device),
    ['d'],
    'the other device did not fit beside it',
  );
});
