/**
 * The agent's configuration: agent.yaml, conf.d/*.yaml beside it, what the gateway learned when it was
 * enrolled, and the environment. It is checked whole before anything is opened, and every mistake is told
 * with its place.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { NAME_BYTES_MAX } from '../../proto/limits.ts';
import { AgentError } from '../errors.ts';
import type { Enrolment } from '../identity/files.ts';
import { identityFolder, readEnrolment } from '../identity/files.ts';
import type { JsonSchema } from '../readers/spec.ts';
import type { Speaker } from '../words/say.ts';
import { english } from '../words/say.ts';
import { readCollector, takeEnrolment } from './collector.ts';
import type { Environment } from './env.ts';
import { applyEnvironment } from './env.ts';
import { checkSchema } from './json-schema.ts';
import type { Merged } from './merge.ts';
import { mergeSources, partialSchema } from './merge.ts';
import { explain, hintOf } from './mistakes.ts';
import type { ReaderTypes } from './schema.ts';
import { agentSchema, DATA_DIR, deviceSchema, fitsTopic } from './schema.ts';
import type { AgentConfig, Data, DeviceConfig } from './values.ts';
import { asBlock, toConfig, toDevice, toSpec } from './values.ts';
import type { ConfigMistake, ConfigPath, SourceFile } from './yaml.ts';
import { parseSource } from './yaml.ts';

export interface LoadOptions {
  path: string;
  env: Environment;
  readerTypes: ReaderTypes;
  /** Tells the mistakes; left out: in English. */
  speaker?: Speaker;
}

export type Loaded = { ok: true; config: AgentConfig } | { ok: false; mistakes: ConfigMistake[] };

/** One mistake as a line for people: `agent.yaml:12:5: …`. */
export function formatMistake(mistake: ConfigMistake): string {
  const place = mistake.line === undefined ? '' : `:${mistake.line}:${mistake.column ?? 1}`;
  return `${mistake.file}${place}: ${mistake.message}`;
}

/** All mistakes as one coded error; they themselves are printed line by line before it. */
export function configError(
  mistakes: readonly ConfigMistake[],
  { say }: Speaker = english,
): AgentError {
  const unreadable = mistakes.filter(({ isUnreadable }) => isUnreadable);
  if (unreadable.length > 0) {
    return new AgentError('AGENT_CONFIG_UNREADABLE', unreadable.map(({ file }) => file).join(', '));
  }
  const { length: count } = mistakes;
  const detail = count === 1 ? say('1 mistake') : say('{count} mistakes', { count });
  return new AgentError('AGENT_CONFIG_INVALID', detail);
}

/** Reads and checks everything; no connection, nothing written. Never throws for what files say. */
export function loadConfig(options: LoadOptions): Loaded {
  const loading = new Loading(options);
  const config = loading.load();
  if (config === undefined || loading.mistakes.length > 0) {
    return { ok: false, mistakes: inOrder(loading.mistakes, loading.files) };
  }
  return { ok: true, config };
}

/** What the enrolment has to know of a configuration that may still lack everything. */
export interface EnrolmentSettings {
  dataDir: string;
  /** As they stand there, checked by nobody. */
  site: unknown;
  gateway: unknown;
  /** What the files say that this enrolment would contradict. */
  contradictionsOf(enrolment: Enrolment): ConfigMistake[];
}

/** Never throws for what files say; undefined and mistakes when a file cannot be read. */
export function loadEnrolmentSettings(
  options: LoadOptions,
): { ok: true; settings: EnrolmentSettings } | { ok: false; mistakes: ConfigMistake[] } {
  const loading = new Loading(options);
  const settings = loading.settings();
  if (settings === undefined)
    return { ok: false, mistakes: inOrder(loading.mistakes, loading.files) };
  return { ok: true, settings };
}

const fileSchema = partialSchema(agentSchema);

interface Settings {
  /** As they were read, agent.yaml first. */
  sources: SourceFile[];
  merged: Merged;
  /** By dotted path: what the environment set. */
  variables: ReadonlyMap<string, string>;
}

function dataDirOf(settings: Settings, folder: string): string {
  return pathAt(settings, ['data_dir']) ?? resolve(folder, DATA_DIR);
}

/** A path is relative to the file that says it; in the environment, to the working directory. */
function pathAt({ merged, variables }: Settings, keys: readonly string[]): string | undefined {
  const said = keys.reduce<unknown>((value, key) => asBlock(value)?.[key], merged.data);
  if (typeof said !== 'string' || said === '') return undefined;
  const from = variables.has(keys.join('.')) ? '.' : dirname(merged.fileOf([...keys]).path);
  return resolve(from, said);
}

