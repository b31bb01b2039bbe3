/** Checks files that somebody may want, and says what they would change, in a thread of its own. */

import { parentPort } from 'node:worker_threads';
import type { Configuration } from '../../profile.ts';
import type { FileMistake, ProfilesSource } from '../load.ts';
import { loadConfiguration, ProfilesInvalid } from '../load.ts';
import type { DeviceName, Effect } from './effect.ts';
import { effectOf } from './effect.ts';

export interface CheckAsked {
  source: ProfilesSource;
  /** What holds now. */
  before: Configuration;
  devices: readonly DeviceName[];
}

/** `effect` is null while there are mistakes. */
export interface Checked {
  mistakes: readonly FileMistake[];
  effect: Effect | null;
}

function check({ source, before, devices }: CheckAsked): Checked {
  try {
    return { mistakes: [], effect: effectOf(before, loadConfiguration(source), devices) };
  } catch (error) {
    if (error instanceof ProfilesInvalid) return { mistakes: error.found, effect: null };
    throw error;
  }
}

// What is thrown here ends the thread, and the one that asked is told.
parentPort?.on('message', (asked: CheckAsked) => parentPort?.postMessage(check(asked)));
