/** From the YAML block to what the command reader works with. */

import { resolve } from 'node:path';
import type { Speaker } from '../../words/say.ts';
import { english } from '../../words/say.ts';
import type { JsonChannel } from '../channels.ts';
import { readChannels } from '../channels.ts';
import type { ReaderDeps, ReaderSpec, SpecIssue } from '../spec.ts';
import type { TimeFormat } from '../time.ts';
import { isTimeZone } from '../time.ts';

export interface CommandOptions {
  program: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  deviceId: string;
  timeFormat: TimeFormat;
  timeZone: string;
  maxLineBytes: number;
  restart: 'always' | 'on_failure';
  stopMs: number;
  /** Empty: every value that comes is taken. */
  channels: readonly JsonChannel[];
}

/** The schema has checked the types; this only names them. */
interface Yaml {
  argv: [string, ...string[]];
  cwd?: string;
  env?: Record<string, string>;
  device_id?: string;
  time_format?: TimeFormat;
  time_zone?: string;
  max_line_bytes?: number;
  restart?: 'always' | 'on_failure';
  stop_ms?: number;
}

export function readOptions(spec: ReaderSpec, env: ReaderDeps['env']): CommandOptions {
  const yaml = spec.options as unknown as Yaml;
  const [program, ...args] = yaml.argv;
  return {
    program,
    args,
    cwd: resolve(spec.baseDir, yaml.cwd ?? '.'),
    env: { ...withoutOurs(env), ...yaml.env },
    deviceId: yaml.device_id ?? spec.device,
    timeFormat: yaml.time_format ?? 'auto',
    timeZone: yaml.time_zone ?? 'UTC',
    maxLineBytes: yaml.max_line_bytes ?? 65_536,
    restart: yaml.restart ?? 'always',
    stopMs: yaml.stop_ms ?? 800,
    channels: readChannels(spec.channels),
  };
}

/** A sensor script has no business with the agent's token. */
function withoutOurs(env: ReaderDeps['env']): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [key, value] of Object.entries(env)) {
    if (value !== undefined && !key.startsWith('FMS_AGENT_')) kept[key] = value;
  }
  return kept;
}

export function checkOptions(spec: ReaderSpec, { say }: Speaker = english): SpecIssue[] {
  const yaml = spec.options as unknown as Yaml;
  const issues: SpecIssue[] = [];
  if (yaml.argv[0] === '') {
    issues.push({ path: ['command', 'argv', '0'], message: say('names no program') });
  }
  if (yaml.argv.some((argument) => argument.includes('\0'))) {
    issues.push({ path: ['command', 'argv'], message: say('must not hold NUL') });
  }
  if (yaml.time_zone !== undefined && !isTimeZone(yaml.time_zone)) {
    const message = say("'{zone}' is not an IANA time zone", { zone: yaml.time_zone });
    issues.push({ path: ['command', 'time_zone'], message });
  }
  return issues;
}
