/** The collector's time as a witness: when it counts against the machine's clock, and when not. */

import fc from 'fast-check';
import t from 'tap';
import type { HeardTime, HeardTimes } from '../../../agent/clock.ts';
import {
  ClockMonitor,
  CONTENDER_MS,
  judge,
  PROGRAM_DATE_MS,
  STABLE_MS,
  TOLERANCE_MS,
  weigh,
} from '../../../agent/clock.ts';
import type { ClockState } from '../../../agent/types.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 22);

/** A machine whose clock is `aheadMs` off the true time, and what the agent makes of it. */
class World {
  monoMs = 5_000;
  aheadMs: number;
  saved: string | undefined;
  boot = '00000000000000b1';
  monitor: ClockMonitor;

  constructor(aheadMs: number) {
    this.aheadMs = aheadMs;
    this.monitor = this.start();
  }

  get trueMs(): number {
    return NOW + this.monoMs;
  }

  /** How far the readings' times are off. */
  get errorMs(): number {
    return this.monitor.wallMs() - this.trueMs;
  }

  start(): ClockMonitor {
    this.monitor = new ClockMonitor({
      clock: { wallMs: () => this.trueMs + this.aheadMs, monoMs: () => this.monoMs },
      boot: this.boot,
      awaitsCollector: true,
      load: () => this.saved,
      save: (state) => {
        this.saved = state;
      },
    });
    return this.monitor;
  }

  pass(ms: number): ClockState {
    for (const end = this.monoMs + ms; this.monoMs < end; ) {
      this.monoMs += 1_000;
      this.monitor.state();
    }
    return this.monitor.state();
  }

  /** The collector, itself `offMs` off the true time. */
  hear(offMs = 0): ClockState {
    this.monitor.hear({ offsetMs: NOW + offMs, heardMonoMs: this.monoMs });
    return this.monitor.state();
  }
}

for (const [what, aheadMs] of [
  ['1970', Date.UTC(1970, 0, 1) - NOW],
  ['2090', Date.UTC(2090, 0, 1) - NOW],
  ['eight hours ago, as a machine without a battery says', -8 * HOUR],
  ['a minute ahead', 60_000],
] as const) {
  t.test(`a clock that says ${what}`, async (t) => {
    const world = new World(aheadMs);
    t.ok(world.pass(600_000).unsynced, 'nobody has confirmed it: what it times is marked');
    t.equal(world.errorMs, aheadMs);
    const state = world.hear();
    t.notOk(state.unsynced);
    t.equal(world.errorMs, 0);
    t.same(state.corrections, [{ boot: world.boot, offsetMs: NOW }], 'for what was marked');
    t.match(world.monitor.compare(), { aheadMs, isOverruled: true });
    t.notOk(world.pass(30 * 24 * HOUR).unsynced, 'and for as long as nobody can be asked');
    t.equal(world.errorMs, 0);
    world.start();
    t.notOk(world.monitor.state().unsynced, 'a restart of the agent forgets nothing');
    t.equal(world.errorMs, 0);
    world.aheadMs = 0;
    t.notOk(world.pass(1_000).unsynced, 'set right: both agree');
    t.match(world.monitor.compare(), { aheadMs: 0, isOverruled: false });
    t.equal(world.errorMs, 0);
    world.boot = '00000000000000b2';
    world.monoMs = 3_000;
    world.start();
    t.ok(world.monitor.state().unsynced, 'after a boot it is asked again');
  });
}

t.test('a clock that is nearly right is left alone', async (t) => {
  for (const aheadMs of [0, 1_500, TOLERANCE_MS, -TOLERANCE_MS]) {
    const world = new World(aheadMs);
    const state = world.hear();
    t.notOk(state.unsynced);
    t.equal(world.errorMs, aheadMs);
    t.same(state.corrections, [{ boot: world.boot, offsetMs: NOW + aheadMs }], 'it is confirmed');
  }
});

t.test('it drifts away, is overruled, and comes back without going to and fro', async (t) => {
  const world = new World(0);
  world.hear();
  let changes = 0;
  let was = false;
  for (const driftMs of [2, -2]) {
    for (let second = 0; second < 3_000; second++) {
      world.aheadMs += driftMs;
      world.pass(1_000);
      if (second % 60 === 0) world.hear();
      const { isOverruled } = world.monitor.compare();
      if (isOverruled !== was) changes++;
      was = isOverruled;
      if (Math.abs(world.errorMs) > TOLERANCE_MS + 2) t.fail(`${world.errorMs} ms off`);
    }
  }
  t.equal(changes, 2);
});

