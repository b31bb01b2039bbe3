import t from 'tap';
import { codesOf, Treatment } from '../../../../collector/findings.ts';
import { BEHIND_MAX } from '../../../../collector/processor/validation/limits.ts';
import { RULES } from '../../../../collector/processor/validation/registry.ts';
import { GatewayValidation } from '../../../../collector/processor/validation/validation.ts';
import type { ChannelProfile, DeviceProfile } from '../../../../collector/profile.ts';
import type { Reading, Value } from '../../../../proto/model.ts';
import { Quality } from '../../../../proto/model.ts';
import type { Verdict } from '../../../support/validation.ts';
import { chunkOf, configuration, judge, profile, verdictsOf } from '../../../support/validation.ts';
import { open, reading, sealAll, T0 } from '../../../support/wire.ts';

const { KEPT, FLAGGED, CLIPPED, FILLED, MISSING } = Treatment;

type Given = Value | (Partial<Reading> & { value: Value });

/** One reading a second of channel `a`, the last at T0, in one chunk, each value or with more of a reading. */
function readingsOf(given: readonly Given[]): Reading[] {
  return given.map((one, i) => {
    const timeMs = T0 - (given.length - 1 - i) * 1_000;
    return one !== null && typeof one === 'object'
      ? reading('a', one.value, { timeMs, ...one })
      : reading('a', one, { timeMs, quality: one === null ? Quality.NULL : Quality.GOOD });
  });
}

interface Said {
  /** By place among the readings; undefined: nothing. */
  verdicts: (Verdict | undefined)[];
  quarantined: { at: number; reason: string; detail: string }[];
}

function ask(
  settings: Partial<ChannelProfile>,
  given: readonly Given[],
  device: Partial<DeviceProfile> = {},
): Said {
  const config = configuration({ p: profile({ a: settings }, device) });
  const validation = new GatewayValidation('demo');
  const all: Said = { verdicts: [], quarantined: [] };
  for (const frame of sealAll(readingsOf(given))) {
    const { firstSeq, count } = frame;
    const judgement = judge(validation, config, open(frame), { firstSeq });
    const verdicts = verdictsOf(judgement);
    for (let seq = firstSeq; seq < firstSeq + count; seq++) all.verdicts.push(verdicts.get(seq));
    for (const { seq, reason, detail } of judgement.quarantined) {
      all.quarantined.push({ at: seq - 1, reason, detail });
    }
  }
  return all;
}

/** Codes by place. */
function codes(
  settings: Partial<ChannelProfile>,
  given: readonly Given[],
  device: Partial<DeviceProfile> = {},
): string[] {
  return ask(settings, given, device).verdicts.map((verdict) => verdict?.findings.join() ?? '');
}

function said(findings: string, treatment: number, value?: number): object {
  const verdict = { findings: findings.split(' '), treatment };
  return value === undefined ? verdict : { ...verdict, value };
}

t.test('good readings: nothing is said', async (t) => {
  t.same(codes({ min: 0, max: 10, sentinels: [-1] }, [1, 2.5, 0, 10]), ['', '', '', '']);
  t.equal(RULES.length, new Set(RULES).size);
});

t.test('null_value: keep, flag, fill, quarantine', async (t) => {
  t.same(ask({ onNull: 'keep' }, [1, null]).verdicts[1], said('null_value', KEPT));
  t.same(ask({ onNull: 'flag' }, [1, null]).verdicts[1], said('null_value', FLAGGED));
  t.same(ask({ onNull: 'clip' }, [1, null]).verdicts[1], said('null_value', FLAGGED));
  t.same(ask({ onNull: 'fill' }, [1, 2, null]).verdicts[2], said('null_value', FILLED, 2));
  t.same(
    ask({ onNull: 'fill' }, [null, 2]).verdicts[0],
    said('null_value', FLAGGED),
    'nothing yet',
  );
  const constant = { onNull: 'fill', fill: { kind: 'constant', value: 0 } } as const;
  t.same(ask(constant, [null]).verdicts[0], said('null_value', FILLED, 0));
  const { quarantined, verdicts } = ask({ onNull: 'quarantine' }, [1, null, 2]);
  t.same(quarantined, [{ at: 1, reason: 'rule', detail: 'null_value: null' }]);
  t.same(verdicts, [undefined, undefined, undefined]);
});

