/** kill -9 while appending: what an append had resolved for is there, and nothing else is invented. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { FORM_TIMEOUT_MS, ofForm } from '../../support/form.ts';
import { chooseMode, drain, modeInUse, openIn, valuesOf } from '../../support/test-buffer.ts';

chooseMode(t);

const ROUNDS = ofForm({ short: 6, long: 60 });
const CHILD = fileURLToPath(new URL('../../support/append-for-ever.ts', import.meta.url));

/** Starts the child, kills it after so many lines, and answers what it had said by then. */
async function runAndKill(folder: string, lines: number): Promise<string[]> {
  const child = spawn(process.execPath, [CHILD, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Without the test runner's own loaders: a start takes a third of the time.
    env: { ...process.env, NODE_OPTIONS: '', FMS_BUFFER_MODE: modeInUse().mode },
  });
  let output = '';
  let seen = 0;
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text: string) => {
    output += text;
    seen += text.split('\n').length - 1;
    if (seen >= lines) child.kill('SIGKILL');
  });
  await once(child, 'close');
  // The last line may be torn.
  return output.slice(0, output.lastIndexOf('\n')).split('\n');
}

// Also when run alone, without the runner's own limit.
t.setTimeout(FORM_TIMEOUT_MS);

t.test('kill -9 at random moments', { timeout: FORM_TIMEOUT_MS }, async (t) => {
  const folder = t.testdir();
  /** epoch → numbers known to be committed; delivered ones may or may not come again. */
  const committed = new Map<string, number>();
  const delivered = new Set<string>();
  const predecessors: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const lines = await runAndKill(folder, 1 + Math.floor(Math.random() * 40));
    for (const line of lines) {
      const [first, second, third, fourth] = line.split(' ');
      if (first === '-') {
        for (let i = 0; i < Number(fourth); i++) delivered.add(`${second}/${Number(third) + i}`);
      } else committed.set(first!, Number(second));
    }
    const buffer = openIn(folder);
    const found = new Set<string>();
    for (const chunk of drain(buffer)) {
      for (const [seq, value] of valuesOf(chunk)) {
        const key = `${chunk.epoch}/${seq}`;
        if (value !== seq - 1) t.fail(`${key} is ${value}`);
        if (found.has(key)) t.fail(`${key} twice`);
        found.add(key);
      }
    }
    let lost = 0;
    for (const [epoch, last] of committed) {
      for (let seq = 1; seq <= last; seq++) {
        if (!found.has(`${epoch}/${seq}`) && !delivered.has(`${epoch}/${seq}`)) lost++;
      }
    }
    t.equal(lost, 0, `round ${round}: ${found.size} readings there`);
    t.equal(buffer.stats().readings, found.size, 'counted as many');
    t.same(buffer.gaps(10), []);
    t.same(buffer.stats().salvagesTotal, 0);
    const newest = [...committed.keys()].at(-1)!;
    predecessors.push(newest);
    t.ok(buffer.epochInfo(newest)!.lastSeq >= committed.get(newest)!);
    await buffer.close();
  }
  t.equal(new Set(predecessors).size, ROUNDS, 'each start had an epoch of its own');
});