/** By place within a file; files in the order in which they count, then what is no file. */
function inOrder(mistakes: readonly ConfigMistake[], read: readonly string[]): ConfigMistake[] {
  const files = [...new Set([...read, ...mistakes.map(({ file }) => file)])];
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
  /** In the order in which they were read. */
  readonly files: string[] = [];
  readonly #options: LoadOptions;
  readonly #speaker: Speaker;
  readonly #deviceSchemas = new Map<string, JsonSchema>();
  readonly #seen = new Map<string, string>();

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#speaker = options.speaker ?? english;
  }

  load(): AgentConfig | undefined {
    const settings = this.#settings();
    if (settings === undefined) return undefined;
    const { sources, merged, variables } = settings;
    const addAt = (path: ConfigPath, at: 'key' | 'value', message: string): void =>
      this.#addAt(merged.fileOf(path), path, at, message, variables);
    const { data } = merged;
    const dataDir = dataDirOf(settings, dirname(this.#options.path));
    const enrolment = this.#readEnrolment(dataDir);
    const mayBeEmpty = sources.length > 1 || enrolment !== undefined;
    for (const source of sources) this.#checkFile(source, mayBeEmpty);
    // What could not be read may say what is missing.
    const isWhole =
      (this.mistakes.length === 0 || asBlock(sources[0]?.data) !== undefined) &&
      !this.mistakes.some(({ isUnreadable }) => isUnreadable);
    const telling = { add: addAt, speaker: this.#speaker };
    if (enrolment !== undefined) takeEnrolment(data, enrolment, telling);
    // The files were checked one by one: what is left is what only all together tell.
    for (const fault of checkSchema(agentSchema, data)) {
      const { path, at, message } = explain(fault, this.#speaker);
      if (variables.has(path.join('.')) || fault.keyword === 'required') addAt(path, at, message);
    }
    if (isWhole) this.#checkWhole(data, addAt);
    const collector = readCollector(asBlock(data.collector), enrolment, {
      ...telling,
      isFromEnvironment: (path) => variables.has(path),
      readFile: (path, name) => this.#readNamedFile(merged.fileOf(path), path, name, variables),
    });
    const devices = sources.flatMap((source) =>
      this.#readDevices(source, asBlock(source.data)?.devices, dirname(source.path)),
    );
    if (this.mistakes.length > 0 || collector === undefined) return undefined;
    const keyFile = pathAt(settings, ['buffer', 'key_file']);
    return toConfig(data, collector, devices, { dataDir, keyFile });
  }

  /** For the enrolment: what is said so far, however incomplete. Undefined: a file is not YAML. */
  settings(): EnrolmentSettings | undefined {
    const settings = this.#settings();
    if (settings === undefined || this.mistakes.length > 0) return undefined;
    const { merged, variables } = settings;
    const dataDir = dataDirOf(settings, dirname(this.#options.path));
    return {
      dataDir,
      site: merged.data.site,
      gateway: merged.data.gateway,
      contradictionsOf: (enrolment) => {
        const before = this.mistakes.length;
        takeEnrolment(structuredClone(merged.data), enrolment, {
          speaker: this.#speaker,
          add: (path, at, message) =>
            this.#addAt(merged.fileOf(path), path, at, message, variables),
        });
        return inOrder(this.mistakes.splice(before), this.files);
      },
    };
  }

  /** All files and the environment over them. Undefined: agent.yaml itself gives nothing. */
  #settings(): Settings | undefined {
    const { path, env } = this.#options;
    const first = this.#read(path);
    const paths = this.#listMoreFiles(join(dirname(path), 'conf.d'));
    const others = paths.map((file) => this.#read(file)).filter((source) => source !== undefined);
    if (first === undefined) return undefined;
    const merged = mergeSources(first, others);
    const overrides = applyEnvironment(merged.data, env, agentSchema, this.#speaker);
    this.mistakes.push(...overrides.mistakes);
    return { sources: [first, ...others], merged, variables: overrides.sources };
  }

  /** Shape of one file. Where others say what is needed it may be all comments. */
  #checkFile(source: SourceFile, mayBeEmpty: boolean): void {
    if (source.data == null && mayBeEmpty) return;
    for (const fault of checkSchema(fileSchema, source.data)) {
      const mistake = explain(fault, this.#speaker);
      this.#addAt(source, mistake.path, mistake.at, mistake.message);
    }
  }

  #readEnrolment(dataDir: string): Enrolment | undefined {
    try {
      return readEnrolment(dataDir);
    } catch (error) {
      this.#addUnreadable(identityFolder(dataDir), error);
      return undefined;
    }
  }

  #read(path: string): SourceFile | undefined {
    let text: string;
    this.files.push(path);
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      this.#addUnreadable(path, error);
      return undefined;
    }
    const source = parseSource(path, text, this.#speaker);
    this.mistakes.push(...source.mistakes);
    return source.mistakes.length > 0 ? undefined : source;
  }

  #listMoreFiles(folder: string): string[] {
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

  /** What no schema says. */
  #checkWhole(
    data: Data,
    add: (path: ConfigPath, at: 'key' | 'value', message: string) => void,
  ): void {
    const { say } = this.#speaker;
    const needed = ['site', 'gateway', 'collector'];
    const missing = needed.filter((key) => data[key] === undefined);
    if (missing.length === needed.length) {
      const message = say(
        'this gateway is not enrolled: run `fms-agent enroll URL TOKEN`, or give "site", "gateway" and "collector"',
      );
      add([], 'key', message);
    } else for (const key of missing) add([], 'key', say('"{key}" is missing', { key }));
    for (const key of ['site', 'gateway']) {
      const text = data[key];
      // What the schema refuses has its mistake already; here the length in bytes is left.
      if (typeof text !== 'string' || text.length > NAME_BYTES_MAX || fitsTopic(text)) continue;
      if (Buffer.byteLength(text) <= NAME_BYTES_MAX) continue;
      const limit = { key, max: NAME_BYTES_MAX };
      add([key], 'value', say('"{key}" must have at most {max} bytes in UTF-8', limit));
    }
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
      const message = this.#speaker.say('the file {name} is empty', { name });
      this.#addAt(source, path, 'value', message, variables);
    } catch (error) {
      const reason = reasonOf(error, this.#speaker);
      const message = this.#speaker.say('the file {name} cannot be read: {reason}', {
        name,
        reason,
      });
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
      add('value', [], this.#speaker.say('a device must be a block of keys'));
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
      const mistake = explain(fault, this.#speaker);
      add(mistake.at, mistake.path, describeIn(mistake.message, entry, this.#speaker));
    }
    this.#checkDeviceName(source, entry, index);
    if (this.mistakes.length > before) return undefined;
    const spec = toSpec(entry, name, folder);
    for (const issue of type.check(spec, this.#speaker)) add('value', issue.path, issue.message);
    if (this.mistakes.length > before) return undefined;
    return toDevice(entry, name, spec, fingerprint);
  }

  #readerType(readerName: string) {
    const { readerTypes } = this.#options;
    return Object.hasOwn(readerTypes, readerName) ? readerTypes[readerName] : undefined;
  }

  #readerFault(readerName: unknown): string {
    const { say } = this.#speaker;
    const known = Object.keys(this.#options.readerTypes);
    if (readerName === undefined) {
      return say('"reader" is missing; known: {names}', { names: known.join(', ') });
    }
    const hint = hintOf(String(readerName), known, this.#speaker);
    return say('unknown reader {name}; {hint}', { name: JSON.stringify(readerName), hint });
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
    const { say } = this.#speaker;
    const path = ['devices', index];
    const max = NAME_BYTES_MAX;
    for (const channel of Object.keys(asBlock(channels) ?? {})) {
      if (Buffer.byteLength(channel) > NAME_BYTES_MAX && channel.length <= NAME_BYTES_MAX) {
        const message = say("a channel's name must have at most {max} bytes in UTF-8", { max });
        this.#addAt(source, [...path, 'channels', channel], 'key', message);
      }
    }
    if (typeof name !== 'string' || name === '') return;
    if (Buffer.byteLength(name) > NAME_BYTES_MAX && name.length <= NAME_BYTES_MAX) {
      const message = say("a device's name must have at most {max} bytes in UTF-8", { max });
      this.#addAt(source, [...path, 'name'], 'value', message);
    }
    const first = this.#seen.get(name);
    const { line } = source.valueAt([...path, 'name']);
    if (first === undefined) this.#seen.set(name, `${source.path}:${line}`);
    else {
      const twice = { name: JSON.stringify(name), place: first };
      const message = say('device {name} is there twice; first at {place}', twice);
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
    const reason = reasonOf(error, this.#speaker);
    const message = this.#speaker.say('cannot be read: {reason}', { reason });
    this.mistakes.push({ file, line: undefined, column: undefined, message, isUnreadable: true });
  }

  #add(file: string, place: { line: number; column: number } | undefined, message: string): void {
    this.mistakes.push({ file, line: place?.line, column: place?.column, message });
  }
}

/** Paths inside a device are long enough without its place in the list: the device's name says more. */
function describeIn(message: string, entry: Data, { say }: Speaker): string {
  const { name } = entry;
  return typeof name === 'string' && name !== ''
    ? say('device {name}: {mistake}', { name, mistake: message })
    : message;
}

function reasonOf(error: unknown, { say, retell }: Speaker): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return say('it does not exist');
  if (code === 'EACCES') return say('no permission');
  if (code === 'EISDIR') return say('it is a folder');
  return retell(message);
}
