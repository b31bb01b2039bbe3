/** `fms-sim replay`. */

import { SimError } from '../errors.ts';
import { openRecording } from '../recording.ts';
import { replay } from '../replay.ts';
import { standardOutput } from '../stdout.ts';
import { endSignal, openTruth } from './serve.ts';

export interface ReplayCommandOptions {
  time?: string;
  deviceColumn?: string;
  onlyDevice?: string;
  device?: string;
  devicePrefix: string;
  speed: number;
  maxPauseS?: number;
  start: number;
  zoneMinutes: number;
  position?: string;
  truth?: string;
  endWithStdin?: boolean;
}

/** How long a write may still take after the signal to end: the reader drains its pipe meanwhile. */
const END_GRACE_MS = 700;

/** `fms-sim replay`. The exit code is 0 after the last row and after a signal. */
export async function runReplay(file: string, options: ReplayCommandOptions): Promise<void> {
  const ending = new AbortController();
  const end = (): void => {
    ending.abort();
    setTimeout(() => process.exit(0), END_GRACE_MS).unref();
  };
  void endSignal().then(end);
  // An agent that was killed sends no signal, but its end of the pipe closes.
  if (options.endWithStdin === true) {
    process.stdin.once('close', end).resume();
    // A pipe can be left waiting without keeping the process alive; a file has no such call.
    if ('unref' in process.stdin) process.stdin.unref();
  }
  const recording = await openRecording({
    file,
    timeColumn: options.time,
    deviceColumn: options.deviceColumn,
    startMs: options.start,
    zoneMinutes: options.zoneMinutes,
  });
  const { onlyDevice } = options;
  if (onlyDevice !== undefined && !recording.devices.has(onlyDevice)) {
    const known = [...recording.devices.keys()].join(', ');
    throw new SimError('SIM_OPTION_INVALID', `--only-device ${onlyDevice}: known are ${known}`);
  }
  const truth = openTruth(options.truth, 0);
  const output = standardOutput();
  try {
    const result = await replay({
      recording,
      onlyDevice,
      deviceName: options.device,
      devicePrefix: options.devicePrefix,
      speed: options.speed,
      maxPauseMs: (options.maxPauseS ?? Number.POSITIVE_INFINITY) * 1_000,
      positionFile: options.position,
      truth,
      output,
      nowMs: Date.now,
      signal: ending.signal,
    });
    const earlier = result.skipped > 0 ? `, ${result.skipped} by earlier runs` : '';
    const how = result.isDone ? 'to the end' : 'until told to end';
    process.stderr.write(`${recording.name}: ${result.sent} rows sent ${how}${earlier}\n`);
  } finally {
    truth.close();
  }
}