t.test('a text is not filled: numbers only are', async (t) => {
  t.same(
    ask({ type: 'text', onNull: 'fill' }, ['x', null]).verdicts[1],
    said('null_value', FLAGGED),
  );
});

t.test('sentinel: counts as missing, whatever the policy', async (t) => {
  const settings = { sentinels: [-1, 999], min: 0, max: 10 };
  t.same(ask({ ...settings, onNull: 'keep' }, [5, -1]).verdicts[1], said('sentinel', MISSING));
  t.same(ask({ ...settings, onNull: 'flag' }, [999]).verdicts[0], said('sentinel', MISSING));
  t.same(ask({ ...settings, onNull: 'fill' }, [5, -1]).verdicts[1], said('sentinel', FILLED, 5));
  t.same(ask({ ...settings, onNull: 'fill' }, [-1]).verdicts[0], said('sentinel', MISSING));
  const { quarantined } = ask({ ...settings, onNull: 'quarantine' }, [5, -1]);
  t.same(quarantined, [{ at: 1, reason: 'rule', detail: 'sentinel: -1' }]);
  t.same(codes({ sentinels: [0] }, [-0, 1]), ['sentinel', ''], '-0 is 0');
});

t.test('not_finite: stored without a value', async (t) => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const settings = { min: 0, max: 10 };
    t.same(ask(settings, [5, value]).verdicts[1], said('not_finite', MISSING));
    t.same(
      ask({ ...settings, onNull: 'fill' }, [5, value]).verdicts[1],
      said('not_finite', FILLED, 5),
    );
  }
  const { quarantined } = ask({ onNull: 'quarantine' }, [Number.NEGATIVE_INFINITY]);
  t.same(quarantined, [{ at: 0, reason: 'rule', detail: 'not_finite: -inf' }]);
});

t.test('wrong_type', async (t) => {
  t.same(codes({ type: 'number' }, ['x', 'y']), ['wrong_type', 'wrong_type']);
  t.same(codes({ type: 'number' }, [true]), ['wrong_type']);
  t.same(codes({ type: 'text' }, [1]), ['wrong_type']);
  t.same(codes({ type: 'boolean' }, ['x']), ['wrong_type']);
  t.same(codes({ type: 'boolean' }, [true, false]), ['', '']);
  t.same(codes({ type: 'boolean' }, [0, 1, 2]), ['', '', 'wrong_type'], 'as a number');
  t.same(
    codes({ type: 'number' }, [{ value: null, quality: Quality.WRONG_TYPE }]),
    ['null_value,wrong_type'],
    'as the agent found it',
  );
  t.same(ask({ onType: 'quarantine' }, ['x']).quarantined, [
    { at: 0, reason: 'rule', detail: 'wrong_type: a text where a number belongs' },
  ]);
  t.same(ask({ onType: 'keep' }, ['x']).verdicts[0], said('wrong_type', KEPT));
  const fill = { onType: 'fill', fill: { kind: 'constant', value: 7 } } as const;
  t.same(ask(fill, ['x']).verdicts[0], said('wrong_type', FILLED, 7));
});

t.test('device_bad: what the device said, not what the agent found', async (t) => {
  t.same(
    codes({}, [
      { value: 1, quality: Quality.DEVICE_BAD },
      { value: 1, quality: Quality.DEVICE_UNCERTAIN },
      { value: null, quality: Quality.DEVICE_ERROR },
      { value: 1, quality: 2 },
      { value: 1, quality: Quality.PRECISION_LOST },
      { value: 1, quality: Quality.CLOCK_CORRECTED },
    ]),
    ['device_bad', 'device_bad', 'null_value,device_bad', 'device_bad', '', ''],
  );
  const given: Given[] = [1, { value: 9, quality: Quality.DEVICE_BAD }, null];
  t.same(ask({ onNull: 'fill' }, given).verdicts[2], said('null_value', FILLED, 1), 'not as good');
});

