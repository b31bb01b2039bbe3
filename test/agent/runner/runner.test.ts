import t from 'tap';
import type { RunnerEvent, RunnerSettings } from '../../../agent/runner/contract.ts';
import { Runner } from '../../../agent/runner/runner.ts';
import type {
  PolledReader,
  PushedReader,
  Reader,
  ReaderOutput,
  SampledValue,
  Sink,
} from '../../../agent/types.ts';
import { ReaderFailure } from '../../../agent/types.ts';
import { Quality } from '../../../proto/model.ts';
import { settle, VirtualTime } from '../../support/virtual-time.ts';

/** 250 ms after a multiple of every interval used here. */
const START_MS = Date.UTC(2026, 0, 1) + 250;

const SETTINGS: RunnerSettings = {
  device: 'D01',
  reader: 'fake',
  kind: 'polled',
  intervalMs: 1_000,
  jitterMs: 0,
  timeoutMs: 500,
  retries: 0,
  watchdogMs: 0,
  pollAtStart: false,
};

function sampleOf(value: SampledValue['value'], quality: SampledValue['quality'] = Quality.GOOD) {
  const values: SampledValue[] = [{ channel: 'a', value, quality }];
  return { samples: [{ sourceTimeMs: undefined, values }], rejects: [] };
}

const GOOD: ReaderOutput = sampleOf(1);

interface Bench {
  time: VirtualTime;
  runner: Runner;
  /** Wall times of the polls, less START_MS - 250. */
  pollTimes: number[];
  outputs: ReaderOutput[];
  events: RunnerEvent[];
  created: number;
  closed: number;
}

interface BenchOptions extends Partial<RunnerSettings> {
  poll?: (signal: AbortSignal, time: VirtualTime, count: number) => Promise<ReaderOutput>;
  close?: () => Promise<void>;
  run?: PushedReader['run'];
  restartAtEnd?: boolean;
  accept?: Sink['accept'];
  random?: () => number;
  time?: VirtualTime;
}

/** A runner over a fake reader, in virtual time. */
function bench(options: BenchOptions = {}): Bench {
  const { poll, close, run, restartAtEnd, accept, random, ...settings } = options;
  const time = options.time ?? new VirtualTime(START_MS);
  const state: Omit<Bench, 'runner'> = {
    time,
    pollTimes: [],
    outputs: [],
    events: [],
    created: 0,
    closed: 0,
  };
  const polled: PolledReader = {
    kind: 'polled',
    poll: async (signal) => {
      state.pollTimes.push(time.clock.wallMs() - (START_MS - 250));
      return (await poll?.(signal, time, state.pollTimes.length)) ?? GOOD;
    },
    close: async () => {
      state.closed += 1;
      await close?.();
    },
  };
  const createReader = (): Reader => {
    state.created += 1;
    if (run === undefined) return polled;
    return { kind: 'pushed', run, ...(restartAtEnd !== undefined && { restartAtEnd }) };
  };
  const { time: _, ...rest } = settings;
  const runner = new Runner(
    { ...SETTINGS, kind: run === undefined ? 'polled' : 'pushed', ...rest },
    {
      createReader,
      sink: {
        accept: async (device, output) => {
          state.outputs.push(output);
          await accept?.(device, output);
        },
      },
      clock: time.clock,
      scheduler: time.scheduler,
      random: random ?? (() => 0),
      observer: { event: (event) => state.events.push(event) },
    },
  );
  return Object.assign(state, { runner });
}

