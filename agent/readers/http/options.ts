/** From the YAML block to what the http reader works with. */

import type { Speaker } from '../../words/say.ts';
import { english } from '../../words/say.ts';
import type { JsonChannel } from '../channels.ts';
import { readChannels } from '../channels.ts';
import type { ReaderSpec, SpecIssue } from '../spec.ts';
import type { TimeFormat } from '../time.ts';
import { isTimeZone } from '../time.ts';

/** A secret as it stands in the configuration, in a file, or in the environment. */
export interface SecretSource {
  value: string | undefined;
  file: string | undefined;
  env: string | undefined;
}

export interface HttpOptions {
  url: URL;
  timeField: string | undefined;
  timeFormat: TimeFormat;
  timeZone: string;
  deviceField: string | undefined;
  deviceId: string;
  maxBytes: number;
  headers: Readonly<Record<string, string>>;
  username: string | undefined;
  password: SecretSource;
  token: SecretSource;
  caFile: string | undefined;
  channels: readonly JsonChannel[];
}

/** The schema has checked the types; this only names them. */
interface Yaml {
  url: string;
  time_field?: string;
  time_format?: TimeFormat;
  time_zone?: string;
  device_field?: string;
  device_id?: string;
  max_bytes?: number;
  headers?: Record<string, string>;
  username?: string;
  password?: string;
  password_file?: string;
  password_env?: string;
  token?: string;
  token_file?: string;
  token_env?: string;
  ca_file?: string;
}

export function readOptions(spec: ReaderSpec): HttpOptions {
  const yaml = spec.options as unknown as Yaml;
  return {
    url: new URL(yaml.url),
    timeField: yaml.time_field,
    timeFormat: yaml.time_format ?? 'auto',
    timeZone: yaml.time_zone ?? 'UTC',
    deviceField: yaml.device_field,
    deviceId: yaml.device_id ?? spec.device,
    maxBytes: yaml.max_bytes ?? 65_536,
    headers: yaml.headers ?? {},
    username: yaml.username,
    password: { value: yaml.password, file: yaml.password_file, env: yaml.password_env },
    token: { value: yaml.token, file: yaml.token_file, env: yaml.token_env },
    caFile: yaml.ca_file,
    channels: readChannels(spec.channels),
  };
}

export function checkOptions(spec: ReaderSpec, { say }: Speaker = english): SpecIssue[] {
  const yaml = spec.options as unknown as Yaml;
  const issues: SpecIssue[] = [];
  const add = (key: string, message: string): void => {
    issues.push({ path: ['http', key], message });
  };
  const url = URL.canParse(yaml.url) ? new URL(yaml.url) : undefined;
  if (url === undefined) add('url', say("'{text}' is not a URL", { text: yaml.url }));
  else if (url.username !== '' || url.password !== '') {
    const message = say('put the user and password under username and password, not into the URL');
    add('url', message);
  }
  if (yaml.time_zone !== undefined && !isTimeZone(yaml.time_zone)) {
    add('time_zone', say("'{zone}' is not an IANA time zone", { zone: yaml.time_zone }));
  }
  for (const name of ['password', 'token'] as const) {
    const given = [name, `${name}_file`, `${name}_env`].filter((key) => key in spec.options);
    if (given.length > 1) {
      add(given[1] ?? name, say('give one of {keys}', { keys: given.join(', ') }));
    }
    if (name === 'password' && given[0] !== undefined && yaml.username === undefined) {
      add(given[0], say('a password needs a username'));
    }
    if (name === 'token' && given[0] !== undefined && yaml.username !== undefined) {
      add(given[0], say('give a username with a password, or a token, not both'));
    }
  }
  if (yaml.ca_file !== undefined && url?.protocol === 'http:') {
    add('ca_file', say('is of no use with an http:// URL'));
  }
  for (const [key, value] of Object.entries(yaml.headers ?? {})) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(key) || /[^\t\x20-\x7e\x80-\xff]/.test(value)) {
      const message = say('is not a valid HTTP header');
      issues.push({ path: ['http', 'headers', key], message });
    }
  }
  return issues;
}
