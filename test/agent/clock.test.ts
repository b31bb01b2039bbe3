import { readFileSync } from 'node:fs';
import t from 'tap';
import type { Judgement } from '../../agent/clock.ts';
import {
  bootId,
  ClockMonitor,
  judge,
  PROGRAM_DATE_MS,
  STABLE_MS,
  systemClock,
} from '../../agent/clock.ts';
import type { ClockState } from '../../agent/types.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 22);
const BOOT = '00000000000000b1';

/** A bent wall clock over a monotonic one, and the monitor that looks at them every second. */
class World {
  monoMs = 5_000;
  offsetMs: number;
  saved: string | undefined;
  monitor: ClockMonitor;
  boot = BOOT;

  constructor(wallMs: number) {
    this.offsetMs = wallMs - this.monoMs;
    this.monitor = this.start();
  }

  start(): ClockMonitor {
    this.monitor = new ClockMonitor({
      clock: { wallMs: () => this.monoMs + this.offsetMs, monoMs: () => this.monoMs },
      boot: this.boot,
      load: () => this.saved,
      save: (state) => {
        this.saved = state;
      },
    });
    return this.monitor;
  }

  /** Looks every second. */
  pass(ms: number): ClockState {
    for (const end = this.monoMs + ms; this.monoMs < end; ) {
      this.monoMs += 1000;
      this.monitor.state();
    }
    return this.monitor.state();
  }
}

t.test('a right clock is right from the start, and stays so while it is slewed', async (t) => {
  const world = new World(NOW);
  t.match(world.monitor.state(), { boot: BOOT, unsynced: false, stepsTotal: 0, corrections: [] });
  const state = world.monitor.state();
  for (let i = 0; i < 3600; i++) {
    // 500 ppm, the most that NTP slews: 1.8 s an hour.
    world.offsetMs += 0.5;
    world.pass(1000);
  }
  t.equal(world.monitor.state(), state, 'the same object: nothing changed');
});

t.test('boots in 1970 and gets its time ten minutes later', async (t) => {
  const world = new World(10_000);
  t.match(world.monitor.state(), { unsynced: true, corrections: [] });
  t.match(world.pass(10 * 60_000), { unsynced: true, corrections: [], stepsTotal: 0 });
  const right = NOW - world.monoMs;
  const stepMs = right - world.offsetMs;
  world.offsetMs = right;
  t.match(world.pass(1000), { unsynced: true, corrections: [], stepsTotal: 1, lastStepMs: stepMs });
  t.match(world.pass(STABLE_MS - 2000), { unsynced: true });
  t.match(world.pass(2000), {
    unsynced: false,
    corrections: [{ boot: BOOT, offsetMs: right }],
  });
  t.equal(world.pass(HOUR).corrections.length, 1, 'known as long as the boot lasts');
});

t.test(
  'the correction is known after a restart within the boot, not after another boot',
  async (t) => {
    const world = new World(10_000);
    world.pass(60_000);
    world.offsetMs = NOW - world.monoMs;
    world.pass(2 * STABLE_MS);
    const { corrections } = world.monitor.state();
    t.equal(corrections.length, 1);
    world.monoMs += 30_000;
    world.start();
    t.match(world.monitor.state(), { unsynced: false, corrections, stepsTotal: 0, lastStepMs: 0 });
    world.boot = '00000000000000b2';
    world.start();
    t.match(world.monitor.state(), { unsynced: false, corrections: [] });
  },
);

t.test('the clock gets its time while the agent is down', async (t) => {
  const world = new World(10_000);
  world.pass(60_000);
  world.offsetMs = NOW - world.monoMs;
  world.monoMs += 20_000;
  world.start();
  t.match(world.monitor.state(), { unsynced: true, stepsTotal: 1 });
  t.match(world.pass(STABLE_MS), { unsynced: false, corrections: [{ offsetMs: world.offsetMs }] });
});

t.test('an hour forward, an hour back', async (t) => {
  for (const stepMs of [HOUR, -HOUR]) {
    const world = new World(NOW);
    world.pass(10_000);
    world.offsetMs += stepMs;
    t.match(world.pass(1000), { unsynced: true, stepsTotal: 1, lastStepMs: stepMs });
    world.offsetMs -= stepMs;
    t.match(world.pass(1000), { unsynced: true, stepsTotal: 2, lastStepMs: -stepMs });
    t.match(world.pass(STABLE_MS - 1500), { unsynced: true }, 'stable since the last step only');
    t.match(world.pass(2000), { unsynced: false, corrections: [{ offsetMs: world.offsetMs }] });
  }
});

t.test('a second is no step, a step is seen at the next look', async (t) => {
  const world = new World(NOW);
  world.offsetMs += 1900;
  t.match(world.monitor.state(), { unsynced: false, stepsTotal: 0 });
  world.offsetMs += 2100;
  t.match(world.monitor.state(), { unsynced: true, stepsTotal: 1 });
});

t.test('judge is pure', async (t) => {
  const before: Judgement = judge(undefined, NOW, 1000);
  const frozen = Object.freeze({ ...before });
  t.same(judge(frozen, NOW + HOUR, 2000), judge(frozen, NOW + HOUR, 2000));
  t.equal(judge(undefined, PROGRAM_DATE_MS - 1, 0).unsynced, true);
  t.equal(judge(undefined, PROGRAM_DATE_MS, 0).unsynced, false);
});

t.test('what was saved by another program or damaged is not believed', async (t) => {
  for (const saved of ['', 'null', '[]', '{"boot":"x"}', '{', `{"boot":"${BOOT}"}`]) {
    const world = new World(NOW);
    world.saved = saved;
    world.start();
    t.match(world.monitor.state(), { unsynced: false, corrections: [] }, saved);
  }
});

t.test('the boot id', async (t) => {
  t.match(bootId(), /^[0-9a-f]{16}$/);
  t.match(bootId('/nowhere'), /^[0-9a-f]{16}$/);
  t.not(bootId('/nowhere'), bootId('/nowhere'), 'random where there is none');
  const folder = t.testdir({ boot_id: '0f0f0f0f-0000-0000-f0f0-f0f000000001\n' });
  t.equal(bootId(`${folder}/boot_id`), 'ffffffff00000001');
  if (process.platform === 'linux')
    t.equal(bootId(), bootId(), 'the same in each process of a boot');
});

t.test('the system clock', async (t) => {
  const before = systemClock.monoMs();
  t.ok(Math.abs(systemClock.wallMs() - Date.now()) < 1000);
  t.ok(systemClock.monoMs() >= before);
  if (process.platform !== 'linux') return;
  const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  t.ok(systemClock.monoMs() <= uptimeMs + 1000, 'since boot, so that it goes on after a restart');
  t.ok(systemClock.monoMs() > process.uptime() * 1000 + 1000);
});
