/** Which profile a backtest judges by, and the configuration that it makes of it. */

import { existsSync } from 'node:fs';
import { loadConfig } from '../config.ts';
import { CollectorError } from '../errors.ts';
import { DETECTION_DEFAULTS } from '../processor/anomaly/settings.ts';
import { UNPROFILED_LATE_AFTER_MS, UNPROFILED_SILENT_AFTER_MS } from '../processor/limits.ts';
import type { CompiledConfiguration } from '../processor/validation/compile.ts';
import { compile } from '../processor/validation/compile.ts';
import type { DeviceDetection, DeviceProfile } from '../profile.ts';
import { loadConfiguration, profilesSource } from '../profiles/load.ts';
import { readProfileFile } from '../profiles/profile_file.ts';

/** Of times of receipt: a recording has none. */
const NEVER_MS = Number.MAX_SAFE_INTEGER;

export interface ProfileWanted {
  /** A YAML file, or the name of a profile in profiles_dir; undefined: none. */
  name: string | undefined;
  /** The collector's configuration file, which names profiles_dir; without such a file the built-in profile is known. */
  config: string;
  env: Record<string, string | undefined>;
}

/** Throws BACKTEST_PROFILE with every mistake, ConfigInvalid or ProfilesInvalid. */
export function profileOf({ name, config, env }: ProfileWanted): DeviceProfile | undefined {
  if (name === undefined) return undefined;
  if (/[/\\]|\.ya?ml$/.test(name)) return fileOf(name);
  const source = existsSync(config)
    ? profilesSource(loadConfig(config, env))
    : { profilesDir: undefined, retentionMs: 0 };
  const { profiles } = loadConfiguration(source);
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile !== undefined) return profile;
  const where = source.profilesDir ?? 'built in';
  const known = Object.keys(profiles).join(', ');
  throw new CollectorError('BACKTEST_PROFILE', `no profile ${name} (${where}); known: ${known}`);
}

export interface ProfileChanges {
  trainRows: number | undefined;
  intervalMs: number | undefined;
}

/**
 * Judges every device by the profile, or as one without. Rules about the time between reading and receipt
 * say nothing: a recording does not know when it would have been received.
 */
export function configurationOf(
  profile: DeviceProfile | undefined,
  { trainRows, intervalMs }: ProfileChanges,
): CompiledConfiguration {
  const changed = trainRows !== undefined || intervalMs !== undefined;
  const like = profile ?? (changed ? UNPROFILED : undefined);
  const content = { version: 'backtest', retentionMs: 0, aheadMaxMs: NEVER_MS, assignments: [] };
  if (like === undefined) return compile({ ...content, profiles: {} });
  const detection: DeviceDetection = { ...DETECTION_DEFAULTS, ...like.detection };
  const one: DeviceProfile = {
    ...like,
    intervalMs: intervalMs ?? like.intervalMs,
    timelyWithinMs: NEVER_MS,
    futureToleranceMs: NEVER_MS,
    detection: trainRows === undefined ? detection : { ...detection, trainRows },
    match: [{ site: '*', device: '*' }],
  };
  return compile({ ...content, profiles: { [one.name]: one } });
}

/** Rows that the detectors learn from before they say anything. */
export function trainRowsOf(profile: DeviceProfile | undefined): number {
  return profile?.detection?.trainRows ?? DETECTION_DEFAULTS.trainRows;
}

/** What a device without a profile is judged by, as a profile that can be changed. */
const UNPROFILED: DeviceProfile = {
  name: 'unprofiled',
  title: '',
  intervalMs: undefined,
  timelyWithinMs: NEVER_MS,
  futureToleranceMs: NEVER_MS,
  lateAfterMs: UNPROFILED_LATE_AFTER_MS,
  silentAfterMs: UNPROFILED_SILENT_AFTER_MS,
  onTimeBackwards: 'keep',
  onSameTime: 'keep',
  onLate: 'keep',
  onFuture: 'keep',
  failure: undefined,
  channels: {},
  rules: [],
  match: [],
};

function fileOf(file: string): DeviceProfile {
  const { profile, mistakes } = readProfileFile(file);
  if (profile !== undefined) return profile;
  const said = mistakes
    .toSorted((a, b) => a.line - b.line)
    .map(({ line, message }) => `${file}:${line}: ${message}`);
  throw new CollectorError('BACKTEST_PROFILE', said.join('\n'));
}
