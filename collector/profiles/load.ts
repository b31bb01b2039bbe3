/**
 * Reads a folder of profiles, checks everything, and makes the Configuration of it: each `*.yaml` is a
 * profile, `devices.yaml` says where devices stand and which has which.
 */

import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CollectorError } from '../errors.ts';
import type { Configuration, DeviceAssignment, DeviceProfile } from '../profile.ts';
import type { Mistake } from '../yaml_file.ts';
import { checkSchema, readYaml } from '../yaml_file.ts';
import schema from './devices.schema.json' with { type: 'json' };
import { formats } from './names.ts';
import { readProfileFile } from './profile_file.ts';
import { canonicalJson, withVersion } from './version.ts';

/** The profile that holds without a folder. */
export const BUILT_IN_FILE = fileURLToPath(new URL('./fms.yaml', import.meta.url));
export const DEVICES_FILE = 'devices.yaml';
/** Readings further ahead of their receipt than this go to quarantine. */
export const AHEAD_MAX_MS = 24 * 3_600_000;

export const FILES_MAX = 200;
export const FILE_BYTES_MAX = 2 * 1024 * 1024;
/** Of the whole as JSON: it travels as one record of the log. */
export const CONFIGURATION_BYTES_MAX = 4 * 1024 * 1024;

export interface ProfilesSource {
  /** Absolute. Undefined: the built-in profile alone. */
  profilesDir: string | undefined;
  retentionMs: number;
}

const DAY_MS = 86_400_000;

/** What collector.yaml says of it. */
export function profilesSource(config: {
  profilesDir: string | undefined;
  store: { retentionDays: number };
}): ProfilesSource {
  return { profilesDir: config.profilesDir, retentionMs: config.store.retentionDays * DAY_MS };
}

/** Carries every mistake, each `file:line: what`. */
export class ProfilesInvalid extends CollectorError {
  readonly mistakes: readonly string[];
  constructor(mistakes: readonly string[]) {
    super('PROFILES_INVALID', mistakes.join('\n'));
    this.mistakes = mistakes;
  }
}

/** Throws ProfilesInvalid with all mistakes of all files. What cannot be read is a mistake too. */
export function loadConfiguration({ profilesDir, retentionMs }: ProfilesSource): Configuration {
  const mistakes: string[] = [];
  const files = profilesDir === undefined ? [BUILT_IN_FILE] : filesOf(profilesDir, mistakes);
  const profiles = new Map<string, { file: string; profile: DeviceProfile }>();
  let devices: { file: string; content: DevicesContent } | undefined;
  for (const file of files) {
    const say = (line: number, message: string): void => {
      mistakes.push(`${file}:${line}: ${message}`);
    };
    try {
      sizeOf(file);
      if (basename(file) === DEVICES_FILE) {
        devices = { file, content: readDevicesFile(file, say) };
        continue;
      }
      const { profile, nameLine, mistakes: found } = readProfileFile(file);
      for (const { line, message } of byLine(found)) say(line, message);
      if (profile === undefined) continue;
      const earlier = profiles.get(profile.name);
      if (earlier === undefined) profiles.set(profile.name, { file, profile });
      else say(nameLine, `profile ${profile.name} is in ${earlier.file} too`);
    } catch (error) {
      if (!(error instanceof CollectorError)) throw error;
      say(1, error.message.replace(`${error.code}: `, ''));
    }
  }
  const assignments = devices?.content.assignments ?? [];
  // While a profile has mistakes of its own, that nobody knows its name is none.
  if (mistakes.length === 0 && devices !== undefined)
    mistakes.push(...unknownProfiles(devices.file, devices.content, [...profiles.keys()]));
  const content = {
    retentionMs,
    aheadMaxMs: AHEAD_MAX_MS,
    profiles: Object.fromEntries([...profiles].map(([name, { profile }]) => [name, profile])),
    assignments,
  };
  const bytes = Buffer.byteLength(canonicalJson(content));
  if (bytes > CONFIGURATION_BYTES_MAX)
    mistakes.push(
      `${profilesDir}: all together ${bytes} bytes; at most ${CONFIGURATION_BYTES_MAX} are taken`,
    );
  if (mistakes.length > 0) throw new ProfilesInvalid(mistakes);
  return withVersion(content);
}

/** In the order of their names. Hidden files are left out: editors leave theirs there. */
function filesOf(folder: string, mistakes: string[]): string[] {
  try {
    const names = readdirSync(folder)
      .filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.'))
      .sort();
    if (names.length > FILES_MAX)
      mistakes.push(`${folder}: ${names.length} files; at most ${FILES_MAX} are read`);
    return names.slice(0, FILES_MAX).map((name) => join(folder, name));
  } catch (error) {
    mistakes.push(`${folder}: cannot be read: ${(error as Error).message}`);
    return [];
  }
}

function sizeOf(file: string): void {
  const { size } = statSync(file, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size > FILE_BYTES_MAX)
    throw new CollectorError(
      'COLLECTOR_CONFIG_UNREADABLE',
      `${size} bytes; at most ${FILE_BYTES_MAX} are read`,
    );
}

type AssignmentContent = Omit<DeviceAssignment, 'area' | 'line'> & {
  area: string | number;
  line: string | number;
};

interface DevicesContent {
  assignments: DeviceAssignment[];
  /** Line of the profile's name, by index. */
  lineOf(index: number): number;
}

function readDevicesFile(
  file: string,
  say: (line: number, message: string) => void,
): DevicesContent {
  const yaml = readYaml(file);
  const found = [...yaml.mistakes];
  if (yaml.value !== undefined)
    for (const { path, message } of checkSchema(schema, yaml.value, formats))
      found.push({ line: yaml.lineOf(path), message });
  for (const { line, message } of byLine(found)) say(line, message);
  const lineOf = (index: number): number => yaml.lineOf(['devices', index, 'profile']);
  if (found.length > 0) return { assignments: [], lineOf };
  const { devices } = yaml.value as { devices: AssignmentContent[] };
  // `line: 3` is the line called 3.
  const assignments = devices.map((one) => ({
    ...one,
    area: String(one.area),
    line: String(one.line),
  }));
  return { assignments, lineOf };
}

function unknownProfiles(
  file: string,
  { assignments, lineOf }: DevicesContent,
  known: readonly string[],
): string[] {
  return assignments.flatMap(({ profile }, i) =>
    profile === '' || known.includes(profile)
      ? []
      : [`${file}:${lineOf(i)}: no profile "${profile}"; known: ${known.join(', ')}`],
  );
}

function byLine(mistakes: readonly Mistake[]): Mistake[] {
  return mistakes.toSorted((a, b) => a.line - b.line);
}
