/**
 * What the processor keeps of a gateway: its last state, its clock corrections, and the accounts of its
 * epochs. Settled accounts stay encoded until something of them comes again, so that a thousand epochs
 * cost a thousand short byte arrays.
 */

import type { ClockCorrection, Epoch } from '../../proto/model.ts';
import { CollectorError } from '../errors.ts';
import { EpochAccount, isSettled, placeOf } from './epoch.ts';
import { CORRECTIONS_PER_GATEWAY_MAX, EPOCHS_PER_GATEWAY_MAX } from './limits.ts';
import type { GatewayEntry } from './outputs/gateway.ts';
import { GatewaySoft } from './soft.ts';
import { GatewayWatch } from './watch.ts';

const FORMAT = 1;

/** The encoded form. */
interface Encoded {
  format: number;
  nextOrder: number;
  nextPlace: number;
  corrections: ClockCorrection[];
  startedMs: number;
  entry?: GatewayEntry;
  unreported?: 1;
  recovering?: 1;
}

export class GatewayBook {
  /** `site/gateway`. */
  readonly key: string;
  readonly site: string;
  readonly gateway: string;
  readonly open = new Map<Epoch, EpochAccount>();
  readonly watch: GatewayWatch;
  readonly soft: GatewaySoft;
  readonly #settled = new Map<Epoch, Uint8Array>();
  /** Settled since the state was last taken. */
  readonly #newlySettled = new Set<Epoch>();
  readonly #forgotten = new Set<Epoch>();
  /** A new book is part of the state, whatever little it holds: that a gateway is known matters. */
  #changed = true;
  #entry: GatewayEntry | undefined;
  #startedMs = 0;
  #unreported = false;
  /** The last claim that was applied; not part of the state, because applying it again changes nothing. */
  #claim: { epoch: Epoch; lastSeq: number } | undefined;
  #nextOrder = 1;
  #nextPlace = 1;
  #corrections: ClockCorrection[] = [];
  #recovering = false;

  constructor(key: string) {
    this.key = key;
    const slash = key.indexOf('/');
    this.site = slash < 0 ? key : key.slice(0, slash);
    this.gateway = slash < 0 ? '' : key.slice(slash + 1);
    this.watch = new GatewayWatch(this.site);
    this.soft = new GatewaySoft(this.site, this.watch);
  }

  /** What the last state said; undefined before the first. */
  get entry(): GatewayEntry | undefined {
    return this.#entry;
  }

  /** When the agent that sent the last state was started. */
  get startedMs(): number {
    return this.#startedMs;
  }

  /** Its gateway row would differ from the one put out last. Part of the state. */
  get unreported(): boolean {
    return this.#unreported;
  }

  /** Replaces what is known. */
  enter(entry: GatewayEntry, startedMs: number): void {
    this.#entry = entry;
    this.#startedMs = startedMs;
    this.#unreported = true;
    this.#changed = true;
  }

  /** The gateway row has been put out. */
  reported(): void {
    this.#unreported = false;
    this.#changed = true;
  }

