/** The pure parts of SQL for people: settings, lines of the tree, what runs, errors as a server says them. */

import fc from 'fast-check';
import t from 'tap';
import { exceptionOf } from '../../../collector/clickhouse_http/exception.ts';
import { helloBlock } from '../../../collector/clickhouse_http/hello.ts';
import { CollectorError } from '../../../collector/errors.ts';
import { childrenOf, nodesOf } from '../../../collector/query/ast.ts';
import { mayCall } from '../../../collector/query/functions.ts';
import { GateRefusal } from '../../../collector/query/refusal.ts';
import { RunningQueries } from '../../../collector/query/running.ts';
import { fitSettings } from '../../../collector/query/settings.ts';
import { openTable } from '../../../collector/query/tables.ts';
import { EngineRefusal } from '../../../collector/store/asking.ts';
import { refusalOf } from '../../../collector/store/asking_engine.ts';

const LIMITS = { timeoutMs: 10_000, maxMemoryBytes: 1_000, maxResultBytes: 100, maxThreads: 2 };

t.test('settings: ours can be lowered, some can be chosen, the rest is refused', async (t) => {
  const fit = (settings: Record<string, string>) =>
    fitSettings(new Map(Object.entries(settings)), LIMITS);
  t.match(fit({ max_execution_time: '2.5', max_memory_usage: '10', max_threads: '64' }), {
    limits: { ...LIMITS, timeoutMs: 2_500, maxMemoryBytes: 10, maxThreads: 2 },
  });
  t.match(fit({ max_execution_time: '0' }), { limits: LIMITS }, '0 is no limit: ours holds');
  t.match(fit({ session_timezone: 'Asia/Seoul' }), {
    settings: new Map([['session_timezone', 'Asia/Seoul']]),
  });
  t.match(fit({ readonly: '0', wait_end_of_query: '1' }), { settings: new Map() }, 'left aside');
  t.same(fit({ session_timezone: "x'; DROP" }), { name: 'session_timezone', why: 'value' });
  t.same(fit({ limit: '-1' }), { name: 'limit', why: 'value' });
  for (const name of ['format_schema', 'additional_table_filters', '__proto__', 'constructor', ''])
    t.same(fitSettings(new Map([[name, '1']]), LIMITS), { name, why: 'unknown' });
});

t.test('settings: whatever is asked, no limit grows', async () => {
  const names = fc.constantFrom(
    'max_execution_time',
    'max_memory_usage',
    'max_result_bytes',
    'max_threads',
  );
  fc.assert(
    fc.property(
      fc.dictionary(names, fc.oneof(fc.string(), fc.double().map(String), fc.nat().map(String))),
      (asked) => {
        const fitting = fitSettings(new Map(Object.entries(asked)), LIMITS);
        if ('why' in fitting) return true;
        const { timeoutMs, maxMemoryBytes, maxResultBytes, maxThreads } = fitting.limits;
        return (
          timeoutMs > 0 &&
          timeoutMs <= LIMITS.timeoutMs &&
          maxMemoryBytes > 0 &&
          maxMemoryBytes <= LIMITS.maxMemoryBytes &&
          maxResultBytes > 0 &&
          maxResultBytes <= LIMITS.maxResultBytes &&
          maxThreads > 0 &&
          maxThreads <= LIMITS.maxThreads
        );
      },
    ),
  );
});

t.test('lines of the tree', async (t) => {
  const nodes = nodesOf([
    'SelectQuery (children 2)',
    ' Function in (alias a b) (children 1)',
    '  ExpressionList',
    ' Literal 1',
    '',
  ]);
  t.same(
    nodes?.map(({ kind, text, alias, depth }) => [depth, kind, text, alias]),
    [
      [0, 'SelectQuery', '', ''],
      [1, 'Function', 'in', 'a b'],
      [2, 'ExpressionList', '', ''],
      [1, 'Literal', '1', ''],
    ],
  );
  t.same(childrenOf(nodes ?? [], 0), [1, 3]);
  t.equal(nodesOf(['???']), undefined);
  t.equal(nodesOf(['Select`']), undefined);
});

t.test('names of functions and tables', async (t) => {
  for (const name of [
    'count',
    'COUNT',
    'sumIf',
    'avgOrNullIf',
    'uniqStateMerge',
    'toDateTime64',
    'quantileTDigestWeightedIf',
  ])
    t.ok(mayCall(name), name);
  for (const name of [
    'file',
    'FILE',
    'fileIf',
    'sleepIf',
    'dictGetOrNull',
    'State',
    '',
    'hostNameState',
    'xIfIfIfIfIfIf',
  ])
    t.notOk(mayCall(name), name);
  t.match(openTable('readings', 'fms'), { isOpen: true });
  t.match(openTable('fms.readings', 'fms'), { isOpen: true });
  for (const name of [
    'other.readings',
    'audit',
    'fms.audit',
    'system.users',
    'fms.system.tables',
    'constructor',
    '__proto__',
  ])
    t.match(openTable(name, 'fms'), { isOpen: false }, name);
});

