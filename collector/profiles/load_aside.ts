/** loadConfiguration() without holding up the event loop. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Configuration } from '../profile.ts';
import type { ProfilesSource } from './load.ts';
import { ProfilesInvalid } from './load.ts';
import type { Loaded } from './load_worker.ts';

const TIMEOUT_MS = 60_000;
const HEAP_MAX_MB = 512;

/** Rejects with ProfilesInvalid, or with what went wrong with the thread. */
export async function loadAside(
  source: ProfilesSource,
  signal: AbortSignal,
): Promise<Configuration> {
  const worker = new Worker(new URL('./load_worker.ts', import.meta.url), {
    workerData: source,
    // Not those of a test runner.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MB },
  });
  // One that comes after the answer is of no interest any more.
  worker.on('error', () => undefined);
  try {
    // Rejects when the thread ends with an error before that.
    const [loaded] = (await once(worker, 'message', {
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })) as [Loaded];
    if (!loaded.ok) throw new ProfilesInvalid(loaded.mistakes, loaded.found);
    return loaded.configuration;
  } finally {
    await worker.terminate();
  }
}