  /** The account of an epoch, opened if it is new. */
  account(epoch: Epoch, nowMs: number): EpochAccount {
    let account = this.open.get(epoch);
    if (account !== undefined) return account;
    const settled = this.#settled.get(epoch);
    if (settled === undefined) {
      account = new EpochAccount(epoch, this.#nextPlace++, nowMs);
      account.changed = true;
      if (this.#recovering) account.recover(true);
      this.#changed = true;
      this.#forgotten.delete(epoch);
    } else {
      account = EpochAccount.decode(epoch, settled);
      this.#settled.delete(epoch);
      // The state says of every account whether it is open: so that it depends on the records alone, and
      // not on where the state was taken.
      account.changed = true;
      this.#newlySettled.delete(epoch);
    }
    this.open.set(epoch, account);
    return account;
  }

  /** The account of an epoch, if there is one. */
  find(epoch: Epoch): EpochAccount | undefined {
    return this.open.has(epoch) || this.#settled.has(epoch) ? this.account(epoch, 0) : undefined;
  }

  /** The log lost what had come of this gateway last: see EpochAccount.recovering. */
  beginRecovery(): void {
    this.#recovering = true;
    this.#changed = true;
    for (const account of this.open.values()) account.recover(true);
  }

  /** The agent was started since: what is missing of its epochs is known to be missing here. */
  endRecovery(): void {
    if (!this.#recovering) return;
    this.#recovering = false;
    this.#changed = true;
  }

  /** Every account, the settled ones decoded for the occasion. */
  *all(): Generator<EpochAccount> {
    yield* this.open.values();
    for (const [epoch, bytes] of this.#settled) yield EpochAccount.decode(epoch, bytes);
  }

  /** Gives an account its place in the order of the epochs, if it has none. */
  rank(account: EpochAccount): void {
    if (account.order > 0) return;
    account.order = this.#nextOrder++;
    account.changed = true;
    this.#changed = true;
  }

  /** The gateway says how far the epoch before this one went; it says so with every batch. */
  claim(predecessor: Epoch, lastSeq: number, nowMs: number): void {
    if (this.#claim?.epoch === predecessor && this.#claim.lastSeq === lastSeq) return;
    this.#claim = { epoch: predecessor, lastSeq };
    const account = this.account(predecessor, nowMs);
    this.rank(account);
    account.announce(lastSeq);
  }

  /** Later epochs have a higher order, or none yet. */
  isOlder(account: EpochAccount, than: EpochAccount): boolean {
    return account.order > 0 && account.order < than.order;
  }

  settle(account: EpochAccount): void {
    account.settle();
    this.open.delete(account.epoch);
    // A copy of its own: a slice of Buffer's pool would keep all of it alive.
    this.#settled.set(account.epoch, new Uint8Array(account.encode(true)));
    this.#newlySettled.add(account.epoch);
  }

  /** The oldest account, if there are more than may be kept; it is no longer in the book then. */
  forgetOldest(): EpochAccount | undefined {
    if (this.open.size + this.#settled.size <= EPOCHS_PER_GATEWAY_MAX) return undefined;
    let oldest: Epoch | undefined;
    let oldestPlace = Number.POSITIVE_INFINITY;
    const consider = (epoch: Epoch, place: number): void => {
      if (place < oldestPlace) [oldest, oldestPlace] = [epoch, place];
    };
    for (const account of this.open.values()) consider(account.epoch, account.place);
    for (const [epoch, bytes] of this.#settled) consider(epoch, placeOf(bytes));
    if (oldest === undefined) return undefined;
    const account = this.account(oldest, 0);
    this.open.delete(oldest);
    this.#forgotten.add(oldest);
    return account;
  }

  /** The newest word on a boot counts. */
  remember(corrections: readonly ClockCorrection[]): void {
    for (const correction of corrections) {
      const known = this.#corrections.find((other) => other.boot === correction.boot);
      if (known?.offsetMs === correction.offsetMs) continue;
      this.#corrections = this.#corrections.filter((other) => other !== known);
      this.#corrections.push({ boot: correction.boot, offsetMs: correction.offsetMs });
      if (this.#corrections.length > CORRECTIONS_PER_GATEWAY_MAX) this.#corrections.shift();
      this.#changed = true;
    }
  }

  /** wall - mono as it held once the clock of this boot was right. */
  offsetOf(boot: string): number | undefined {
    return this.#corrections.find((correction) => correction.boot === boot)?.offsetMs;
  }

  /** Adds what differs from the state as last taken; null: the key is gone. */
  takeChanges(into: Map<string, Uint8Array | null>): void {
    if (this.#changed) into.set(this.key, this.#encode());
    this.#changed = false;
    this.watch.takeHard(this.key, into);
    for (const epoch of this.#forgotten) into.set(this.#keyOf(epoch), null);
    this.#forgotten.clear();
    for (const epoch of this.#newlySettled) into.set(this.#keyOf(epoch), this.#settled.get(epoch)!);
    this.#newlySettled.clear();
    for (const account of this.open.values()) {
      if (account.changed) into.set(this.#keyOf(account.epoch), account.encode(false));
      account.changed = false;
    }
  }

  restore(bytes: Uint8Array): void {
    const body = JSON.parse(Buffer.from(bytes).toString('utf8')) as Encoded;
    if (body.format !== FORMAT) {
      throw new CollectorError('PROCESSOR_STATE_VERSION', `${this.key}: format ${body.format}`);
    }
    this.#nextOrder = body.nextOrder;
    this.#nextPlace = body.nextPlace;
    this.#corrections = body.corrections;
    this.#startedMs = body.startedMs;
    this.#entry = body.entry;
    this.#unreported = body.unreported === 1;
    this.#recovering = body.recovering === 1;
    this.#changed = false;
  }

  /** What takeChanges() put under the book's key and this part of it. */
  restorePart(part: string, bytes: Uint8Array): void {
    if (part === 'anomalies') this.watch.restoreAnomalies(bytes);
    else if (part.startsWith('alerts')) this.watch.restoreAlerts(bytes);
    else this.#restoreEpoch(part, bytes);
  }

  #restoreEpoch(epoch: Epoch, bytes: Uint8Array): void {
    if (isSettled(bytes)) this.#settled.set(epoch, bytes);
    else this.open.set(epoch, EpochAccount.decode(epoch, bytes));
  }

  #keyOf(epoch: Epoch): string {
    return `${this.key}|${epoch}`;
  }

  #encode(): Uint8Array {
    const body: Encoded = {
      format: FORMAT,
      nextOrder: this.#nextOrder,
      nextPlace: this.#nextPlace,
      corrections: this.#corrections,
      startedMs: this.#startedMs,
    };
    if (this.#entry !== undefined) body.entry = this.#entry;
    if (this.#unreported) body.unreported = 1;
    if (this.#recovering) body.recovering = 1;
    return Buffer.from(JSON.stringify(body));
  }
}
