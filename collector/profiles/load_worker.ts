/** Reads the profiles in a thread of its own: large ones take longer than a gateway should wait for a PUBACK. */

import { parentPort, workerData } from 'node:worker_threads';
import type { Configuration } from '../profile.ts';
import type { FileMistake, ProfilesSource } from './load.ts';
import { loadConfiguration, ProfilesInvalid } from './load.ts';

export type Loaded =
  | { ok: true; configuration: Configuration }
  | { ok: false; mistakes: readonly string[]; found: readonly FileMistake[] };

function load(source: ProfilesSource): Loaded {
  try {
    return { ok: true, configuration: loadConfiguration(source) };
  } catch (error) {
    if (error instanceof ProfilesInvalid)
      return { ok: false, mistakes: error.mistakes, found: error.found };
    throw error;
  }
}

parentPort?.postMessage(load(workerData as ProfilesSource));
