import t from 'tap';
import {
  checkDevices,
  isUsable,
  qualityText,
  renderReports,
} from '../../../agent/commands/check.ts';
import type { DeviceConfig } from '../../../agent/config/values.ts';
import type { ReaderType } from '../../../agent/readers/spec.ts';
import type { Reader, ReaderOutput } from '../../../agent/types.ts';
import { ReaderFailure } from '../../../agent/types.ts';
import { Quality, RejectReason } from '../../../proto/model.ts';

const good: ReaderOutput = {
  samples: [
    {
      sourceTimeMs: Date.UTC(2026, 0, 2, 3, 4, 5),
      values: [
        { channel: 'temperature', value: 21.5, quality: Quality.GOOD },
        { channel: 'state', value: 'läuft', quality: Quality.GOOD },
        { channel: 'pressure', value: null, quality: Quality.NULL },
      ],
    },
  ],
  rejects: [],
};

function polled(
  poll: (signal: AbortSignal) => Promise<ReaderOutput>,
  closed = { count: 0 },
): Reader {
  return {
    kind: 'polled',
    poll,
    close: async () => {
      closed.count++;
    },
  };
}

function device(name: string, reader: string, timeoutMs = 1_000): DeviceConfig {
  return {
    name,
    reader,
    intervalMs: 1_000,
    jitterMs: 0,
    retries: 5,
    timeoutMs,
    watchdogMs: 0,
    spec: { device: name, options: {}, channels: {}, timeoutMs, baseDir: '.' },
    report: new Map(),
    fingerprint: name,
  };
}

function types(readers: Record<string, () => Reader>): Record<string, ReaderType> {
  return Object.fromEntries(
    Object.entries(readers).map(([name, create]): [string, ReaderType] => [
      name,
      {
        kind: 'polled',
        title: name,
        deviceSchema: {},
        channelSchema: {},
        channelsRequired: false,
        check: () => [],
        create,
      },
    ]),
  );
}

const deps = { clock: { wallMs: Date.now, monoMs: () => performance.now() }, env: {} };

t.test('each device once, in order, whatever it does', async (t) => {
  const closed = { count: 0 };
  let polls = 0;
  const readers = types({
    good: () =>
      polled(async () => {
        polls++;
        return good;
      }, closed),
    failing: () =>
      polled(async () => {
        throw new ReaderFailure('connect ECONNREFUSED');
      }, closed),
    hanging: () => polled(() => new Promise(() => {}), closed),
    slow: () =>
      polled(
        (signal) =>
          new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason));
          }),
        closed,
      ),
    rejecting: () =>
      polled(async () => ({
        samples: [],
        rejects: [{ reason: RejectReason.GARBAGE, detail: 'not JSON', payload: Buffer.from('<') }],
      })),
    empty: () => polled(async () => ({ samples: [], rejects: [] })),
    broken: () => {
      throw new Error('cannot be made');
    },
    pushing: () => ({
      kind: 'pushed',
      run: async (emit, signal) => {
        await emit(good);
        if (!signal.aborted) await emit({ samples: [], rejects: [] });
      },
    }),
    ending: () => ({ kind: 'pushed', run: async () => {} }),
  });
  const names = Object.keys(readers);
  const devices = names.map((name) => device(`dev-${name}`, name, 50));
  const reports = await checkDevices(devices, readers, deps);
  t.same(
    reports.map(({ device: name }) => name),
    names.map((name) => `dev-${name}`),
  );
  t.same(reports.map(isUsable), [true, false, false, false, false, false, false, true, false]);
  t.equal(polls, 1, 'no retries');
  t.equal(closed.count, 4, 'closed, also when it failed');
  const table = renderReports(reports);
  for (const expected of [
    /^device +channel +value +quality +time +ms\n/,
    /\ndev-good +temperature +21\.5 +good +2026-01-02T03:04:05\.000Z +\d+\n/,
    /\ndev-good +state +"läuft" +good /,
    /\ndev-good +pressure +- +bad \(null\) /,
    /\ndev-failing +- +- +error: connect ECONNREFUSED +- +\d+\n/,
    /\ndev-hanging +- +- +error: no answer within 50 ms/,
    /\ndev-slow +- +- +error: no answer within 50 ms/,
    /\ndev-rejecting +- +- +rejected: garbage, not JSON/,
    /\ndev-empty +- +- +nothing/,
    /\ndev-broken +- +- +error: cannot be made/,
    /\ndev-ending +- +- +error: it ended without a reading/,
  ]) {
    t.match(table, expected);
  }
});

t.test('many devices are asked side by side, within a bound', async (t) => {
  let now = 0;
  let most = 0;
  const readers = types({
    good: () =>
      polled(async () => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setImmediate(resolve));
        now--;
        return good;
      }),
  });
  const devices = Array.from({ length: 100 }, (_, i) => device(`D${i}`, 'good'));
  const reports = await checkDevices(devices, readers, deps);
  t.equal(reports.filter(isUsable).length, 100);
  t.ok(most > 1 && most <= 16, `${most} at once`);
});

t.test('qualities in words', async (t) => {
  t.equal(qualityText(Quality.GOOD), 'good');
  t.equal(qualityText(Quality.WRONG_TYPE), 'bad (wrong type)');
  t.equal(qualityText(Quality.CLOCK_UNSYNCED), 'uncertain (clock unsynced)');
  t.equal(qualityText(31 << 2), 'good (reason 31)');
});
