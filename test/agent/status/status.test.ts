import { createServer } from 'node:http';
import t from 'tap';
import { AgentError } from '../../../agent/errors.ts';
import { renderMetrics } from '../../../agent/status/metrics.ts';
import type { AgentSnapshot } from '../../../agent/status/snapshot.ts';
import type { StatusJson } from '../../../agent/status/status.ts';
import { startStatus } from '../../../agent/status/status.ts';
import { renderStatus, span } from '../../../agent/status/text.ts';

const NOW = 1_767_225_600_000;

function snapshot(): AgentSnapshot {
  return {
    version: '0.1.0',
    site: 'demo',
    gateway: 'gw"1\\',
    installId: '00112233445566ff',
    collectorUrl: 'mqtt://127.0.0.1:1883',
    pid: 42,
    nowMs: NOW,
    startedMs: NOW - 3_600_000,
    buffer: {
      chunks: 3,
      readings: 1_234,
      bytes: 4_200_000,
      maxBytes: 1_073_741_824,
      oldestMs: NOW - 5_000,
      secondsUntilEviction: 7_200,
      appendedReadingsTotal: 99_999,
      evictedReadingsTotal: 7,
      corruptChunksTotal: 1,
      bytesWrittenTotal: 123_456,
      commitsTotal: 500,
      writeErrorsTotal: 2,
      lastError: 'SQLITE_FULL: database or disk is full',
    },
    epoch: {
      epoch: '00000000000000e1',
      predecessorEpoch: '0000000000000000',
      predecessorLastSeq: 0,
      lastSeq: 99_999,
    },
    gapsPending: 2,
    diskRefuses: false,
    forwarder: {
      connection: 'waiting',
      waitsFor: 'connection',
      onlineSinceMs: undefined,
      nextAttemptMs: NOW + 3_000,
      lastError: new AgentError('AGENT_COLLECTOR_UNREACHABLE', 'connect ECONNREFUSED'),
      lastAckMs: NOW - 60_000,
      inFlightBatches: 1,
      inFlightReadings: 100,
      inFlightBytes: 2_048,
      heldMs: 5_000,
      windowShare: 0.5,
      connectionsTotal: 3,
      connectFailuresTotal: 4,
      publishTimeoutsTotal: 1,
      sentBatchesTotal: 50,
      sentBytesTotal: 100_000,
      ackedBatchesTotal: 40,
      ackedReadingsTotal: 4_000,
      resentBatchesTotal: 5,
      timeoutResendsTotal: 2,
    },
    clocks: { aheadMs: undefined, isOverruled: false, isKept: false },
    identity: undefined,
    clock: {
      boot: '00000000000000b1',
      unsynced: true,
      lastStepMs: -3_600_000,
      stepsTotal: 1,
      corrections: [],
    },
    readers: [
      {
        state: {
          device: 'D01',
          reader: 'http',
          status: 'ok',
          lastGoodMs: NOW - 1_000,
          errorsTotal: 0,
          lastError: '',
        },
        stats: stats(10),
        suppressedTotal: 4,
      },
      {
        state: {
          device: '프레스',
          reader: 'modbus',
          status: 'open',
          lastGoodMs: 0,
          errorsTotal: 9,
          lastError: 'connect ETIMEDOUT',
        },
        stats: stats(20),
        suppressedTotal: 0,
      },
    ],
    process: { rssBytes: 90_000_000, cpuSeconds: 12.5 },
  };
}

function stats(n: number): AgentSnapshot['readers'][number]['stats'] {
  return {
    pollsTotal: n,
    retriesTotal: 0,
    failuresTotal: 0,
    timeoutsTotal: 0,
    skippedTotal: 0,
    deferredTotal: 0,
    restartsTotal: 0,
    samplesTotal: n,
    valuesTotal: n * 3,
    rejectsTotal: 0,
    breaker: 'closed',
  };
}

