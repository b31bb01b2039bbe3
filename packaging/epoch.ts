/** The time that everything in a package bears. */

import { spawnSync } from 'node:child_process';

/**
 * SOURCE_DATE_EPOCH, else the time of the last commit, else 0: never the time of the build, or two builds
 * of the same sources would differ.
 */
export function sourceEpochSeconds(root: string, env = process.env): number {
  const given = Number(env.SOURCE_DATE_EPOCH);
  if (env.SOURCE_DATE_EPOCH !== undefined && Number.isSafeInteger(given) && given >= 0)
    return given;
  const { stdout, status } = spawnSync('git', ['log', '-1', '--format=%ct'], {
    cwd: root,
    encoding: 'utf8',
  });
  return status === 0 ? Number(stdout.trim()) : 0;
}
