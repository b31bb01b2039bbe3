/** `fms-collector backup` and `fms-collector restore`: what they print, and their exit codes. */

import type { Output } from '../commands/check.ts';
import { configOrMistakes } from '../commands/check.ts';
import { apiOf } from '../commands/client.ts';
import { CollectorError } from '../errors.ts';
import { backup } from './backup.ts';
import { bytesText } from './copy.ts';
import { restore } from './restore.ts';

/** 0 done, 1 failed, 2 mistakes in the configuration, 3 no collector answers. */
export async function backupCommand(
  folder: string,
  options: { config: string; url?: string | undefined; signal?: AbortSignal },
  env: Record<string, string | undefined>,
  output: Output,
): Promise<number> {
  const api = apiOf(options, env, output);
  if (api === undefined) return 2;
  try {
    const manifest = await backup({ api, folder, signal: options.signal }, output);
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    const made = new Date(manifest.madeMs).toISOString();
    output.log(`${folder}: the data of ${made}, ${bytesText(bytes)}`);
    output.log('Configuration and profiles are not in it: keep a copy of them beside it.');
    return 0;
  } catch (error) {
    return sayFailure(error, output);
  }
}

/** 0 done, 1 failed, 2 mistakes in the configuration. */
export async function restoreCommand(
  folder: string,
  options: { config: string; force?: boolean | undefined },
  env: Record<string, string | undefined>,
  output: Output,
): Promise<number> {
  const config = configOrMistakes(options.config, env, output);
  if (config === undefined) return 2;
  const { dataDir, log } = config;
  try {
    const force = options.force === true;
    const nowMs = Date.now();
    const { partitions } = log;
    const restoring = restore({ dataDir, folder, force, partitions, nowMs }, output);
    const { manifest, movedTo } = await restoring;
    output.log(`${dataDir}: the data of ${new Date(manifest.madeMs).toISOString()}`);
    if (movedTo !== undefined) output.log(`What was there before is in ${movedTo}.`);
    output.log('Start the collector: what was acknowledged since will show as a gap.');
    return 0;
  } catch (error) {
    return sayFailure(error, output);
  }
}

function sayFailure(error: unknown, output: Output): number {
  if (!(error instanceof CollectorError)) throw error;
  output.error(`${error.message}\n${error.hint}`);
  return error.code === 'COLLECTOR_UNREACHABLE' ? 3 : 1;
}
