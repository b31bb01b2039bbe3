/**
 * Reads a folder of profiles, checks everything, and makes the Configuration of it: each `*.yaml` is a
 * profile, `devices.yaml` says where devices stand and which has which.
 */

import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CollectorError } from '../errors.ts';
import type { Configuration, DeviceAssignment, DeviceProfile } from '../profile.ts';
import type { Mistake, Place } from '../yaml_file.ts';
import { checkSchema, parseYaml, readText } from '../yaml_file.ts';
import schema from './devices.schema.json' with { type: 'json' };
import { formats } from './names.ts';
import { readProfileText } from './profile_file.ts';
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
  /** Read as if the folder had these: to see what would come of them. */
  changes?: readonly FileChange[];
}

/** A file in profiles_dir, by its name there; text null: as if it was not there. */
export interface FileChange {
  name: string;
  text: string | null;
}

export interface FileMistake extends Mistake {
  /** Name in profiles_dir; '': of all together. */
  file: string;
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
  /** The same in pieces. */
  readonly found: readonly FileMistake[];
  constructor(mistakes: readonly string[], found: readonly FileMistake[]) {
    super('PROFILES_INVALID', mistakes.join('\n'));
    this.mistakes = mistakes;
    this.found = found;
  }
}

/** Throws ProfilesInvalid with all mistakes of all files. What cannot be read is a mistake too. */
export function loadConfiguration(source: ProfilesSource): Configuration {
  const { profilesDir, retentionMs } = source;
  const found = new FoundMistakes();
  const profiles = new Map<string, { file: string; profile: DeviceProfile }>();
  let devices: { file: string; content: DevicesContent } | undefined;
  for (const { file, textOf } of filesOf(source, found)) {
    const say = (place: Place, message: string): void => found.say(file, place, message);
    try {
      const text = textOf();
      if (basename(file) === DEVICES_FILE) {
        devices = { file, content: readDevices(text, say) };
        continue;
      }
      const { profile, namePlace, mistakes } = readProfileText(file, text);
      for (const { message, ...place } of byLine(mistakes)) say(place, message);
      if (profile === undefined) continue;
      const earlier = profiles.get(profile.name);
      if (earlier === undefined) profiles.set(profile.name, { file, profile });
      else say(namePlace, `profile ${profile.name} is in ${earlier.file} too`);
    } catch (error) {
      if (!(error instanceof CollectorError)) throw error;
      say(START, error.message.replace(`${error.code}: `, ''));
    }
  }
  // While a profile has mistakes of its own, that nobody knows its name is none.
  if (found.isEmpty && devices !== undefined)
    sayUnknownProfiles(devices, [...profiles.keys()], found);
  const content = {
    retentionMs,
    aheadMaxMs: AHEAD_MAX_MS,
    profiles: Object.fromEntries([...profiles].map(([name, { profile }]) => [name, profile])),
    assignments: devices?.content.assignments ?? [],
  };
  const bytes = Buffer.byteLength(canonicalJson(content));
  if (bytes > CONFIGURATION_BYTES_MAX)
    found.sayOfAll(
      String(profilesDir),
      `all together ${bytes} bytes; at most ${CONFIGURATION_BYTES_MAX} are taken`,
    );
  if (!found.isEmpty) throw new ProfilesInvalid(found.lines, found.mistakes);
  return withVersion(content);
}

const START: Place = { line: 1, column: 1 };

/** As lines for people at a terminal, and in pieces for programs. */
class FoundMistakes {
  readonly lines: string[] = [];
  readonly mistakes: FileMistake[] = [];

  get isEmpty(): boolean {
    return this.lines.length === 0;
  }

  say(file: string, place: Place, message: string): void {
    this.lines.push(`${file}:${place.line}: ${message}`);
    this.mistakes.push({ file: basename(file), ...place, message });
  }

  sayOfAll(folder: string, message: string): void {
    this.lines.push(`${folder}: ${message}`);
    this.mistakes.push({ file: '', ...START, message });
  }
}

interface FileToRead {
  /** Absolute. */
  file: string;
  /** Throws CollectorError COLLECTOR_CONFIG_UNREADABLE. */
  textOf: () => string;
}

/** In the order of their names. Hidden files are left out: editors leave theirs there. */
function filesOf(source: ProfilesSource, found: FoundMistakes): FileToRead[] {
  const { profilesDir: folder, changes = [] } = source;
  if (folder === undefined) return [{ file: BUILT_IN_FILE, textOf: () => readText(BUILT_IN_FILE) }];
  try {
    const changed = new Map(changes.map(({ name, text }) => [name, text]));
    const names = [...new Set([...profileNames(folder), ...changed.keys()])]
      .filter((name) => changed.get(name) !== null)
      .sort();
    if (names.length > FILES_MAX)
      found.sayOfAll(folder, `${names.length} files; at most ${FILES_MAX} are read`);
    return names.slice(0, FILES_MAX).map((name) => {
      const file = join(folder, name);
      return { file, textOf: () => changed.get(name) ?? readBounded(file) };
    });
  } catch (error) {
    found.sayOfAll(folder, `cannot be read: ${(error as Error).message}`);
    return [];
  }
}

/** Of the files that are read, in no order. Throws what the file system throws. */
export function profileNames(folder: string): string[] {
  return readdirSync(folder).filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.'));
}

function readBounded(file: string): string {
  const { size } = statSync(file, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size > FILE_BYTES_MAX)
    throw new CollectorError(
      'COLLECTOR_CONFIG_UNREADABLE',
      `${size} bytes; at most ${FILE_BYTES_MAX} are read`,
    );
  return readText(file);
}

type AssignmentContent = Omit<DeviceAssignment, 'area' | 'line'> & {
  area: string | number;
  line: string | number;
};

interface DevicesContent {
  assignments: DeviceAssignment[];
  /** Of the profile's name, by index. */
  placeOf(index: number): Place;
}

function readDevices(text: string, say: (place: Place, message: string) => void): DevicesContent {
  const yaml = parseYaml(text);
  const found = [...yaml.mistakes];
  if (yaml.value !== undefined)
    for (const { path, message } of checkSchema(schema, yaml.value, formats))
      found.push({ ...yaml.placeOf(path), message });
  for (const { message, ...place } of byLine(found)) say(place, message);
  const placeOf = (index: number): Place => yaml.placeOf(['devices', index, 'profile']);
  if (found.length > 0) return { assignments: [], placeOf };
  const { devices } = yaml.value as { devices: AssignmentContent[] };
  // `line: 3` is the line called 3.
  const assignments = devices.map((one) => ({
    ...one,
    area: String(one.area),
    line: String(one.line),
  }));
  return { assignments, placeOf };
}

function sayUnknownProfiles(
  { file, content }: { file: string; content: DevicesContent },
  known: readonly string[],
  found: FoundMistakes,
): void {
  for (const [i, { profile }] of content.assignments.entries())
    if (profile !== '' && !known.includes(profile))
      found.say(file, content.placeOf(i), `no profile "${profile}"; known: ${known.join(', ')}`);
}

function byLine(mistakes: readonly Mistake[]): Mistake[] {
  return mistakes.toSorted((a, b) => a.line - b.line);
}
