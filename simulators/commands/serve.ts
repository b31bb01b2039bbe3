/** What the commands share: truth files, faults from the command line, serving until a signal. */

import type { RunningSimulator } from '../devices.ts';
import { SimError } from '../errors.ts';
import { parseFaultOption } from '../faults.ts';
import type { TruthSink } from '../truth.ts';
import { noTruth, TruthWriter } from '../truth.ts';

export function openTruth(path: string | undefined, maxBytes: number): TruthSink {
  if (path === undefined) return noTruth;
  try {
    return new TruthWriter(path, { maxBytes });
  } catch (error) {
    throw new SimError('SIM_FILE_UNREADABLE', `truth file ${path}`, { cause: error });
  }
}

/** Returns when SIGINT, SIGTERM or SIGHUP has ended the simulator. */
export async function serveUntilEnd(
  running: RunningSimulator,
  faults: readonly string[],
  banner: () => string,
): Promise<void> {
  try {
    switchFaults(running, faults);
    process.stdout.write(`${banner()}\n`);
    await endSignal();
  } finally {
    await running.close();
  }
}

function switchFaults(running: RunningSimulator, specs: readonly string[]): void {
  for (const spec of specs) {
    let mistake: string | undefined;
    try {
      mistake = running.board.set(parseFaultOption(spec));
    } catch (error) {
      mistake = error instanceof Error ? error.message : String(error);
    }
    if (mistake !== undefined)
      throw new SimError('SIM_OPTION_INVALID', `--fault ${spec}: ${mistake}`);
  }
}

/** The same message once a minute at most. */
export function warnOnce(): (message: string) => void {
  let last = '';
  let lastMs = 0;
  return (message) => {
    const nowMs = Date.now();
    if (message === last && nowMs - lastMs < 60_000) return;
    last = message;
    lastMs = nowMs;
    process.stderr.write(`${message}\n`);
  };
}

/** Resolves at the first SIGINT, SIGTERM or SIGHUP. */
export function endSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => resolve());
  });
}
