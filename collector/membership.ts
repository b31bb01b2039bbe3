/**
 * Who runs what: each process says every two seconds, in topic `control`, that it is there and which
 * components it runs, and from that each one works out by itself which partitions are its own. Agreement is
 * loose: for a moment two may both think that a partition is theirs. Nothing rests on it (see shares.ts).
 *
 * Time is counted in the own words that came back through the log. So nobody seems silent to a process
 * that was frozen itself, or while the log is away.
 */

import { randomBytes } from 'node:crypto';
import type { Component } from './config.ts';
import { COMPONENTS } from './config.ts';
import type { ControlView } from './control.ts';
import { jsonOf } from './control.ts';
import type { Share } from './shares.ts';
import type { Logger } from './types.ts';

const PREFIX = 'member/';
const BEAT_MS = 2_000;
/** A process that says nothing for so many own words is taken for dead. */
const SILENT_BEATS = 5;
/** A process that begins listens for so many own words, to know who of those in `control` is alive. */
const LISTEN_BEATS = 2;
/** What a dead process left in `control` is removed after so many. */
const FORGET_BEATS = 30;
const LEAVE_TIMEOUT_MS = 1_000;

export interface Member {
  /** Ids of processes that began earlier are less. */
  id: string;
  components: ReadonlySet<Component>;
  startedMs: number;
  /** Of its HTTP server, for the others. */
  address: string;
  /** Of the certificate that is shown there: see keyFingerprint. Empty for http. */
  keys: readonly string[];
  /** Known to the members only: what carries it comes from one of them. */
  secret: string;
}

interface Entry {
  components: Component[];
  started_ms: number;
  address: string;
  keys?: readonly string[];
  secret: string;
}

export interface MembershipOptions {
  control: Pick<ControlView, 'on' | 'put'>;
  components: ReadonlySet<Component>;
  startedMs: number;
  address: string;
  /** What `keys` of this member are now. */
  keys?: () => readonly string[];
  partitionCount: number;
  logger: Logger;
  /** For tests. Calls `run` once, unless the answer is called before. */
  after?: (delayMs: number, run: () => void) => () => void;
}

interface Known extends Member {
  /** Own words by when it was heard last; undefined: not since this process began. */
  heardAt: number | undefined;
}

type Shares = ReadonlyMap<Component, ReadonlySet<number>>;