/** Settles when the signal aborts, as a reader whose device is silent. */
function silent(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

async function end(b: Bench): Promise<void> {
  const stopped = b.runner.stop();
  await b.time.advance(10_000);
  await stopped;
}

t.test('polls at the multiples of the interval', async (t) => {
  const b = bench();
  b.runner.start();
  await b.time.advance(3_000);
  t.same(b.pollTimes, [1_000, 2_000, 3_000]);
  t.equal(b.outputs.length, 3);
  t.match(b.runner.state(), { device: 'D01', reader: 'fake', status: 'ok', errorsTotal: 0 });
  t.equal(b.runner.state().lastGoodMs, START_MS - 250 + 3_000);
  await end(b);
  t.equal(b.closed, 1, 'the reader is closed');
  t.equal(b.runner.state().status, 'stopped');
  t.equal(b.time.pendingTimers, 0, 'no timer is left');
});

t.test('polls at the start when asked to, then aligned', async (t) => {
  const b = bench({ pollAtStart: true });
  b.runner.start();
  await b.time.advance(2_000);
  t.same(b.pollTimes, [250, 1_000, 2_000]);
  await end(b);
});

t.test('jitter delays within its bound and does not drift', async (t) => {
  const randoms = [0.5, 0.1, 0.9, 0];
  const b = bench({ jitterMs: 200, random: () => randoms.shift() ?? 0 });
  b.runner.start();
  await b.time.advance(4_000);
  t.same(b.pollTimes, [1_100, 2_020, 3_180, 4_000]);
  await end(b);
});

t.test('a slow poll skips ticks: never two at once, never a queue', async (t) => {
  let active = 0;
  let activeMax = 0;
  const b = bench({
    timeoutMs: 10_000,
    poll: async (_, time, count) => {
      active += 1;
      activeMax = Math.max(activeMax, active);
      if (count === 1) await time.sleep(3_400);
      active -= 1;
      return GOOD;
    },
  });
  b.runner.start();
  await b.time.advance(6_000);
  t.same(b.pollTimes, [1_000, 5_000, 6_000], 'the next tick after the slow poll, no burst');
  t.equal(activeMax, 1);
  t.equal(b.runner.stats().skippedTotal, 3);
  await end(b);
});

t.test('a slow commit costs no poll', async (t) => {
  const b = bench({ accept: () => b.time.sleep(10_000) });
  b.runner.start();
  await b.time.advance(5_000);
  t.same(b.pollTimes, [1_000, 2_000, 3_000, 4_000, 5_000]);
  t.equal(b.runner.stats().skippedTotal, 0);
  await end(b);
});

t.test('a disk that never commits stops the polls at a bound', async (t) => {
  const b = bench({ accept: () => new Promise(() => {}), stopMs: 1_000 });
  b.runner.start();
  await b.time.advance(1_030_000);
  t.equal(b.pollTimes.length, 1_024);
  await end(b);
});

t.test('a sink that refuses is an error of ours, not of the device', async (t) => {
  const b = bench({
    accept: async () => {
      throw new Error('closed');
    },
  });
  b.runner.start();
  await b.time.advance(2_000);
  t.match(b.runner.state(), { status: 'ok', errorsTotal: 2, lastError: 'closed' });
  await end(b);
});

t.test('clock steps', async (t) => {
  t.test('forward: aligned again within the step check', async (t) => {
    const b = bench({ intervalMs: 60_000 });
    b.runner.start();
    await b.time.advance(5_000);
    b.time.stepWall(30_000);
    await b.time.advance(60_000);
    t.same(b.pollTimes, [60_000], 'not 30 s late');
    await b.time.advance(60_000);
    t.same(b.pollTimes, [60_000, 120_000]);
    await end(b);
  });
  t.test('backward by hours: polling goes on at once', async (t) => {
    const b = bench();
    b.runner.start();
    await b.time.advance(2_000);
    b.time.stepWall(-7_200_400);
    await b.time.advance(3_200);
    t.equal(b.pollTimes.length, 5, 'as many polls as seconds');
    t.ok(
      b.pollTimes.slice(-2).every((ms) => ms % 1_000 === 0),
      'aligned to the new time',
    );
    await end(b);
  });
  t.test('a clock that is slewed backwards a little is not polled twice in a slot', async (t) => {
    const b = bench();
    b.runner.start();
    await b.time.advance(750);
    b.time.stepWall(-20);
    await b.time.advance(2_050);
    t.equal(b.pollTimes.length, 3);
    await end(b);
  });
});

t.test('timeout, retries, backoff', async (t) => {
  t.test('a silent device is given up after the timeout', async (t) => {
    const b = bench({ poll: silent });
    b.runner.start();
    await b.time.advance(1_700);
    t.equal(b.pollTimes.length, 1);
    t.match(b.runner.state(), { status: 'failing', lastError: 'no answer within 500 ms' });
    t.match(b.runner.stats(), { timeoutsTotal: 1, failuresTotal: 1 });
    await end(b);
  });
  t.test('what a reader saved at its timeout is delivered', async (t) => {
    const b = bench({
      poll: async (signal) => {
        await silent(signal).catch(() => {});
        return GOOD;
      },
    });
    b.runner.start();
    await b.time.advance(1_700);
    t.equal(b.outputs.length, 1);
    t.equal(b.runner.state().status, 'ok');
    await end(b);
  });
  t.test('retries grow apart and stop before the next slot', async (t) => {
    const b = bench({
      retries: 10,
      random: () => 1,
      poll: async () => {
        throw new ReaderFailure('refused');
      },
    });
    b.runner.start();
    await b.time.advance(1_740);
    t.same(b.pollTimes, [1_000, 1_250, 1_750], '250, then 500; 1000 more would be too late');
    t.equal(b.runner.stats().retriesTotal, 2);
    await end(b);
  });
  t.test('a retry that succeeds makes the tick good', async (t) => {
    const b = bench({
      retries: 2,
      poll: async (_, __, count) => {
        if (count === 1) throw new ReaderFailure('reset');
        return GOOD;
      },
    });
    b.runner.start();
    await b.time.advance(1_500);
    t.equal(b.outputs.length, 1);
    t.match(b.runner.state(), { status: 'ok', errorsTotal: 1, lastError: 'reset' });
    t.same(
      b.events.map((event) => event.type),
      ['failing', 'recovered'],
    );
    await end(b);
  });
  t.test('what cannot be retried waits for the next tick', async (t) => {
    const b = bench({
      retries: 5,
      poll: async () => {
        throw new ReaderFailure('HTTP 404', { retryable: false });
      },
    });
    b.runner.start();
    await b.time.advance(2_700);
    t.same(b.pollTimes, [1_000, 2_000]);
    await end(b);
  });
  t.test('an error that is no ReaderFailure is one all the same', async (t) => {
    const b = bench({
      poll: async () => {
        throw new TypeError('a defect');
      },
    });
    b.runner.start();
    await b.time.advance(1_000);
    t.match(b.runner.state(), { status: 'failing', lastError: 'a defect' });
    await end(b);
  });
});

t.test('Retry-After is obeyed, to a limit', async (t) => {
  const b = bench({
    retries: 3,
    poll: async (_, __, count) => {
      if (count === 1) throw new ReaderFailure('HTTP 429', { retryAfterMs: 4_500 });
      if (count === 2) throw new ReaderFailure('HTTP 503', { retryAfterMs: 1e12 });
      return GOOD;
    },
  });
  b.runner.start();
  await b.time.advance(7_000);
  t.same(b.pollTimes, [1_000, 6_000], 'nothing before 5.5 s, then the next slot');
  t.equal(b.runner.stats().deferredTotal, 5);
  await b.time.advance(3_601_000);
  t.equal(b.pollTimes[2], 3_606_000, 'at most an hour');
  await end(b);
});

t.test('circuit breaker', async (t) => {
  let dead = true;
  const b = bench({
    retries: 1,
    breakerFailures: 3,
    breakerOpenMs: 2_000,
    breakerOpenMsMax: 8_000,
    random: () => 0.999,
    retryBackoffMs: 10,
    poll: async () => {
      if (dead) throw new ReaderFailure('refused');
      return GOOD;
    },
  });
  b.runner.start();
  await b.time.advance(3_100);
  t.equal(b.runner.stats().breaker, 'open');
  t.equal(b.runner.state().status, 'open');
  t.same(b.events.at(-1), { type: 'breaker_open', error: 'refused' });
  t.equal(b.pollTimes.length, 6, 'three ticks of two attempts');

  const before = b.pollTimes.length;
  await b.time.advance(40_000);
  const probes = b.pollTimes.slice(before);
  const pauses = probes.map((ms, i) => ms - (probes[i - 1] ?? 3_000));
  t.same(
    pauses.slice(0, 4),
    [3_000, 4_000, 8_000, 8_000],
    'single probes, further and further apart',
  );
  t.equal(b.events.filter((event) => event.type === 'breaker_open').length, 1, 'told once');

  dead = false;
  await b.time.advance(9_000);
  t.equal(b.runner.stats().breaker, 'closed');
  t.equal(b.runner.state().status, 'ok');
  const recovered = b.pollTimes.length;
  await b.time.advance(3_000);
  t.equal(b.pollTimes.length, recovered + 3, 'every tick again');
  await end(b);
});

t.test('watchdog', async (t) => {
  t.test('answers without a good sample get the reader made anew', async (t) => {
    const b = bench({ watchdogMs: 5_000, poll: async () => sampleOf(null, Quality.NULL) });
    b.runner.start();
    await b.time.advance(7_000);
    t.equal(b.runner.stats().restartsTotal, 1);
    t.match([b.created, b.closed], [2, 1]);
    t.match(b.events.at(-1), { type: 'restarted', reason: 'watchdog' });
    t.equal(b.runner.state().status, 'failing');
    t.equal(b.outputs.length, 7, 'bad values are delivered all the same');
    await b.time.advance(5_000);
    t.equal(b.runner.stats().restartsTotal, 2, 'and again');
    await end(b);
  });
  t.test('good samples keep it away', async (t) => {
    const b = bench({ watchdogMs: 2_000 });
    b.runner.start();
    await b.time.advance(20_000);
    t.equal(b.runner.stats().restartsTotal, 0);
    await end(b);
  });
  t.test('it gives a polled reader two intervals', async (t) => {
    const b = bench({ watchdogMs: 1_000, intervalMs: 10_000 });
    b.runner.start();
    await b.time.advance(60_000);
    t.equal(b.runner.stats().restartsTotal, 0);
    await end(b);
  });
  t.test('it does not bite while the buffer is what holds us', async (t) => {
    const b = bench({ watchdogMs: 2_000, accept: () => b.time.sleep(20_000) });
    b.runner.start();
    await b.time.advance(15_000);
    t.equal(b.runner.stats().restartsTotal, 0);
    await end(b);
  });
  t.test('a reader that ignores its abort is abandoned and made anew', async (t) => {
    const b = bench({
      graceMs: 300,
      poll: (_, __, count) => (count === 1 ? new Promise(() => {}) : Promise.resolve(GOOD)),
      close: () => (b.closed === 1 ? new Promise(() => {}) : Promise.resolve()),
    });
    b.runner.start();
    await b.time.advance(4_000);
    t.equal(b.created, 2);
    t.ok(b.events.some((event) => event.type === 'restarted' && event.reason === 'hung'));
    t.equal(b.runner.state().status, 'ok');
    await end(b);
  });
  t.test('a reader that cannot be made is tried at each tick', async (t) => {
    const time = new VirtualTime(START_MS);
    let created = 0;
    const runner = new Runner(SETTINGS, {
      createReader: () => {
        created += 1;
        if (created < 3) throw new Error('no such file');
        return { kind: 'polled', poll: async () => GOOD, close: async () => {} };
      },
      sink: { accept: async () => {} },
      clock: time.clock,
      scheduler: time.scheduler,
      random: () => 0,
    });
    runner.start();
    await time.advance(2_500);
    t.match(runner.state(), { status: 'failing', errorsTotal: 2, lastError: 'no such file' });
    await time.advance(1_000);
    t.equal(runner.state().status, 'ok');
    await runner.stop();
  });
});

t.test('rejects count as errors and the device as failing', async (t) => {
  const payload = Buffer.from('x');
  const b = bench({
    poll: async () => ({ samples: [], rejects: [{ reason: 'garbage', detail: 'no', payload }] }),
  });
  b.runner.start();
  await b.time.advance(2_000);
  t.match(b.runner.state(), { status: 'failing', errorsTotal: 2, lastError: 'garbage: no' });
  t.equal(b.outputs.length, 2);
  t.equal(b.runner.stats().breaker, 'closed', 'it does answer');
  await end(b);
});

t.test('one slow or dead device does not delay another', async (t) => {
  const time = new VirtualTime(START_MS);
  const slow = bench({ time, poll: silent });
  const blocked = bench({ time, accept: () => new Promise(() => {}), stopMs: 1_000 });
  const healthy = bench({ time });
  for (const b of [slow, blocked, healthy]) b.runner.start();
  await time.advance(10_000);
  t.same(
    healthy.pollTimes,
    Array.from({ length: 10 }, (_, i) => (i + 1) * 1_000),
  );
  await Promise.all([end(slow), end(blocked), end(healthy)]);
});

t.test('stop', async (t) => {
  t.test('delivers what was received and waits for its commit', async (t) => {
    let committed = false;
    const b = bench({
      accept: async () => {
        await b.time.sleep(300);
        committed = true;
      },
    });
    b.runner.start();
    await b.time.advance(800);
    t.equal(b.outputs.length, 1);
    t.notOk(committed);
    const stopped = b.runner.stop();
    await b.time.advance(300);
    await stopped;
    t.ok(committed);
  });
  t.test('aborts a poll, and delivers what it saved', async (t) => {
    const b = bench({
      poll: async (signal) => {
        await silent(signal).catch(() => {});
        return GOOD;
      },
    });
    b.runner.start();
    await b.time.advance(800);
    t.equal(b.outputs.length, 0);
    await b.runner.stop();
    t.equal(b.outputs.length, 1);
    t.equal(b.closed, 1);
  });
  t.test('ends in time whatever hangs', async (t) => {
    for (const options of [
      { poll: () => new Promise<never>(() => {}) },
      { accept: () => new Promise<never>(() => {}) },
      { close: () => new Promise<never>(() => {}) },
    ]) {
      const b = bench({ ...options, stopMs: 2_000 });
      b.runner.start();
      await b.time.advance(800);
      let done = false;
      const stopped = b.runner.stop().then(() => {
        done = true;
      });
      await b.time.advance(2_000);
      t.ok(done, `${Object.keys(options)} hangs`);
      await stopped;
    }
  });
  t.test('before the first tick, in a retry pause, and twice', async (t) => {
    const waiting = bench();
    waiting.runner.start();
    await waiting.runner.stop();
    await waiting.runner.stop();
    t.equal(waiting.time.pendingTimers, 0);

    const retrying = bench({
      intervalMs: 60_000,
      retries: 3,
      retryBackoffMs: 5_000,
      pollAtStart: true,
      poll: async () => {
        throw new ReaderFailure('refused');
      },
    });
    retrying.runner.start();
    await retrying.time.advance(1_000);
    await retrying.runner.stop();
    t.equal(retrying.pollTimes.length, 1);
    t.equal(retrying.time.pendingTimers, 0);
  });
});

t.test('pushed readers', async (t) => {
  t.test('emit resolves when the sink has it', async (t) => {
    let emitted = 0;
    const b = bench({
      run: async (emit, signal) => {
        for (let i = 0; i < 3; i++) {
          await emit(GOOD);
          emitted += 1;
        }
        await silent(signal).catch(() => {});
      },
      accept: () => b.time.sleep(100),
    });
    b.runner.start();
    await b.time.advance(150);
    t.equal(emitted, 1);
    await b.time.advance(150);
    t.equal(emitted, 3);
    t.equal(b.runner.state().status, 'ok');
    await end(b);
    t.equal(b.runner.state().status, 'stopped');
  });
  t.test('is started again with growing pauses, at once more after a good life', async (t) => {
    const starts: number[] = [];
    const b = bench({
      random: () => 1,
      restartBackoffMs: 1_000,
      restartBackoffMsMax: 4_000,
      run: async (emit) => {
        starts.push(b.time.clock.monoMs());
        await b.time.sleep(1);
        if (starts.length === 5) await emit(GOOD);
        throw new ReaderFailure('ended with code 1');
      },
    });
    b.runner.start();
    await b.time.advance(30_000);
    const pauses = starts.slice(1).map((ms, i) => ms - 1 - (starts[i] ?? 0));
    t.same(pauses.slice(0, 6), [1_000, 2_000, 4_000, 4_000, 1_000, 1_000]);
    t.equal(b.runner.stats().restartsTotal, starts.length - 1);
    t.match(b.runner.state(), { status: 'failing', lastError: 'ended with code 1' });
    await end(b);
  });
  t.test('one that is finished is not started again', async (t) => {
    const b = bench({ restartAtEnd: false, run: (emit) => emit(GOOD) });
    b.runner.start();
    await b.time.advance(60_000);
    t.equal(b.created, 1);
    t.equal(b.runner.state().status, 'stopped');
    t.same(b.events, [{ type: 'finished' }]);
    await end(b);
  });
  t.test('the watchdog restarts a silent one', async (t) => {
    const b = bench({
      watchdogMs: 3_000,
      run: async (emit, signal) => {
        await emit(GOOD);
        await silent(signal).catch(() => {});
      },
      restartAtEnd: false,
    });
    b.runner.start();
    await b.time.advance(4_100);
    t.equal(b.created, 2);
    t.equal(b.runner.stats().restartsTotal, 1);
    t.match(b.events, [{ type: 'restarted', reason: 'watchdog' }]);
    await end(b);
  });
  t.test('stop waits for the last emits and refuses later ones', async (t) => {
    let lateError: unknown;
    const b = bench({
      stopMs: 2_000,
      run: async (emit, signal) => {
        await silent(signal).catch(() => {});
        await emit(GOOD);
        void b.time.sleep(5_000).then(() => emit(GOOD).catch((error) => (lateError = error)));
      },
    });
    b.runner.start();
    await b.time.advance(1_000);
    await b.runner.stop();
    t.equal(b.outputs.length, 1);
    await b.time.advance(10_000);
    await settle();
    t.match(lateError, { name: 'ReaderFailure' });
    t.equal(b.outputs.length, 1);
  });
  t.test('a sink that refuses ends its life, and it is started again', async (t) => {
    const b = bench({
      run: async (emit) => {
        await emit(GOOD);
      },
      accept: async () => {
        if (b.outputs.length === 1) throw new Error('full');
      },
    });
    b.runner.start();
    await b.time.advance(1_500);
    t.ok(b.outputs.length >= 2);
    t.equal(b.runner.state().lastError, 'full');
    await end(b);
  });
});
