/** kill -9 at several moments of an upgrade of the store: the next start ends it, and nothing differs. */

import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';

const CASE = join(import.meta.dirname, '../cases/data-v1/data.tar.gz');
const CHILD = join(import.meta.dirname, '../support/migrate-child.ts');
/** Kills, spread over the time that an upgrade takes. */
const KILLS = 3;

function start(t: Test, folder: string): ChildProcess {
  const child = spawn(process.execPath, [CHILD, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

/** Runs it to its end; answers the last line and how long the upgrade took. */
async function upgrade(t: Test, folder: string): Promise<{ said: string; tookMs: number }> {
  const child = start(t, folder);
  let output = '';
  let openMs = 0;
  let tookMs = 0;
  child.stdout?.on('data', (data: Buffer) => {
    output += data.toString();
    if (openMs === 0 && output.includes('open')) openMs = performance.now();
    if (tookMs === 0 && output.includes('done')) tookMs = performance.now() - openMs;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  t.equal(code, 0);
  return { said: output.trimEnd().split('\n').at(-1) ?? '', tookMs };
}

t.test('the store of version 1', async (t) => {
  const root = t.testdir({ origin: {} });
  execFileSync('tar', ['xzf', CASE, '-C', join(root, 'origin')]);
  const copyOf = (name: string): string => {
    const folder = join(root, name);
    mkdirSync(folder);
    cpSync(join(root, 'origin', 'store'), join(folder, 'store'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    return join(folder, 'store');
  };
  const whole = await upgrade(t, copyOf('whole'));
  t.match(JSON.parse(whole.said), {
    readings: [
      { epoch: 'aaaa000000000001', rows: 400, seqs: 400, wrong: 0 },
      { epoch: 'aaaa000000000002', rows: 200, seqs: 200, wrong: 0 },
      { epoch: 'bbbb000000000001', rows: 600, seqs: 600, wrong: 0 },
    ],
  });
  for (let i = 0; i < KILLS; i++) {
    const momentMs = (whole.tookMs * (i + 0.5)) / KILLS;
    const folder = copyOf(`killed-${i}`);
    const child = start(t, folder);
    // It may have ended by itself when its moment comes.
    const closed = once(child, 'close');
    await Promise.race([once(child.stdout!, 'data'), closed]);
    await delay(momentMs);
    child.kill('SIGKILL');
    await closed;
    const { said } = await upgrade(t, folder);
    t.equal(said, whole.said, `killed ${Math.round(momentMs)} ms into it`);
  }
});
