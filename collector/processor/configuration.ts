/** The configuration that holds: from the raw record that brought it, part of the hard state. */

import type { Configuration } from '../profile.ts';
import { parseJson } from './parse.ts';
import type { CompiledConfiguration } from './validation/compile.ts';
import { compile } from './validation/compile.ts';

/** Before the first record: no profiles, no bounds of time. */
const NONE: Configuration = {
  version: '',
  retentionMs: 0,
  aheadMaxMs: Number.MAX_SAFE_INTEGER,
  profiles: {},
  assignments: [],
};

export class ActiveConfiguration {
  #compiled = compile(NONE);
  #bytes: Uint8Array | undefined;

  get version(): string {
    return this.#compiled.configuration.version;
  }

  get compiled(): CompiledConfiguration {
    return this.#compiled;
  }

  /** As it came; undefined before the first. */
  get bytes(): Uint8Array | undefined {
    return this.#bytes;
  }

  /**
   * Takes the value of a CONFIGURATION record. Answers what became of it: the same version changes
   * nothing, and what is no configuration is refused, whoever wrote it.
   */
  take(value: Uint8Array): 'taken' | 'same' | 'refused' {
    const configuration = parse(value);
    if (configuration === undefined) return 'refused';
    if (configuration.version === this.version) return 'same';
    try {
      this.#compiled = compile(configuration);
    } catch {
      return 'refused';
    }
    // A copy of its own: the record's memory is not ours to keep.
    this.#bytes = new Uint8Array(value);
    return 'taken';
  }
}

/** The files were checked before; this only keeps out what is no configuration at all. */
function parse(value: Uint8Array): Configuration | undefined {
  const parsed = parseJson<Configuration>(value);
  if (parsed === undefined) return undefined;
  const { version, retentionMs, aheadMaxMs, profiles, assignments } = parsed;
  if (typeof version !== 'string' || version === '') return undefined;
  if (!isCount(retentionMs) || !isCount(aheadMaxMs)) return undefined;
  if (typeof profiles !== 'object' || profiles === null) return undefined;
  const wholeProfiles = Object.values(profiles).every(
    (profile) =>
      typeof profile?.channels === 'object' &&
      profile.channels !== null &&
      Array.isArray(profile.rules) &&
      Array.isArray(profile.match),
  );
  if (!wholeProfiles || !Array.isArray(assignments)) return undefined;
  return { version, retentionMs, aheadMaxMs, profiles, assignments };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0;
}
