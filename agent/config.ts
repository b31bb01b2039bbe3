/**
 * The agent's configuration: agent.yaml, conf.d/*.yaml beside it, and the environment. It is checked
 * whole before anything is opened, and every mistake is told with its place.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { NAME_BYTES_MAX } from '../proto/limits.ts';
import type { Environment } from './config-env.ts';
import { applyEnvironment } from './config-env.ts';
import { explain, suggestion } from './config-mistakes.ts';
import type { ReaderTypes } from './config-schema.ts';
import { agentSchema, deviceSchema, devicesFileSchema, fitsTopic } from './config-schema.ts';
import type { AgentConfig, Data, DeviceConfig } from './config-values.ts';
import { asBlock, toConfig, toDevice, toSpec } from './config-values.ts';
import type { ConfigMistake, ConfigPath, SourceFile } from './config-yaml.ts';
import { parseSource } from './config-yaml.ts';
import { AgentError } from './errors.ts';
import { checkSchema } from './json-schema.ts';
import type { JsonSchema } from './readers/spec.ts';

export interface LoadOptions {
  path: string;
  env: Environment;
  readerTypes: ReaderTypes;
}

export type Loaded = { ok: true; config: AgentConfig } | { ok: false; mistakes: ConfigMistake[] };

/** One mistake as a line for people: `agent.yaml:12:5: …`. */
export function formatMistake(mistake: ConfigMistake): string {
  const place = mistake.line === undefined ? '' : `:${mistake.line}:${mistake.column ?? 1}`;
  return `${mistake.file}${place}: ${mistake.message}`;
}

/** All mistakes as one coded error; they themselves are printed line by line before it. */
export function configError(mistakes: readonly ConfigMistake[]): AgentError {
  const unreadable = mistakes.filter(({ isUnreadable }) => isUnreadable);
  if (unreadable.length > 0) {
    return new AgentError('AGENT_CONFIG_UNREADABLE', unreadable.map(({ file }) => file).join(', '));
  }
  const count = mistakes.length === 1 ? '1 mistake' : `${mistakes.length} mistakes`;
  return new AgentError('AGENT_CONFIG_INVALID', count);
}

/** Reads and checks everything; no connection, nothing written. Never throws for what files say. */
export function loadConfig(options: LoadOptions): Loaded {
  const loading = new Loading(options);
  const config = loading.load();
  if (config === undefined || loading.mistakes.length > 0) {
    return { ok: false, mistakes: inOrder(loading.mistakes) };
  }
  return { ok: true, config };
}

/** By place within a file; files in the order in which they were read. */
function inOrder(mistakes: readonly ConfigMistake[]): ConfigMistake[] {
  const files = [...new Set(mistakes.map(({ file }) => file))];
  return mistakes.toSorted(
    (a, b) =>
      files.indexOf(a.file) - files.indexOf(b.file) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0),
  );
}

