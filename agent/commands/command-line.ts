/** What every command needs: the configuration, the version, and how errors are told. */

import own from '../../package.json' with { type: 'json' };
import { configError, formatMistake, loadConfig } from '../config/config.ts';
import type { AgentConfig } from '../config/values.ts';
import type { ConfigMistake } from '../config/yaml.ts';
import { AgentError } from '../errors.ts';
import { readers } from '../readers/registry.ts';
import type { Speaker } from '../words/say.ts';
import { english } from '../words/say.ts';

export const DEFAULT_CONFIG = '/etc/fms-agent/agent.yaml';

/** Exit codes: 0 as asked, 1 an error with its code, 2 mistakes in configuration or command line. */
export const EXIT_ERROR = 1;
export const EXIT_CONFIG = 2;

/** The single binary has the file's version built in. */
export function version(): string {
  return own.version;
}

/** The configuration, or its mistakes on stderr and exit code 2. */
export function load(path: string, speaker: Speaker = english): AgentConfig | undefined {
  const loaded = loadConfig({ path, env: process.env, readerTypes: readers, speaker });
  if (loaded.ok) return loaded.config;
  tellMistakes(loaded.mistakes, speaker);
  return undefined;
}

/** On stderr, with exit code 2. */
export function tellMistakes(mistakes: readonly ConfigMistake[], speaker: Speaker): void {
  for (const mistake of mistakes) process.stderr.write(`${formatMistake(mistake)}\n`);
  tell(configError(mistakes, speaker), speaker);
  process.exitCode = EXIT_CONFIG;
}

/** Tells an error and sets the exit code. */
export function fail(error: unknown, speaker: Speaker = english): void {
  if (error instanceof AgentError) tell(error, speaker);
  else process.stderr.write(`${String((error as Error).stack ?? error)}\n`);
  process.exitCode = EXIT_ERROR;
}

function tell(error: AgentError, { retell, adviceOn }: Speaker): void {
  process.stderr.write(`${[retell(error.message), ...adviceOn(error.code)].join('\n')}\n`);
}
