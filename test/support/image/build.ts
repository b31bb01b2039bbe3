/**
 * Builds an image as `docker build` does, without Docker: each instruction makes a layer on those before it
 * (overlayfs), RUN runs in a chroot of them, COPY takes only what the ignore file lets through. Layers are kept per
 * machine, by what they were made from. Needs root on Linux.
 *
 * Otherwise than a real build: the base is image/base.ts, there is no isolation of the network, and an installation of
 * all packages, which only serves to build the pages, is that of this checkout (`npm ci` made it from the same lock
 * file).
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { writableCache } from '../test-cache.ts';
import { baseRoot } from './base.ts';
import type { Dockerfile, Instruction, Stage } from './dockerfile.ts';
import { fillIn, pairsIn, parseDockerfile } from './dockerfile.ts';
import { isIgnored, readIgnoreFile } from './ignore.ts';

const RUN_TIMEOUT_MS = 480_000;
const UNUSED_LAYER_MS = 3 * 86_400_000;

export interface BuildOptions {
  /** The folder that is sent to the builder. */
  context: string;
  /** Path of the Dockerfile; its ignore file stands beside it. */
  file: string;
  args?: Record<string, string>;
  say?: (line: string) => void;
}

/** What a container starts with. */
export interface BuiltImage {
  /** Folders, the lowest first. */
  layers: readonly string[];
  env: ReadonlyMap<string, string>;
  labels: ReadonlyMap<string, string>;
  user: string;
  workdir: string;
  entrypoint: readonly string[];
  command: readonly string[];
  healthcheck: readonly string[];
  volumes: readonly string[];
  ports: readonly number[];
  stopSignal: string;
}

interface State extends BuiltImage {
  layers: string[];
  env: Map<string, string>;
  labels: Map<string, string>;
  args: Map<string, string>;
  key: string;
  /** Folders of the stage that are taken from this checkout. */
  borrowed: Map<string, string>;
}

export function buildImage(options: BuildOptions): BuiltImage {
  const dockerfile = parseDockerfile(readFileSync(options.file, 'utf8'));
  const builder = new Builder(dockerfile, options);
  const last = dockerfile.stages.at(-1);
  if (last === undefined) throw new Error('there is no stage');
  const image = builder.stage(last);
  builder.removeUnused();
  return image;
}

class Builder {
  readonly #file: Dockerfile;
  readonly #options: BuildOptions;
  readonly #folder = join(writableCache(), 'image-layers');
  readonly #built = new Map<string, State>();
  readonly #ignore: ReturnType<typeof readIgnoreFile>;

  constructor(file: Dockerfile, options: BuildOptions) {
    this.#file = file;
    this.#options = options;
    this.#ignore = readIgnoreFile(`${options.file}.dockerignore`);
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
  }

  stage(stage: Stage): State {
    const known = this.#built.get(stage.name);
    if (known !== undefined) return known;
    const state = this.#begin(stage);
    for (const instruction of stage.instructions) this.#apply(state, instruction);
    this.#built.set(stage.name, state);
    return state;
  }

  #begin(stage: Stage): State {
    const global = new Map([['BUILDPLATFORM', 'linux/amd64']]);
    for (const { text } of this.#file.global) this.#define(global, text, global);
    const [from = ''] = fillIn(stage.from.text, global).split(' ');
    const root = baseRoot(from);
    return {
      layers: [root],
      env: new Map([['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin']]),
      labels: new Map(),
      args: new Map(),
      user: '0:0',
      workdir: '/',
      entrypoint: [],
      command: [],
      healthcheck: [],
      volumes: [],
      ports: [],
      stopSignal: 'SIGTERM',
      key: basename(root),
      borrowed: new Map(),
    };
  }