/** One loading: collects mistakes from all files. */
class Loading {
  readonly mistakes: ConfigMistake[] = [];
  readonly #options: LoadOptions;
  readonly #deviceSchemas = new Map<string, JsonSchema>();
  readonly #seen = new Map<string, string>();

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  load(): AgentConfig | undefined {
    const { path, env } = this.#options;
    const source = this.#read(path);
    const folder = dirname(path);
    const more = this.#listDevicesFiles(join(folder, 'conf.d'));
    if (source === undefined) return undefined;
    const data = asBlock(source.data);
    const overrides = applyEnvironment(data ?? {}, env, agentSchema);
    this.mistakes.push(...overrides.mistakes);
    this.#checkShape(source, agentSchema, data ?? source.data, overrides.sources);
    const collector = this.#readCollector(source, asBlock(data?.collector), overrides.sources);
    this.#checkNames(source, data, overrides.sources);
    const devices = this.#readDevices(source, data?.devices, folder);
    for (const file of more) {
      const extra = this.#read(file);
      if (extra === undefined) continue;
      this.#checkShape(extra, devicesFileSchema, extra.data, new Map());
      devices.push(...this.#readDevices(extra, asBlock(extra.data)?.devices, dirname(file)));
    }
    if (this.mistakes.length > 0 || data === undefined || collector === undefined) return undefined;
    const dataFrom = overrides.sources.has('data_dir') ? '.' : folder;
    return toConfig(data, collector, devices, resolve(dataFrom, String(data.data_dir)));
  }

  #read(path: string): SourceFile | undefined {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      this.#addUnreadable(path, error);
      return undefined;
    }
    const source = parseSource(path, text);
    this.mistakes.push(...source.mistakes);
    return source.mistakes.length > 0 ? undefined : source;
  }

  #listDevicesFiles(folder: string): string[] {
    try {
      return readdirSync(folder)
        .filter((file) => /\.ya?ml$/.test(file) && !file.startsWith('.'))
        .sort()
        .map((file) => join(folder, file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#addUnreadable(folder, error);
      }
      return [];
    }
  }

  #checkShape(
    source: SourceFile,
    schema: JsonSchema,
    data: unknown,
    variables: ReadonlyMap<string, string>,
  ): void {
    for (const fault of checkSchema(schema, data)) {
      const mistake = explain(fault);
      this.#addAt(source, mistake.path, mistake.at, mistake.message, variables);
    }
  }

  #checkNames(
    source: SourceFile,
    data: Data | undefined,
    variables: ReadonlyMap<string, string>,
  ): void {
    for (const key of ['site', 'gateway']) {
      const text = data?.[key];
      // What the schema refuses has its mistake already; here the length in bytes is left.
      if (typeof text !== 'string' || text.length > NAME_BYTES_MAX || fitsTopic(text)) continue;
      if (Buffer.byteLength(text) <= NAME_BYTES_MAX) continue;
      const message = `"${key}" must have at most ${NAME_BYTES_MAX} bytes in UTF-8`;
      this.#addAt(source, [key], 'value', message, variables);
    }
  }

  #readCollector(
    source: SourceFile,
    data: Data | undefined,
    variables: ReadonlyMap<string, string>,
  ): AgentConfig['collector'] | undefined {
    if (data === undefined) return undefined;
    const { url, token, token_file: tokenFile, ca_file: caFile } = data;
    const fault = typeof url === 'string' && url !== '' ? urlFault(url) : undefined;
    if (fault !== undefined) {
      this.#addAt(source, ['collector', 'url'], 'value', `"collector.url" ${fault}`, variables);
    }
    const tokenFromEnv = variables.has('collector.token');
    if (token !== undefined && tokenFile !== undefined && !tokenFromEnv) {
      const message = 'give "token" or "token_file", not both';
      this.#addAt(source, ['collector', 'token_file'], 'key', message, variables);
    } else if (token === undefined && tokenFile === undefined) {
      const message = '"collector" needs "token" or "token_file"';
      this.#addAt(source, ['collector'], 'key', message, variables);
    }
    const file = (key: string, name: unknown): string | undefined =>
      typeof name === 'string' && name !== ''
        ? this.#readNamedFile(source, ['collector', key], name, variables)
        : undefined;
    const secret = token ?? file('token_file', tokenFile)?.trim();
    const ca = file('ca_file', caFile);
    return { url: String(url), token: String(secret), ca };
  }

  #readNamedFile(
    source: SourceFile,
    path: ConfigPath,
    name: string,
    variables: ReadonlyMap<string, string>,
  ): string | undefined {
    const from = variables.has(path.join('.')) ? '.' : dirname(source.path);
    try {
      const text = readFileSync(resolve(from, name), 'utf8');
      if (text.trim() !== '') return text;
      this.#addAt(source, path, 'value', `the file ${name} is empty`, variables);
    } catch (error) {
      const message = `the file ${name} cannot be read: ${reasonOf(error)}`;
      this.#addAt(source, path, 'value', message, variables);
    }
    return undefined;
  }

  #readDevices(source: SourceFile, list: unknown, folder: string): DeviceConfig[] {
    if (!Array.isArray(list)) return [];
    const devices: DeviceConfig[] = [];
    list.forEach((entry: unknown, index) => {
      const device = this.#readDevice(source, asBlock(entry), index, folder);
      if (device !== undefined) devices.push(device);
    });
    return devices;
  }

  #readDevice(
    source: SourceFile,
    entry: Data | undefined,
    index: number,
    folder: string,
  ): DeviceConfig | undefined {
    const path = ['devices', index];
    const add = (at: 'key' | 'value', keys: ConfigPath, message: string): void =>
      this.#addAt(source, [...path, ...keys], at, message);
    if (entry === undefined) {
      add('value', [], 'a device must be a block of keys');
      return undefined;
    }
    const readerName = entry.reader;
    const type = typeof readerName === 'string' ? this.#readerType(readerName) : undefined;
    const before = this.mistakes.length;
    if (type === undefined) {
      add(readerName === undefined ? 'key' : 'value', ['reader'], this.#readerFault(readerName));
      this.#checkDeviceName(source, entry, index);
      return undefined;
    }
    const name = String(readerName);
    const fingerprint = JSON.stringify([folder, entry]);
    for (const fault of checkSchema(this.#deviceSchema(name), entry)) {
      const mistake = explain(fault);
      add(mistake.at, mistake.path, describeIn(mistake.message, entry));
    }
    this.#checkDeviceName(source, entry, index);
    if (this.mistakes.length > before) return undefined;
    const spec = toSpec(entry, name, folder);
    for (const issue of type.check(spec)) add('value', issue.path, issue.message);
    if (this.mistakes.length > before) return undefined;
    return toDevice(entry, name, spec, fingerprint);
  }

  #readerType(readerName: string) {
    const { readerTypes } = this.#options;
    return Object.hasOwn(readerTypes, readerName) ? readerTypes[readerName] : undefined;
  }

  #readerFault(readerName: unknown): string {
    const names = Object.keys(this.#options.readerTypes);
    if (readerName === undefined) return `"reader" is missing; known: ${names.join(', ')}`;
    const nearest = suggestion(String(readerName), names);
    const hint =
      nearest === undefined ? `known: ${names.join(', ')}` : `did you mean "${nearest}"?`;
    return `unknown reader ${JSON.stringify(readerName)}; ${hint}`;
  }

  #deviceSchema(readerName: string): JsonSchema {
    let schema = this.#deviceSchemas.get(readerName);
    if (schema === undefined) {
      schema = deviceSchema(readerName, this.#readerType(readerName)!);
      this.#deviceSchemas.set(readerName, schema);
    }
    return schema;
  }

  /** Names: bytes, and no two alike over all files. */
  #checkDeviceName(source: SourceFile, entry: Data, index: number): void {
    const { name, channels } = entry;
    const path = ['devices', index];
    for (const channel of Object.keys(asBlock(channels) ?? {})) {
      if (Buffer.byteLength(channel) > NAME_BYTES_MAX && channel.length <= NAME_BYTES_MAX) {
        const message = `a channel's name must have at most ${NAME_BYTES_MAX} bytes in UTF-8`;
        this.#addAt(source, [...path, 'channels', channel], 'key', message);
      }
    }
    if (typeof name !== 'string' || name === '') return;
    if (Buffer.byteLength(name) > NAME_BYTES_MAX && name.length <= NAME_BYTES_MAX) {
      const message = `a device's name must have at most ${NAME_BYTES_MAX} bytes in UTF-8`;
      this.#addAt(source, [...path, 'name'], 'value', message);
    }
    const first = this.#seen.get(name);
    const { line } = source.valueAt([...path, 'name']);
    if (first === undefined) this.#seen.set(name, `${source.path}:${line}`);
    else {
      const message = `device ${JSON.stringify(name)} is there twice; first at ${first}`;
      this.#addAt(source, [...path, 'name'], 'value', message);
    }
  }

  #addAt(
    source: SourceFile,
    path: ConfigPath,
    at: 'key' | 'value',
    message: string,
    variables: ReadonlyMap<string, string> = new Map(),
  ): void {
    const variable = variables.get(path.join('.'));
    if (variable !== undefined) this.#add(variable, undefined, message);
    else this.#add(source.path, at === 'key' ? source.keyAt(path) : source.valueAt(path), message);
  }

  #addUnreadable(file: string, error: unknown): void {
    const message = `cannot be read: ${reasonOf(error)}`;
    this.mistakes.push({ file, line: undefined, column: undefined, message, isUnreadable: true });
  }

  #add(file: string, place: { line: number; column: number } | undefined, message: string): void {
    this.mistakes.push({ file, line: place?.line, column: place?.column, message });
  }
}

/** Paths inside a device are long enough without its place in the list: the device's name says more. */
function describeIn(message: string, entry: Data): string {
  return typeof entry.name === 'string' && entry.name !== ''
    ? `device ${entry.name}: ${message}`
    : message;
}

function urlFault(text: string): string | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return 'must be a URL like mqtt://host:1883';
  }
  if (url.protocol !== 'mqtt:' && url.protocol !== 'mqtts:') {
    return `must begin with mqtt:// or mqtts://, not ${url.protocol}//`;
  }
  if (url.hostname === '') return 'names no host';
  if (url.username !== '' || url.password !== '') {
    return 'must not hold a user or password; the token goes into "token"';
  }
  const rest = url.pathname.replace('/', '') + url.search + url.hash;
  return rest === '' ? undefined : `must end after the port, not with ${JSON.stringify(rest)}`;
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'it does not exist';
  if (code === 'EACCES') return 'no permission';
  if (code === 'EISDIR') return 'it is a folder';
  return message;
}
