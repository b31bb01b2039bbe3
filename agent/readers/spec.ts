/** What a kind of reader promises to the program: its schemas, its checks, and how one is made. */

import type { Clock, Reader } from '../types.ts';
import type { Speaker } from '../words/say.ts';

/** A plain JSON Schema (draft 2020-12 subset that ajv reads), written by hand beside its reader. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One device as the configuration gives it, validated by the schemas, defaults filled in. */
export interface ReaderSpec {
  /** The device's name: what an answer's device field must say unless the options say otherwise. */
  device: string;
  /** The block named like the reader (`http:`, `modbus:`, `command:`), as it stands in the YAML. */
  options: Readonly<Record<string, unknown>>;
  /** `channels:` by name, each as it stands in the YAML (`report` may be there and is ignored here). */
  channels: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** How long one poll may take; readers that make several requests divide it. */
  timeoutMs: number;
  /** The folder of the configuration file: relative paths start here. */
  baseDir: string;
}

export interface ReaderDeps {
  clock: Clock;
  /** The environment for secrets (`*_env`) and programs. */
  env: Readonly<Record<string, string | undefined>>;
}

/** A mistake that no schema can express. `path` starts at the device's entry: ['http', 'time_zone']. */
export interface SpecIssue {
  path: readonly string[];
  message: string;
}

/**
 * Contract: `check` looks at the configuration only, no network and no files; `create` is called with a
 * spec that passed it, opens nothing yet, and is called again by the runner for each restart.
 */
export interface ReaderType {
  kind: Reader['kind'];
  /** One line for `check` and the documentation. */
  title: string;
  deviceSchema: JsonSchema;
  channelSchema: JsonSchema;
  /** false: without `channels` every value that comes is taken. */
  channelsRequired: boolean;
  /** `speaker` tells the mistakes; left out: in English. */
  check(spec: ReaderSpec, speaker?: Speaker): SpecIssue[];
  create(spec: ReaderSpec, deps: ReaderDeps): Reader;
}
