/**
 * One collector of several processes, over a real Kafka and the HTTP interface of a store: intake, processing,
 * writing and pages each in processes of their own. They start in any order; one of each comes and goes while
 * gateways send (test/faults/components.test.ts kills them). At the end the store holds what the gateways emitted, each reading once, and
 * the ledger balances.
 */

import type { Test } from 'tap';
import t from 'tap';
import { startClickHouseFront } from '../support/clickhouse-front.ts';
import type { ComponentProcess } from '../support/components.ts';
import { Components } from '../support/components.ts';
import { kafkaMissing } from '../support/kafka/cache.ts';
import { kafkaForTests } from '../support/kafka.ts';
import { RovingGateway } from '../support/roving-gateway.ts';

// Generous: a machine may be busy with other things.
t.setTimeout(900_000);

interface StoredRow {
  gateway: string;
  epoch: string;
  seq: number;
  value: number;
  device: string;
  channel: string;
}

/** One line a problem: each reading that was emitted is in the table once, and nothing else is. */
function problemsOf(gateways: readonly RovingGateway[], rows: readonly StoredRow[]): string[] {
  const problems: string[] = [];
  const left = new Map<string, number>();
  for (const { epoch, emitted } of gateways)
    for (let seq = 1; seq <= emitted.length; seq++) left.set(`${epoch.id}/${seq}`, seq);
  const byEpoch = new Map(gateways.map((one) => [one.epoch.id, one]));
  for (const { epoch, seq, value, device, channel } of rows) {
    const reading = byEpoch.get(epoch)?.emitted[seq - 1];
    if (!left.delete(`${epoch}/${seq}`)) problems.push(`${epoch}/${seq} is double or unknown`);
    else if (reading?.value !== value || reading.device !== device || reading.channel !== channel)
      problems.push(`${epoch}/${seq} is another reading`);
  }
  if (left.size > 0) problems.push(`${left.size} are missing: ${[...left.keys()].slice(0, 5)}`);
  return problems;
}

async function startAll(...processes: ComponentProcess[]): Promise<void> {
  await Promise.all(processes.map((process) => process.start()));
}

async function balances(t: Test, serve: ComponentProcess): Promise<void> {
  const { code, output } = await serve.command('ledger', '--deep');
  t.equal(code, 0, `ledger --deep through ${serve.name}`);
  if (code !== 0) t.comment(output.slice(-2_000));
}

t.test('processes come and go under load', { skip: kafkaMissing() }, async (t) => {
  const [kafka, front] = await Promise.all([kafkaForTests(t), startClickHouseFront(t)]);
  const components = new Components(t, {
    kafka: kafka.config('components'),
    clickhouse: front.config(),
  });
  // Without the others: alive, and saying what it waits for.
  const intake1 = await components.add('intake-1', ['intake']);
  await intake1.start();
  await intake1.until('it waits for the store', async () => {
    const { ready, checks } = await intake1.readiness();
    const { reason = '' } = checks.find(({ name }) => name === 'broker') ?? {};
    return !ready && reason.includes('a process with write');
  });
  t.equal((await intake1.fetch('/api/v1/gateways')).status, 404, 'only serve has an API');
  const [serve1, process1, write1, process2, write2] = await Promise.all([
    components.add('serve-1', ['serve']),
    components.add('process-1', ['process']),
    components.add('write-1', ['write']),
    components.add('process-2', ['process']),
    components.add('write-2', ['write']),
  ]);
  await startAll(serve1, process1, write1);
  for (const one of [intake1, serve1, process1, write1]) await one.untilReady();

  const intakes = [intake1];
  const gateways = components.gateways.map(
    (gateway) =>
      new RovingGateway({
        gateway,
        ports: () => intakes.map(({ mqttPort }) => mqttPort),
        pauseMs: 300,
      }),
  );
  for (const gateway of gateways) gateway.start();
  t.teardown(() => {
    for (const gateway of gateways) gateway.abandon();
  });
  const storedBy = async (serve: ComponentProcess): Promise<number> => {
    const { totals } = await serve.get<{ totals: { stored: number } }>('/api/v1/ledger');
    return totals.stored;
  };
  const goesOn = async (serve = serve1): Promise<void> => {
    const before = gateways.reduce((sum, { emitted }) => sum + emitted.length, 0);
    await serve.until(
      'what was emitted by now is stored',
      async () => (await storedBy(serve)) >= before,
    );
  };
  await goesOn();

  await startAll(process2, write2);
  await Promise.all([process2.untilReady(), write2.untilReady()]);
  for (const [one, component] of [
    [process1, 'process'],
    [process2, 'process'],
    [write1, 'write'],
    [write2, 'write'],
  ] as const)
    await one.until('it has its half', async () => {
      return (await one.metric(`fms_collector_owned_partitions{component="${component}"}`)) === 2;
    });
  await goesOn();
  const serve2 = await components.add('serve-2', ['serve']);
  const intake2 = await components.add('intake-2', ['intake']);
  await startAll(serve2, intake2);
  await Promise.all([serve2.untilReady(), intake2.untilReady()]);
  intakes.push(intake2);
  await goesOn(serve2);

  const startedMs = performance.now();
  t.equal(await process1.stop(), 0);
  await process2.until('it has all of it', async () => {
    return (await process2.metric('fms_collector_owned_partitions{component="process"}')) === 4;
  });
  t.comment(`taken over ${Math.round(performance.now() - startedMs)} ms after SIGTERM`);
  await process2.untilReady();
  await goesOn();

  await Promise.all([write1.stop(), intake1.stop(), serve1.stop()]);
  await goesOn(serve2);
  await startAll(intake1, process1);

  for (const gateway of gateways) await gateway.finish();
  const emitted = gateways.reduce((sum, one) => sum + one.emitted.length, 0);
  await serve2.until('all is stored', async () => (await storedBy(serve2)) === emitted);
  await balances(t, serve2);
  const response = await fetch(`${front.url}/?database=fms`, {
    method: 'POST',
    body: 'SELECT gateway, epoch, toUInt32(seq) AS seq, value, device, channel FROM readings FORMAT JSONEachRow',
  });
  const rows = (await response.text())
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as StoredRow);
  t.same(problemsOf(gateways, rows).slice(0, 10), [], 'the store holds what was emitted');
  t.comment(
    `${emitted} readings, ${gateways.reduce((sum, one) => sum + one.connections, 0)} connections`,
  );

  // Jobs run in one process, and are asked for at any.
  await startAll(serve1);
  await serve1.untilReady();
  const jobs = await serve1.get<{ items: unknown[] }>('/api/v1/jobs');
  t.ok(jobs.items.length > 0, 'the other one was asked');
  const run = await serve1.command('job', 'run', 'statistics-daily');
  t.match(run, { code: 0 }, run.output);
  const backup = await serve1.command('backup', `${components.folder}/backup`);
  t.match(backup, { code: 1, output: /BACKUP_REFUSED.*log\.kafka and store\.clickhouse/ });
});