t.test('serves health, metrics and status on loopback only for GET and HEAD', async (t) => {
  let current = snapshot();
  const server = await startStatus({ host: '127.0.0.1', port: 0, snapshot: () => current });
  t.teardown(() => server.close());
  const base = `http://127.0.0.1:${server.port}`;
  const get = (path: string, method = 'GET') => fetch(base + path, { method });
  t.equal((await get('/healthz')).status, 200);
  t.equal((await get('/readyz')).status, 200, 'an old error does not matter');
  current = { ...current, diskRefuses: true };
  const refused = await get('/readyz');
  t.equal(refused.status, 503);
  t.match(await refused.text(), /SQLITE_FULL/);
  const status = (await (await get('/status?x=1')).json()) as StatusJson;
  t.match(status, {
    version: '0.1.0',
    epoch: '00000000000000e1',
    collector: {
      online: false,
      connection: 'waiting',
      last_error: { code: 'AGENT_COLLECTOR_UNREACHABLE' },
    },
    buffer: { readings: 1_234, chunks: 3, seconds_until_eviction: 7_200 },
    clock: { unsynced: true },
    readers: [{ device: 'D01' }, { device: '프레스', status: 'open' }],
  });
  const metrics = await get('/metrics');
  t.match(metrics.headers.get('content-type'), /version=0\.0\.4/);
  t.match(await metrics.text(), /^fms_agent_online 0$/m);
  const head = await get('/status', 'HEAD');
  t.equal(head.status, 200);
  t.equal(await head.text(), '');
  t.equal((await get('/status', 'POST')).status, 405);
  t.equal((await get('/nothing')).status, 404);
});

t.test('a taken port is a coded error', async (t) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.teardown(() => other.close());
  const { port } = other.address() as { port: number };
  const attempt = startStatus({ host: '127.0.0.1', port, snapshot });
  await t.rejects(attempt, { code: 'AGENT_PORT_TAKEN', hint: /status.port/ });
});

t.test('metrics follow the rules of Prometheus', async (t) => {
  const lines = renderMetrics(snapshot()).trimEnd().split('\n');
  const types = new Map<string, string>();
  for (const line of lines) {
    const type = /^# TYPE (\S+) (gauge|counter)$/.exec(line);
    if (type) {
      t.notOk(types.has(type[1] ?? ''), `${type[1]} is declared once`);
      types.set(type[1] ?? '', type[2] ?? '');
      continue;
    }
    if (line.startsWith('# HELP ')) continue;
    const sample = /^(fms_agent_[a-z_]+)(\{([a-z_]+="(?:[^"\\\n]|\\.)*",?)+\})? -?[0-9.e+]+$/.exec(
      line,
    );
    if (sample === null) t.fail(`not a sample: ${line}`);
    else t.ok(types.has(sample[1] ?? ''), `${sample[1]} is declared before`);
  }
  for (const [name, type] of types) {
    t.equal(name.endsWith('_total'), type === 'counter', name);
    t.notMatch(name, /_(ms|mb|kb|minutes|hours)(_|$)/, 'base units');
  }
  t.ok(lines.includes('fms_agent_readings_total 99999'));
  t.ok(lines.includes('fms_agent_buffer_bytes_written_total 123456'));
  t.ok(lines.includes('fms_agent_clock_last_step_seconds -3600'));
  t.ok(lines.includes('fms_agent_reader_up{device="프레스",reader="modbus"} 0'));
  t.ok(lines.includes('fms_agent_info{version="0.1.0",site="demo",gateway="gw\\"1\\\\"} 1'));
  t.notOk(
    lines.some((line) =>
      line.startsWith('fms_agent_reader_last_good_time_seconds{device="프레스"'),
    ),
    'never is not a time',
  );
});

t.test('before the forwarder runs there is a status too', async (t) => {
  const early = { ...snapshot(), forwarder: undefined, epoch: undefined };
  t.match(renderMetrics(early), /^fms_agent_online 0$/m);
  const server = await startStatus({ host: '127.0.0.1', port: 0, snapshot: () => early });
  t.teardown(() => server.close());
  const answer = await fetch(`http://127.0.0.1:${server.port}/status`);
  t.match(await answer.json(), { epoch: null, collector: { connection: 'connecting' } });
});