t.test(
  'stepped wrongly by hand: right times go on, marked until the collector is asked',
  async (t) => {
    const world = new World(0);
    world.hear();
    world.pass(HOUR);
    world.aheadMs = 3 * HOUR;
    t.ok(world.pass(1_000).unsynced);
    t.ok(world.monitor.wantsWitness);
    t.equal(world.errorMs, 0);
    t.ok(world.pass(STABLE_MS * 2).unsynced, 'standing still does not make it right');
    t.notOk(world.hear().unsynced);
    t.notOk(world.monitor.wantsWitness);
    t.equal(world.errorMs, 0);
  },
);

t.test('a machine that was asleep: its clock is right, monotonic time stood still', async (t) => {
  const world = new World(0);
  world.hear();
  // To everything here the true time jumped.
  const sleepMs = 3 * HOUR;
  world.aheadMs = sleepMs;
  t.ok(world.pass(1_000).unsynced, 'doubtful');
  const state = world.hear(sleepMs);
  t.notOk(state.unsynced);
  t.equal(world.errorMs, sleepMs, 'the collector says so too: believed at once after a step');
  t.match(world.monitor.compare(), { aheadMs: 0, isOverruled: false });
});

t.test('a collector whose clock jumps drags nobody with it at once', async (t) => {
  const world = new World(0);
  world.hear();
  world.pass(HOUR);
  world.hear(5 * HOUR);
  t.ok(world.monitor.wantsWitness, 'asked again soon');
  t.equal(world.errorMs, 0);
  world.pass(60_000);
  world.hear(5 * HOUR);
  t.equal(world.errorMs, 0);
  world.hear();
  t.notOk(world.monitor.wantsWitness, 'it was a slip');
  world.hear(5 * HOUR);
  world.pass(CONTENDER_MS);
  world.hear(5 * HOUR);
  t.equal(world.errorMs, 5 * HOUR, 'who insists is believed');
});

t.test('a clock that a time service keeps is not overruled', async (t) => {
  const world = new World(0);
  world.monitor.setKept(true);
  t.notOk(world.monitor.state().unsynced, 'and needs nobody to confirm it');
  world.hear(5 * HOUR);
  t.equal(world.errorMs, 0);
  t.notOk(world.monitor.state().unsynced);
  t.match(world.monitor.compare(), { aheadMs: -5 * HOUR, isOverruled: false, isKept: true });
});

t.test('nobody there who could be asked', async (t) => {
  const world = new World(0);
  t.ok(world.pass(60_000).unsynced);
  world.monitor.setAwaited(false);
  const state = world.monitor.state();
  t.notOk(state.unsynced, 'as if there were no collector to ask');
  t.same(state.corrections, [{ boot: world.boot, offsetMs: NOW }]);
});

t.test('a collector that lives before the program says nothing', async (t) => {
  const world = new World(0);
  world.hear(-NOW);
  t.ok(world.monitor.state().unsynced);
  t.equal(world.errorMs, 0);
});

const heard = fc.record({
  offsetMs: fc.integer({ min: NOW - HOUR, max: NOW + HOUR }),
  heardMonoMs: fc.integer({ min: 0, max: 10 * HOUR }),
});

t.test(
  'whatever is said in whatever order: what is believed was said, and is possible',
  async (t) => {
    fc.assert(
      fc.property(fc.array(heard, { maxLength: 30 }), (said) => {
        let times: HeardTimes = { believed: undefined, contender: undefined };
        let latest: HeardTime | undefined;
        for (const one of said.toSorted((a, b) => a.heardMonoMs - b.heardMonoMs)) {
          times = weigh(times, one, undefined);
          latest = one;
          const { believed, contender } = times;
          if (believed === undefined || !said.includes(believed)) return false;
          const isFollowed = believed === latest || contender !== undefined;
          if (!isFollowed) return false;
        }
        return true;
      }),
    );
    t.pass('for all orders');
  },
);

t.test(
  'with a fresh word of the collector the time in use is near it, and nothing is marked',
  async (t) => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4_000_000_000_000 }),
        fc.integer({ min: 0, max: 1e9 }),
        fc.integer({ min: PROGRAM_DATE_MS, max: 4_000_000_000_000 }),
        fc.boolean(),
        (wallMs, monoMs, collectorMs, wasOverruled) => {
          const collector = { offsetMs: collectorMs - monoMs, heardMonoMs: monoMs };
          const witness = { collector, isAwaited: true, isKept: false };
          const first = judge(undefined, wallMs, monoMs, PROGRAM_DATE_MS, witness);
          const before = { ...first, overruledBy: wasOverruled ? collector.offsetMs : undefined };
          const now = judge(before, wallMs, monoMs, PROGRAM_DATE_MS, witness);
          const usedMs = now.overruledBy === undefined ? wallMs : monoMs + now.overruledBy;
          return !now.unsynced && Math.abs(usedMs - collectorMs) <= TOLERANCE_MS;
        },
      ),
    );
    t.pass('for all clocks');
  },
);
