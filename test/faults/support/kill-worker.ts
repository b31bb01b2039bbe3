/** A thread that kills its process: a while after it was told to, or when a folder shows what it waits for. */

import type { FSWatcher } from 'node:fs';
import { watch } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { PartAim } from './aims.ts';

export type KillOrder =
  /** Once the integer in `go` is not 0 any more. */
  | { go: Int32Array; delayUs: number }
  /** Once a name of such a part has come up in the folder `skip` + 1 times. */
  | { folder: string; part: PartAim['part']; skip: number };

const NAMES: Record<PartAim['part'], RegExp> = {
  created: /^tmp_insert_/,
  // Of one block. Where rows replace each other it has been merged with itself.
  renamed: /^\d+_(\d+)_\1_[01]$/,
  merging: /^tmp_merge_/,
};

const order = workerData as KillOrder;
if ('go' in order) {
  parentPort?.postMessage('ready');
  Atomics.wait(order.go, 0, 0);
  const endMs = performance.now() + order.delayUs / 1_000;
  while (performance.now() < endMs);
  process.kill(process.pid, 'SIGKILL');
} else {
  let left = order.skip;
  const seen = new Set<string>();
  const watcher: FSWatcher = watch(order.folder, (_event, name) => {
    // A folder's own changes are told under its name too.
    if (name === null || !NAMES[order.part].test(name) || seen.has(name)) return;
    seen.add(name);
    if (left === 0) process.kill(process.pid, 'SIGKILL');
    left -= 1;
  });
  watcher.once('error', (error) => {
    throw error;
  });
  parentPort?.postMessage('ready');
}