t.test('out_of_range: keep, flag, clip, fill, quarantine', async (t) => {
  const range = { min: 0, max: 100 };
  t.same(ask({ ...range, onRange: 'keep' }, [101]).verdicts[0], said('out_of_range', KEPT));
  t.same(ask({ ...range, onRange: 'flag' }, [-0.1]).verdicts[0], said('out_of_range', FLAGGED));
  const clipped = ask({ ...range, onRange: 'clip' }, [-5, 50, 1e308]).verdicts;
  t.same(clipped, [
    said('out_of_range', CLIPPED, 0),
    undefined,
    said('out_of_range', CLIPPED, 100),
  ]);
  t.same(
    ask({ ...range, onRange: 'fill' }, [50, 101]).verdicts[1],
    said('out_of_range', FILLED, 50),
  );
  t.same(ask({ ...range, onRange: 'fill' }, [101]).verdicts[0], said('out_of_range', FLAGGED));
  t.same(ask({ ...range, onRange: 'quarantine' }, [101]).quarantined, [
    { at: 0, reason: 'rule', detail: 'out_of_range: 101 is not within 0 to 100' },
  ]);
  t.same(codes({ max: 100 }, [-1e308, 101]), ['', 'out_of_range'], 'one bound');
  t.same(codes({ min: 0 }, [5e-324, -5e-324]), ['', 'out_of_range'], 'subnormal');
  t.same(codes(range, [100, 0, -0]), ['', '', ''], 'inclusive');
  const given = [50, 101, null];
  const filled = ask({ ...range, onRange: 'clip', onNull: 'fill' }, given).verdicts[2];
  t.same(filled, said('null_value', FILLED, 50), 'not as good');
});

t.test('rate_of_change: from the last value that was within it', async (t) => {
  const settings = { ratePerSecondMax: 1 };
  t.same(codes(settings, [1, 2, 3, 9, 4, 5]), ['', '', '', 'rate_of_change', '', '']);
  t.same(
    codes(settings, [1, 4, 4, 4, 4]),
    ['', 'rate_of_change', 'rate_of_change', '', ''],
    'a new level is reached as soon as it can be',
  );
  t.same(codes({ ratePerSecondMax: 0.1 }, [20.1, 20.2, 20.3, 20.4]), ['', '', '', ''], 'decimals');
  t.same(codes(settings, [1e308, -1e308]), ['', 'rate_of_change']);
  t.same(codes({ ...settings, max: 10 }, [9, 500, 10]), ['', 'out_of_range', '']);
  t.same(ask({ ...settings, onRate: 'clip' }, [1, 9]).verdicts[1], said('rate_of_change', FLAGGED));
  t.same(
    ask({ ...settings, onRate: 'fill' }, [1, 9]).verdicts[1],
    said('rate_of_change', FILLED, 1),
  );
  t.same(ask({ ...settings, onRate: 'quarantine' }, [1, 9]).quarantined, [
    { at: 1, reason: 'rule', detail: 'rate_of_change: 9, at most 1 a second' },
  ]);
});

t.test('stuck: after so long, and not across a pause', async (t) => {
  const settings = { stuckAfterMs: 2_000 };
  t.same(codes(settings, [5, 5, 5, 5, 5, 6, 6]), ['', '', '', 'stuck', 'stuck', '', '']);
  t.same(codes({ ...settings, type: 'boolean' }, [true, true, true, true]), ['', '', '', 'stuck']);
  t.same(codes(settings, [0, -0, 0, -0]), ['', '', '', 'stuck'], '-0 is 0');
  t.same(codes(settings, [5, null, null, 5]), ['', 'null_value', 'null_value', 'stuck']);
  const pause = [
    { value: 5, timeMs: T0 - 65_000 },
    { value: 5, timeMs: T0 - 1_000 },
  ];
  t.same(codes(settings, [...pause, 5], { timelyWithinMs: 1e9 }), ['', '', '']);
});

