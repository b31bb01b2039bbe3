/** Work on partitions that come and go: begun, ended, fenced, begun again. */

import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { CollectorError } from '../../collector/errors.ts';
import type { Share } from '../../collector/shares.ts';
import { runShare, wholeShare } from '../../collector/shares.ts';

class TestShare implements Share {
  readonly exclusive = false;
  #owned = new Set<number>();
  #listeners = new Set<() => void>();

  owned(): ReadonlySet<number> {
    return this.#owned;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(...partitions: number[]): void {
    this.#owned = new Set(partitions);
    for (const listener of this.#listeners) listener();
  }
}

/** Runs until told to end; notes what happens. */
function worker() {
  const events: string[] = [];
  const ends = new Map<number, (error: CollectorError | undefined) => void>();
  const work = (partition: number, signal: AbortSignal): Promise<CollectorError | undefined> =>
    new Promise((resolve) => {
      events.push(`begin ${partition}`);
      const end = (error: CollectorError | undefined): void => {
        events.push(`end ${partition}`);
        resolve(error);
      };
      ends.set(partition, end);
      signal.addEventListener('abort', () => setImmediate(() => end(undefined)), { once: true });
    });
  return { events, work, end: (p: number, error?: CollectorError) => ends.get(p)?.(error) };
}

async function until(isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + 120_000;
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(`still not so: ${isSo}`);
    await delay(1);
  }
}

t.test('work follows the share; one partition is never worked on twice at a time', async (t) => {
  const share = new TestShare();
  const { events, work } = worker();
  share.set(0, 1);
  const running = runShare(share, work);
  await until(() => events.length === 2);
  t.same(events, ['begin 0', 'begin 1']);
  // It goes and comes back before its work has ended.
  share.set(0);
  share.set(0, 1);
  await until(() => events.length === 4);
  t.same(events.slice(2), ['end 1', 'begin 1']);
  share.set(2);
  await until(() => events.length === 7);
  t.same([...events.slice(4)].sort(), ['begin 2', 'end 0', 'end 1']);
  await running.stop();
  t.equal(events.at(-1), 'end 2');
  t.equal(await running.failed, undefined);
  share.set(0);
  await delay(5);
  t.equal(events.length, 8, 'nothing begins after the end');
});

t.test('fenced: the other one is left alone for a while', async (t) => {
  const share = new TestShare();
  const { events, work, end } = worker();
  share.set(0);
  const running = runShare(share, work, 30);
  await until(() => events.length === 1);
  const fencedMs = performance.now();
  end(0, new CollectorError('LOG_FENCED', 'by another'));
  await until(() => events.length === 3);
  t.ok(performance.now() - fencedMs >= 29, 'it waited');
  t.same(events, ['begin 0', 'end 0', 'begin 0']);
  // The wait ends with the partition.
  end(0, new CollectorError('LOG_FENCED', 'by another'));
  share.set();
  await running.stop();
  t.equal(events.length, 4);
  t.equal(await running.failed, undefined);
});

t.test('what a partition cannot get over is said, and the others go on', async (t) => {
  const share = new TestShare();
  const { events, work, end } = worker();
  share.set(0, 1);
  const running = runShare(share, work);
  await until(() => events.length === 2);
  end(0, new CollectorError('LOG_POSITION_OUTSIDE', 'gone'));
  t.match(await running.failed, { code: 'LOG_POSITION_OUTSIDE' });
  share.set(0, 1);
  await delay(5);
  t.same(events, ['begin 0', 'begin 1', 'end 0'], 'it is not begun again');
  await running.stop();
  t.equal(events.at(-1), 'end 1');
});

t.test('alone on a log, to be fenced is an end', async (t) => {
  const { events, work, end } = worker();
  const running = runShare(wholeShare(1), work, 1);
  await until(() => events.length === 1);
  end(0, new CollectorError('LOG_FENCED', 'by a mistake'));
  t.match(await running.failed, { code: 'LOG_FENCED' });
  await running.stop();
  t.equal(events.length, 2);
});
