/**
 * kill -9 of log, processing, writers and store (without broker and agent, so that many kills fall into
 * the writer's steps): every row is there once.
 *
 * Alone: `node test/faults/store-kill.test.ts --seed N`.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { FORM_TIMEOUT_MS, ofForm } from '../support/form.ts';
import { seededRandom, seedOfRun } from '../support/plant.ts';

const KILLS = ofForm({ short: 6, long: 60 });
const CHILD = join(import.meta.dirname, '../support/pipeline-child.ts');
/** Longest time under load before a kill. */
const LOAD_MS_MAX = 1_000;

interface Count {
  epoch: string;
  rows: number;
  seqs: number;
  wrong?: number;
}
interface LedgerCount {
  epoch: string;
  last_seq: number;
  stored: number;
  quarantined: number;
  duplicates: number;
  in_flight: number;
  balance: number;
}

function epochOf(run: number): string {
  return (run + 1).toString(16).padStart(16, '0');
}

/** Runs the child until `waitMs` after it is ready, kills it, answers the last acknowledged seq. */
async function loadAndKill(folder: string, run: number, waitMs: number): Promise<number> {
  const child = spawn(process.execPath, [CHILD, folder, 'load', epochOf(run)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let acked = 0;
  const lines = createInterface({ input: child.stdout });
  const ready = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (line === 'ready') resolve();
      else acked = Number(line.replace('acked ', ''));
    });
  });
  await Promise.race([ready, exited]);
  await delay(waitMs);
  child.kill('SIGKILL');
  const [code, signal] = (await exited) as [number | null, string | null];
  if (signal !== 'SIGKILL') throw new Error(`the child ended by itself with ${code}`);
  return acked;
}

async function check(folder: string): Promise<Record<string, unknown[]>> {
  const child = spawn(process.execPath, [CHILD, folder, 'check', epochOf(99)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(child, 'close');
  return JSON.parse(output) as Record<string, unknown[]>;
}

t.setTimeout(FORM_TIMEOUT_MS);

t.test('every row once after kills at random moments', { timeout: FORM_TIMEOUT_MS }, async (t) => {
  const seed = seedOfRun();
  const random = seededRandom(seed);
  const folder = mkdtempSync(join(tmpdir(), 'fms-store-kill-'));
  t.comment(`seed ${seed}, folder ${folder} (kept on failure)`);
  const acked: number[] = [];
  for (let run = 0; run < KILLS; run++) {
    const waitMs = Math.round(random() * LOAD_MS_MAX);
    acked.push(await loadAndKill(folder, run, waitMs));
    t.comment(`run ${run}: killed after ${waitMs} ms, ${acked[run]} seqs acknowledged`);
  }
  const tables = await check(folder);
  const readings = tables.readings as Count[];
  const quarantine = tables.quarantine as Count[];
  const ledger = tables.ledger as LedgerCount[];
  t.ok(acked.reduce((sum, seq) => sum + seq, 0) > 0, 'there was load');
  for (const [run, least] of acked.entries()) {
    const epoch = epochOf(run);
    const stored = readings.find((one) => one.epoch === epoch);
    const rejected = quarantine.find((one) => one.epoch === epoch);
    const account = ledger.find((one) => one.epoch === epoch);
    if (stored === undefined || rejected === undefined || account === undefined) {
      t.equal(least, 0, `${epoch}: nothing was acknowledged`);
      continue;
    }
    t.ok(account.last_seq >= least, `${epoch}: ${account.last_seq} seqs, ${least} acknowledged`);
    t.equal(stored.rows + rejected.rows, account.last_seq, 'each seq has a row');
    t.equal(stored.rows, stored.seqs, 'no reading twice');
    t.equal(rejected.rows, rejected.seqs, 'no reject twice');
    t.equal(stored.wrong, 0, 'each with its value');
    t.match(account, {
      stored: stored.rows,
      quarantined: rejected.rows,
      in_flight: 0,
      balance: 0,
    });
  }
  t.same(tables.problems, [], 'ledger --deep finds nothing');
  t.match(tables.deep, [{ ok: true, epochs: ledger.length }]);
  if (t.passing()) rmSync(folder, { recursive: true, force: true });
});