t.test('the text for people says what matters first', async (t) => {
  const server = await startStatus({ host: '127.0.0.1', port: 0, snapshot });
  t.teardown(() => server.close());
  const status = (await (await fetch(`http://127.0.0.1:${server.port}/`)).json()) as StatusJson;
  const text = renderStatus(status);
  for (const expected of [
    /demo\/gw"1\\ {2}pid 42, running for 60 min/,
    /OFFLINE \(waiting, next attempt in 3\.0 s\)/,
    /1,234 readings wait, 4\.2 MB of 1\.1 GB, oldest 5\.0 s ago; FULL IN 2 h/,
    /clock +NOT RIGHT/,
    /readings wait up to 5\.0 s for the clock's correction/,
    /7 readings evicted since the start, 2 gaps/,
    /last error AGENT_COLLECTOR_UNREACHABLE: connect ECONNREFUSED\n {11}Check collector\.url/,
    /readers +1 of 2 ok/,
    /D01 +http +ok +last good 1\.0 s ago\n/,
    /프레스 +modbus +open +last good never {2}connect ETIMEDOUT/,
  ]) {
    t.match(text, expected);
  }
  const fine = renderStatus({
    ...status,
    collector: {
      ...status.collector,
      online: true,
      online_since_ms: NOW - 90_000,
      waits_for: 'collector',
      last_error: null,
    },
    buffer: { ...status.buffer, seconds_until_eviction: -1, disk_refuses: true },
    clock: { ...status.clock, unsynced: false },
  });
  t.match(fine, /online for 90\.0 s/);
  t.match(fine, /100 readings sent: the broker has them; waiting for the collector/);
  t.match(fine, /not filling/);
  t.match(fine, /THE DISK REFUSES: SQLITE_FULL/);
  t.match(fine, /clock +right; 1 steps, the last -3600000 ms/);
  t.equal(span(200_000_000), '2 days');
});

t.test('an enrolled gateway: its certificate, and how its clock compares', async (t) => {
  const DAY = 86_400_000;
  const certificate = {
    notBeforeMs: NOW - 60 * DAY,
    notAfterMs: NOW + 30 * DAY,
    fingerprint: 'ab',
  };
  const enrolled = (change: Partial<AgentSnapshot> = {}): AgentSnapshot => ({
    ...snapshot(),
    clock: { ...snapshot().clock, unsynced: false },
    clocks: { aheadMs: -1_200, isOverruled: false, isKept: true },
    identity: { certificate, renewalDueMs: NOW + 5 * DAY, renewalsTotal: 3, lastError: undefined },
    ...change,
  });
  let shown = enrolled();
  const server = await startStatus({ host: '127.0.0.1', port: 0, snapshot: () => shown });
  t.teardown(() => server.close());
  const textOf = async (next: AgentSnapshot): Promise<string> => {
    shown = next;
    const answer = await fetch(`http://127.0.0.1:${server.port}/`);
    return renderStatus((await answer.json()) as StatusJson);
  };
  const fine = await textOf(enrolled());
  t.match(fine, /certificate until 2026-01-31 \(30 days\); renewed by itself in 5 days/);
  t.match(fine, /clock +right, 1\.2 s behind the collector \(kept by a time service\)/);
  const metrics = renderMetrics(enrolled()).split('\n');
  for (const line of [
    `fms_agent_certificate_end_time_seconds ${(NOW + 30 * DAY) / 1000}`,
    'fms_agent_certificate_renewal_failing 0',
    'fms_agent_certificate_renewals_total 3',
    'fms_agent_clock_ahead_of_collector_seconds -1.2',
    'fms_agent_clock_overruled 0',
  ]) {
    t.ok(metrics.includes(line), line);
  }
  const lastError = new AgentError('AGENT_RENEWAL_FAILED', 'later');
  const identity = { certificate, renewalDueMs: NOW - DAY, renewalsTotal: 0, lastError };
  const clocks = { aheadMs: -20_000 * DAY, isOverruled: true, isKept: false };
  const late = await textOf(enrolled({ identity, clocks }));
  t.match(late, /RENEWAL IS DUE\n {11}AGENT_RENEWAL_FAILED: later\n/);
  t.match(late, /clock +WRONG by 20000 days behind the collector; readings are timed by the coll/);
  const over = { ...certificate, notAfterMs: NOW - DAY };
  const expired = await textOf(enrolled({ identity: { ...identity, certificate: over } }));
  t.match(expired, /certificate EXPIRED on 2025-12-31/);
  const foreign = { ...identity, renewalDueMs: undefined, lastError: undefined };
  t.match(
    await textOf(enrolled({ identity: foreign })),
    /\(30 days\); from elsewhere, not renewed by the agent/,
  );
  t.notMatch(renderMetrics(snapshot()), /certificate/, 'nothing for a gateway with a token');
});