export class Membership {
  readonly id: string;
  readonly #options: MembershipOptions;
  readonly #after: NonNullable<MembershipOptions['after']>;
  readonly #secret = randomBytes(24).toString('hex');
  readonly #known = new Map<string, Known>();
  readonly #listeners = new Set<() => void>();
  #shares: Shares = new Map();
  /** What comes now was said now. */
  #hasBegun = false;
  /** Own words that came back. */
  #heard = 0;
  /** It knows who is alive, and counts itself. */
  #joined = false;
  #cancel: () => void = () => undefined;
  #speaking: Promise<void> = Promise.resolve();
  #left = false;
  #failing = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#after = options.after ?? afterTimeout;
    const started = Math.max(0, Math.floor(options.startedMs)).toString(36).padStart(9, '0');
    this.id = `${started}-${randomBytes(6).toString('hex')}`;
  }

  get secret(): string {
    return this.#secret;
  }

  get joined(): boolean {
    return this.#joined && this.#known.has(this.id);
  }

  /** Call once, when what `control` holds is known. Waits for nothing. */
  start(): void {
    const { control } = this.#options;
    control.on(PREFIX, (key, value) => this.#take(key.slice(PREFIX.length), value));
    this.#hasBegun = true;
    this.#joinIfHeard();
    this.#beat();
  }

  /** Those that run a component and are alive, by id: the first began first. */
  members(component?: Component): readonly Member[] {
    return [...this.#known.values()]
      .filter((one) => component === undefined || one.components.has(component))
      .filter((one) => this.#isAlive(one))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Components that nobody runs. Empty before it has joined. */
  absent(): Component[] {
    if (!this.joined) return [];
    return COMPONENTS.filter((component) => this.members(component).length === 0);
  }

  share(component: Component): Share {
    return {
      exclusive: false,
      owned: () => this.#shares.get(component) ?? new Set(),
      onChange: (listener) => this.onChange(listener),
    };
  }

  /** After each change of who is there and of what is whose. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The others take over at once. Call it when the work has ended. Never rejects, and waits a second at most. */
  async leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    this.#cancel();
    const gone = this.#speaking
      .then(() => this.#options.control.put(PREFIX + this.id, null))
      .catch(() => undefined);
    const { promise: tooLong, resolve } = Promise.withResolvers<void>();
    const cancel = this.#after(LEAVE_TIMEOUT_MS, resolve);
    await Promise.race([gone, tooLong]);
    cancel();
  }

  #isAlive({ heardAt }: Known): boolean {
    return heardAt !== undefined && this.#heard - heardAt <= SILENT_BEATS;
  }

  #beat(): void {
    this.#cancel();
    // One word at a time: a log that was away must not let many come back at once.
    this.#speaking = this.#speaking.then(async () => {
      if (this.#left) return;
      await this.#say();
      this.#cancel();
      if (!this.#left) this.#cancel = this.#after(BEAT_MS, () => this.#beat());
    });
  }

  async #say(): Promise<void> {
    const { components, startedMs, address, keys, control, logger } = this.#options;
    const entry: Entry = {
      // Who does not know yet who else is there has no part of the work.
      components: this.#joined ? [...components] : [],
      started_ms: startedMs,
      address,
      ...(keys && { keys: keys() }),
      secret: this.#secret,
    };
    try {
      await control.put(PREFIX + this.id, Buffer.from(JSON.stringify(entry)));
      this.#failing = false;
    } catch (error) {
      if (!this.#failing && !this.#left)
        logger.warn({ error: String(error) }, 'the other processes cannot be told of this one');
      this.#failing = true;
    }
  }

  #take(id: string, value: Uint8Array | undefined): void {
    const entry = jsonOf<Entry>(value);
    if (entry === undefined) {
      this.#known.delete(id);
    } else {
      if (id === this.id) this.#heard += 1;
      const said: unknown = entry.components;
      const components = COMPONENTS.filter((one) => Array.isArray(said) && said.includes(one));
      this.#known.set(id, {
        id,
        components: new Set(components),
        startedMs: Number(entry.started_ms ?? 0),
        address: String(entry.address ?? ''),
        keys: Array.isArray(entry.keys) ? entry.keys.map(String) : [],
        secret: String(entry.secret ?? ''),
        // What lies in `control` at the start may be from long ago.
        heardAt: this.#hasBegun ? this.#heard : undefined,
      });
      if (id === this.id) this.#forgetDead();
    }
    this.#joinIfHeard();
    this.#update();
  }

  #joinIfHeard(): void {
    if (this.#joined || this.#left || !this.#hasBegun) return;
    const isUnheard = [...this.#known.values()].some(
      ({ heardAt, components }) => heardAt === undefined && components.size > 0,
    );
    if (isUnheard && this.#heard < LISTEN_BEATS) return;
    this.#joined = true;
    // At once, and not two seconds later. Before the first word there is none to hurry.
    if (this.#heard > 0) this.#beat();
  }

  /** One of those that are alive cleans up. */
  #forgetDead(): void {
    if (this.members()[0]?.id !== this.id) return;
    for (const { id, heardAt } of this.#known.values()) {
      if (this.#heard - (heardAt ?? 0) <= FORGET_BEATS) continue;
      this.#options.control.put(PREFIX + id, null).catch(() => undefined);
    }
  }

  #update(): void {
    const before = this.#shares;
    this.#shares = new Map(COMPONENTS.map((component) => [component, this.#owned(component)]));
    if (this.joined && describe(before) !== describe(this.#shares)) {
      const counts = Object.fromEntries([...this.#shares].map(([name, { size }]) => [name, size]));
      const { size: members } = new Set(this.members().map(({ id }) => id));
      this.#options.logger.info({ members, partitions: counts }, 'the work is shared anew');
    }
    for (const listener of [...this.#listeners]) listener();
  }

  #owned(component: Component): ReadonlySet<number> {
    const { components, partitionCount } = this.#options;
    const owned = new Set<number>();
    if (!components.has(component) || this.#left) return owned;
    const members = this.members(component);
    for (let partition = 0; partition < partitionCount; partition++)
      if (members[partition % members.length]?.id === this.id) owned.add(partition);
    return owned;
  }
}

function describe(shares: Shares): string {
  return [...shares].map(([component, owned]) => `${component}:${[...owned].join()}`).join(' ');
}

function afterTimeout(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
}