t.test('what runs: one id is one query of a person, bounded, forgotten in time', async (t) => {
  let nowMs = 1_000;
  const running = new RunningQueries({ wallMs: () => nowMs });
  const mine = running.begin('a', 'kim');
  t.throws(() => running.begin('a', 'kim'), { code: 'API_PARAMETER_INVALID' });
  const other = running.begin('a', 'lee');
  nowMs += 500;
  t.same(await running.status('a', 'kim', false), {
    state: 'waiting',
    elapsedMs: 500,
    readRows: 0,
  });
  await t.rejects(running.status('a', 'park', false), { code: 'API_NOT_FOUND' });
  t.match(await running.status('a', 'park', true), { state: 'waiting' }, 'an administrator');
  t.throws(() => running.cancel('a', 'park', false), { code: 'API_NOT_FOUND' });
  running.cancel('a', 'kim', false);
  t.ok(mine.signal.aborted);
  t.notOk(other.signal.aborted, 'only the own one');
  mine.ended('failed', 0);
  t.match(await running.status('a', 'kim', false), { state: 'cancelled', elapsedMs: 500 });
  for (let i = 0; i < 300; i++) running.begin(`q${i}`, 'kim').ended('done', i);
  await t.rejects(running.status('a', 'kim', false), { code: 'API_NOT_FOUND' }, 'forgotten');
  t.match(await running.status('q299', 'kim', false), { state: 'done', readRows: 299 });
  for (let i = 0; i < 31; i++) running.begin(`l${i}`, 'lee');
  t.throws(() => running.begin('l31', 'lee'), { code: 'API_BUSY' });
  t.ok(running.begin('l31', 'kim'), 'others are not held up');
});

t.test("the engine's words: without how it was asked, and with the code", async (t) => {
  const embedded = refusalOf(
    new Error(
      "Code: 62. DB::Exception: Syntax error: failed at position 8 ((): (1. Unmatched parentheses: (: In scope SELECT formatQuery('SELECT (1'). (SYNTAX_ERROR)",
    ),
  );
  t.match(embedded, {
    engineCode: 62,
    words: 'Syntax error: failed at position 8 ((): (1. Unmatched parentheses: ( (SYNTAX_ERROR)',
  });
  const twice = refusalOf(
    new Error(
      'Code: 73. DB::Exception: Code: 73. DB::Exception: Unknown format X. (UNKNOWN_FORMAT) (version 26.7.2.1). (UNKNOWN_FORMAT)',
    ),
  );
  t.match(twice, { engineCode: 73, words: /^Unknown format X/ });
  const ofClient = Object.assign(new Error('Unknown expression identifier `a`.'), {
    code: '47',
    type: 'UNKNOWN_IDENTIFIER',
  });
  t.match(refusalOf(ofClient), {
    engineCode: 47,
    words: 'Unknown expression identifier `a`. (UNKNOWN_IDENTIFIER)',
  });
  t.match(refusalOf(new Error('ECONNREFUSED')), { code: 'STORE_UNAVAILABLE' });
});

t.test('errors as a server says them', async (t) => {
  const said = (error: unknown) => exceptionOf(error);
  t.match(said(new EngineRefusal(47, 'Unknown (UNKNOWN_IDENTIFIER)')), {
    exception: {
      status: 404,
      text: /^Code: 47\. DB::Exception: Unknown \(UNKNOWN_IDENTIFIER\) \(version /,
    },
  });
  t.match(said(new GateRefusal('no', 'write')), { exception: { code: 164, status: 403 } });
  t.match(said(new GateRefusal('no')), { exception: { code: 497, status: 403 } });
  t.match(said(new GateRefusal('no', 'format')), { exception: { code: 73, status: 404 } });
  t.match(said(new CollectorError('STORE_UNAVAILABLE', 'away')), {
    exception: { code: 279, status: 503 },
  });
  const defect = said(new TypeError('secret of the inside'));
  t.match(defect, { unexpected: true, exception: { status: 500 } });
  t.notMatch(defect.exception.text, /secret/);
});

t.test('the first answer to the Go client, by protocol version', async (t) => {
  const engine = { version: '26.7.2.1', timeZone: 'Asia/Seoul' };
  const plain = helloBlock(engine, 0);
  t.same([...plain.subarray(0, 3)], [4, 1, 13], '4 columns, 1 row, a name of 13 bytes');
  t.equal(helloBlock(engine, 54_453).length, plain.length + 8, 'block info');
  t.equal(helloBlock(engine, 54_454).length, plain.length + 8 + 4, 'and a flag for each column');
});