t.test('outlier: far outside the quartiles of the values before', async (t) => {
  const normal = Array.from({ length: 40 }, (_, i) => 10 + (i % 5));
  const settings = { outlierRanges: 3 };
  t.same(codes(settings, [...normal, 100, 12, -100]).slice(40), ['outlier', '', 'outlier']);
  t.same(codes(settings, [...normal.slice(0, 10), 100]).slice(10), [''], 'too few to tell');
  t.same(codes(settings, [...Array(40).fill(7), 100]).slice(40), [''], 'no spread: no measure');
  const levels = [...normal, ...normal.map((value) => value + 50)];
  const level = codes(settings, levels, { timelyWithinMs: 1e9 });
  t.equal(level[40], 'outlier');
  t.equal(level.at(-1), '', 'a new level is not an outlier for ever');
  const full = Array.from({ length: 500 }, (_, i) => i / 5 + ((i * i * 7_919) % 1_009) / 10);
  const found = codes({ outlierRanges: 0.45 }, full, { timelyWithinMs: 1e9 });
  const expected = full.map((value, i) => {
    const window = full.slice(Math.max(0, i - 100), i).toSorted((a, b) => a - b);
    const quarter = Math.floor((window.length - 1) / 4);
    const low = window[quarter]!;
    const high = window[window.length - 1 - quarter]!;
    const far = 0.45 * (high - low);
    return window.length >= 20 && (value < low - far || value > high + far) ? 'outlier' : '';
  });
  t.same(found, expected, 'as by sorting anew');
  t.ok(expected.filter((one) => one !== '').length > 5);
  const huge = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 1e308 : -1e308));
  t.same(codes(settings, [...huge, 0, 5e-324]).slice(40), ['', '']);
});

t.test('same_time and time_backwards', async (t) => {
  const at = (seconds: number): Given => ({
    value: seconds,
    timeMs: T0 - 20_000 + seconds * 1_000,
  });
  t.same(codes({}, [at(1), at(2), at(2), at(1), at(3)]), [
    '',
    '',
    'same_time',
    'time_backwards',
    '',
  ]);
  const quarantined = ask({}, [at(2), at(1)], { onTimeBackwards: 'quarantine' }).quarantined;
  t.same(quarantined, [
    { at: 1, reason: 'rule', detail: 'time_backwards: 2025-12-31T23:59:41.000Z' },
  ]);
  const flagged = ask({}, [at(2), at(2)], { onSameTime: 'fill' }).verdicts[1];
  t.same(flagged, said('same_time', FLAGGED), 'another value would not mend it');
  const given = [at(9), at(1), { value: null, timeMs: T0 - 5_000, quality: Quality.NULL }];
  const filled = ask({ onNull: 'fill' }, given).verdicts[2];
  t.same(filled, said('null_value', FILLED, 9), 'the last good value is that of the newest time');
});

t.test('a clock that was set back: after a while its time counts', async (t) => {
  const ahead = { value: 1, timeMs: T0 + 3_600_000 };
  const after = Array.from({ length: BEHIND_MAX + 2 }, (_, i) => (i % 2 === 0 ? 5 : 500));
  const found = codes({ ratePerSecondMax: 10 }, [ahead, ...after]);
  t.equal(found[0], 'future');
  t.equal(found[1], 'time_backwards');
  t.same(found.slice(2, BEHIND_MAX + 2), Array(BEHIND_MAX).fill(''), 'aside, but in order');
  t.equal(found.at(-1), 'rate_of_change', 'judged anew');
  const same = codes({ stuckAfterMs: 2_000 }, [ahead, ...Array(BEHIND_MAX + 5).fill(1)]);
  t.same(same.slice(-4), ['', '', 'stuck', 'stuck'], 'a run of its own');
});

t.test('late, future, clock_doubt', async (t) => {
  const given: Given[] = [
    { value: 1, timeMs: T0 - 30_001 },
    { value: 1, timeMs: T0 - 30_000 },
    { value: 1, timeMs: T0 + 5_000 },
    { value: 1, timeMs: T0 + 5_001 },
    { value: 1, timeMs: T0 + 6_000, quality: Quality.CLOCK_UNSYNCED },
    { value: 1, timeMs: T0 + 7_000, quality: Quality.CLOCK_CORRECTED },
  ];
  t.same(codes({}, [{ value: 1, quality: Quality.CLOCK_UNSYNCED }, 1]), ['clock_doubt', '']);
  t.same(codes({}, given), ['late', '', '', 'future', 'future,clock_doubt', 'future']);
  t.same(ask({}, given).verdicts[0], said('late', KEPT));
  t.same(ask({}, given).verdicts[3], said('future', FLAGGED));
  t.same(ask({}, given, { onLate: 'quarantine' }).quarantined, [
    { at: 0, reason: 'rule', detail: 'late: 2025-12-31T23:59:29.999Z' },
  ]);
});