  /** ARG: what was asked for, what was said globally, the default. */
  #define(values: Map<string, string>, text: string, known: ReadonlyMap<string, string>): void {
    const [, name = '', standard] = /^(\w+)(?:=(.*))?$/.exec(text) ?? [];
    const asked = this.#options.args?.[name];
    const value = asked ?? (standard === undefined ? undefined : fillIn(standard, known));
    if (value !== undefined) values.set(name, value.replace(/^"(.*)"$/, '$1'));
  }

  #apply(state: State, instruction: Instruction): void {
    const values = new Map([...state.args, ...state.env]);
    const text = fillIn(instruction.text, values);
    if (instruction.name === 'ARG') this.#define(state.args, instruction.text, values);
    else if (instruction.name === 'ENV') setAll(state.env, text);
    else if (instruction.name === 'LABEL') setAll(state.labels, text);
    else if (instruction.name === 'RUN') this.#run(state, instruction);
    else if (instruction.name === 'COPY') this.#copy(state, instruction, text);
    else if (instruction.name === 'WORKDIR') this.#enter(state, text);
    else Object.assign(state, metadata(instruction.name, text));
  }

  #enter(state: State, folder: string): void {
    state.workdir = folder;
    this.#layer(state, `WORKDIR ${folder}`, (layer) => {
      mkdirSync(join(layer, folder), { recursive: true });
    });
  }

  #run(state: State, { flags, text }: Instruction): void {
    const variables = [...state.args, ...state.env].map(([name, value]) => `${name}=${value}`);
    if (/^npm ci(?!.*--omit=dev)/.test(text)) {
      state.borrowed.set(
        join(state.workdir, 'node_modules'),
        join(this.#options.context, 'node_modules'),
      );
      this.#options.say?.(`${text}: taken from this checkout`);
      return;
    }
    const cache = /^type=cache,target=(\S+)$/.exec(flags.get('mount') ?? '')?.[1];
    if (flags.size > 0 && cache === undefined) throw new Error(`RUN ${text}: flags not known here`);
    this.#layer(state, `RUN ${text} ${variables.join(' ')}`, (folder, work) => {
      const script = runScript({ state, folder, work, cache, command: text, variables });
      exec('unshare', ['--mount', '--propagation', 'private', 'sh', '-ec', script], text);
    });
  }

  #copy(state: State, { flags, line }: Instruction, text: string): void {
    const words = text.split(/\s+/);
    const target = words.at(-1) ?? '';
    const from = flags.get('from');
    const source = from === undefined ? undefined : this.#file.stages.find((s) => s.name === from);
    if (from !== undefined && source === undefined)
      throw new Error(`line ${line}: no stage ${from}`);
    const built = source && this.stage(source);
    const names = words.slice(0, -1);
    const files = built === undefined ? names.map((name) => this.#contextFiles(name)) : [];
    const content = built?.key ?? contentKey(this.#options.context, files.flat());
    this.#layer(state, `COPY ${text} ${content}`, (folder) => {
      for (const [i, name] of names.entries()) {
        const isFolder = target.endsWith('/') || names.length > 1;
        const to = join(folder, target.startsWith('/') ? '' : state.workdir, target);
        if (built !== undefined) copyFromStage(built, name, to);
        else this.#copyFiles(name, files[i] ?? [], isFolder ? join(to, basename(name)) : to);
      }
    });
  }

  /** Below the context, relative to it. */
  #contextFiles(name: string): string[] {
    const { context } = this.#options;
    const whole = join(context, name);
    const isFolder = statSync(whole).isDirectory();
    const all = isFolder ? walk(whole).map((file) => relative(context, file)) : [name];
    const sent = all.filter((file) => !isIgnored(this.#ignore, file));
    if (sent.length === 0)
      throw new Error(`COPY ${name}: the ignore file lets nothing of it through`);
    return sent;
  }

  #copyFiles(name: string, files: readonly string[], to: string): void {
    for (const file of files) {
      const target = join(to, relative(name, file));
      mkdirSync(dirname(target), { recursive: true });
      cpSync(join(this.#options.context, file), target, { verbatimSymlinks: true });
    }
  }

  /** `make` fills the layer's folder; `work` is for overlayfs. */
  #layer(state: State, what: string, make: (folder: string, work: string) => void): void {
    const borrowed = [...state.borrowed.keys()].join();
    const key = createHash('sha256').update(`${state.key}\n${borrowed}\n${what}`).digest('hex');
    const path = join(this.#folder, key.slice(0, 32));
    if (!existsSync(path)) {
      this.#options.say?.(what.slice(0, 100));
      const temporary = mkdtempSync(join(this.#folder, 'work-'));
      try {
        for (const name of ['layer', 'work']) mkdirSync(join(temporary, name), { mode: 0o755 });
        make(join(temporary, 'layer'), join(temporary, 'work'));
        renameSync(join(temporary, 'layer'), path);
      } finally {
        rmSync(temporary, { recursive: true, force: true });
      }
    }
    const now = new Date();
    utimesSync(path, now, now);
    state.layers = [...state.layers, path];
    state.key = key;
  }

  /** Each change of a source makes new layers: those that no build has used for days go. */
  removeUnused(): void {
    for (const name of readdirSync(this.#folder)) {
      const path = join(this.#folder, name);
      const ageMs = Date.now() - statSync(path).mtimeMs;
      if (ageMs > UNUSED_LAYER_MS) rmSync(path, { recursive: true, force: true });
    }
  }
}

function setAll(values: Map<string, string>, text: string): void {
  for (const [name, value] of pairsIn(text)) values.set(name, value);
}

function metadata(name: string, text: string): Partial<BuiltImage> {
  const list = (): string[] =>
    text.startsWith('[') ? (JSON.parse(text) as string[]) : text.split(/\s+/);
  if (name === 'USER') return { user: text };
  if (name === 'VOLUME') return { volumes: list() };
  if (name === 'EXPOSE') return { ports: list().map(Number) };
  if (name === 'STOPSIGNAL') return { stopSignal: text };
  if (name === 'ENTRYPOINT') return { entrypoint: JSON.parse(text) as string[] };
  if (name === 'CMD') return { command: JSON.parse(text) as string[] };
  if (name === 'HEALTHCHECK')
    return { healthcheck: JSON.parse(text.slice(text.indexOf('['))) as string[] };
  throw new Error(`${name} is not known here`);
}

interface RunOf {
  state: State;
  folder: string;
  work: string;
  cache: string | undefined;
  command: string;
  variables: readonly string[];
}

/** All mounts end with the process that made them. */
function runScript({ state, folder, work, cache, command, variables }: RunOf): string {
  const root = join(work, 'root');
  const own = join(work, 'own');
  const lower = [...state.layers].reverse().join(':');
  const lines = [
    `mkdir -p ${root} ${own}`,
    `mount -t overlay overlay -o lowerdir=${lower},upperdir=${folder},workdir=${own} ${root}`,
    // What the machine has and an image has not; gone with the mounts.
    `mount -t tmpfs tmpfs ${root}/tmp`,
    `mount --rbind /dev ${root}/dev`,
    `mount -t proc proc ${root}/proc`,
    ...bound('/etc/resolv.conf', root),
    ...bound('/etc/ssl/certs', root),
  ];
  if (cache !== undefined) {
    const here = execFileSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).trim();
    lines.push(`mkdir -p ${here} ${root}${cache}`, `mount --bind ${here} ${root}${cache}`);
  }
  for (const [i, [target, source]] of [...state.borrowed].entries()) {
    const [upper, temporary] = [join(work, `upper${i}`), join(work, `temporary${i}`)];
    lines.push(
      `mkdir -p ${upper} ${temporary} ${root}${target}`,
      `mount -t overlay overlay -o lowerdir=${source},upperdir=${upper},workdir=${temporary} ${root}${target}`,
    );
  }
  const environment = [...variables, 'HOME=/root', ...machineVariables()].map(quote).join(' ');
  lines.push(
    `exec chroot ${root} env -i ${environment} sh -c ${quote(`cd ${state.workdir} && ${command}`)}`,
  );
  return lines.join('\n');
}

/** A machine behind an authority of its own, whose npm must know it. */
function machineVariables(): string[] {
  const names = ['NODE_EXTRA_CA_CERTS', 'npm_config_registry', 'https_proxy', 'HTTPS_PROXY'];
  return names.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [`${name}=${value}`];
  });
}

/** At the same place in the chroot. */
function bound(path: string, root: string): string[] {
  const make = statSync(path, { throwIfNoEntry: false })?.isDirectory() ? 'mkdir -p' : 'touch';
  if (!existsSync(path)) return [];
  const there = `${root}${path}`;
  return [`test -e ${there} || ${make} ${there}`, `mount --bind ${path} ${there}`];
}

/** With hard links where nothing was removed in between (layers never change), else through overlayfs. */
function copyFromStage({ layers }: State, name: string, to: string): void {
  const found = layers.map((layer) => join(layer, name)).filter((path) => existsSync(path));
  if (found.length === 0) throw new Error(`COPY --from: ${name} is not there`);
  mkdirSync(to, { recursive: true });
  const removed = execFileSync('find', [...found, '-type', 'c', '-print', '-quit']).length > 0;
  if (!removed) {
    for (const path of found) exec('cp', ['-a', '--link', `${path}/.`, to], `COPY ${name}`);
    return;
  }
  const root = `${to}.root`;
  const lower = [...layers].reverse().join(':');
  const script = [
    `mkdir ${root}`,
    `mount -t overlay overlay -o lowerdir=${lower} ${root}`,
    `cp -a ${root}${name}/. ${to}`,
    `umount ${root}`,
    `rmdir ${root}`,
  ].join('\n');
  exec('unshare', ['--mount', '--propagation', 'private', 'sh', '-ec', script], `COPY ${name}`);
}

function walk(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() && entry.name !== 'node_modules' ? walk(path) : [path];
  });
}

function contentKey(context: string, files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) {
    const path = join(context, file);
    const stat = lstatSync(path);
    hash.update(`${file}\0${stat.mode & 0o111}\0`);
    hash.update(stat.isSymbolicLink() ? readlinkSync(path) : readFileSync(path));
  }
  return hash.digest('hex');
}

/** For a shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function exec(program: string, args: string[], what: string): void {
  try {
    execFileSync(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: RUN_TIMEOUT_MS,
      maxBuffer: 64 << 20,
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: Buffer; stderr?: Buffer };
    const said = `${stdout ?? ''}${stderr ?? ''}`.slice(-3000);
    throw new Error(`${what}\n${said || String(error)}`, { cause: error });
  }
}