t.test('too_old and too_new: to quarantine, without a trace', async (t) => {
  const given: Given[] = [
    { value: 1, timeMs: Date.UTC(2001, 0, 1) },
    { value: 2, timeMs: T0 - 1 },
    { value: 3, timeMs: Date.UTC(2099, 0, 1) },
    null,
  ];
  const { verdicts, quarantined } = ask({ onNull: 'fill', min: 2 }, given);
  t.same(verdicts, [undefined, undefined, undefined, said('null_value', FILLED, 2)]);
  t.same(quarantined, [
    { at: 0, reason: 'too_old', detail: '2001-01-01T00:00:00.000Z: before the retention' },
    { at: 2, reason: 'too_new', detail: '2099-01-01T00:00:00.000Z: too far ahead' },
  ]);
  const config = configuration({}, { retentionMs: 0 });
  const old = chunkOf([reading('a', 1, { timeMs: Date.UTC(2001, 0, 1) })]);
  t.same(judge(new GatewayValidation('demo'), config, old).quarantined, [], 'no retention');
});

t.test('type_changed: once, at the first reading of the other type', async (t) => {
  const config = configuration({});
  const validation = new GatewayValidation('demo');
  const send = (value: Value, seq: number, minutes: number) =>
    judge(validation, config, chunkOf([reading('a', value, { timeMs: T0 + minutes * 60_000 })]), {
      firstSeq: seq,
      receivedMs: T0 + minutes * 60_000,
    });
  t.same(send(1, 1, 0).typeChanges, []);
  const changed = send('x', 2, 1);
  t.same(changed.typeChanges, [{ device: 'D01', channel: 'a', from: 'number', to: 'text' }]);
  t.same(codesOf(changed.annotations[0]!.findings), ['type_changed']);
  t.same(send(null, 3, 2).typeChanges, []);
  const back = send(true, 4, 3);
  t.same(back.typeChanges, [], 'told already a moment ago');
  t.same(codesOf(back.annotations[0]!.findings), ['type_changed']);
  t.same(send('behind', 3, 15).annotations, [], 'what comes behind is of a time before');
  t.same(send('y', 5, 20).typeChanges, [
    { device: 'D01', channel: 'a', from: 'boolean', to: 'text' },
  ]);
});

t.test('of several findings the strictest policy decides', async (t) => {
  const settings = {
    min: 0,
    max: 10,
    ratePerSecondMax: 1,
    onRange: 'clip',
    onRate: 'fill',
  } as const;
  t.same(ask(settings, [5, 50]).verdicts[1], said('out_of_range', CLIPPED, 10), 'rate: not judged');
  const late = ask({ min: 0, onRange: 'flag' }, [{ value: -5, timeMs: T0 - 60_000 }], {
    onLate: 'quarantine',
  });
  t.match(late.quarantined, [{ detail: /^late: / }]);
});

t.test('a device without a profile: noted and kept', async (t) => {
  const config = configuration({});
  const given: Given[] = [
    { value: 1e308, timeMs: T0 - 40_000 },
    { value: Number.NaN, timeMs: T0 - 2_000 },
    { value: null, timeMs: T0 - 2_000, quality: Quality.NULL },
    { value: -1, timeMs: T0 - 3_000 },
  ];
  const judgement = judge(new GatewayValidation('demo'), config, chunkOf(readingsOf(given)));
  t.same(
    [...verdictsOf(judgement).values()],
    [
      said('late', KEPT),
      said('not_finite', KEPT),
      said('null_value same_time', KEPT),
      said('time_backwards', KEPT),
    ],
  );
});
