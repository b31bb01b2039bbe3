/**
 * The alerts of one partition that receivers are to hear of or have heard of, and where each receiver stands
 * with them. What waits to be told follows from the two, so there is no queue that could be lost: the book
 * is kept in topic `control`, one value a gateway, and the consumer's position moves on behind it.
 */

import { compareSeverity } from '../alert.ts';
import { jsonOf } from '../control.ts';
import type { AlertEntry } from '../processor/outputs/alert.ts';
import type { Preferences, Receiving } from './notice.ts';
import { isQuiet, noticeFor, toldOf } from './notice.ts';

/**
 * Alerts of a gateway that are kept. Beyond it one is forgotten, and ends unheard: that of which there is
 * nothing to tell now and that is unchanged for longest; without such a one the oldest, which is left out.
 */
const GATEWAY_ALERTS_MAX = 1_000;

export interface BookReceiver {
  readonly name: string;
  readonly wants: Preferences;
  /** There may be something to tell, or no longer: look at `book.known(id)`. */
  changed(book: AlertBook, id: string, alert: AlertEntry): void;
  /** An alert that was to be told will not be, for want of room. */
  leaveOut(why: string): void;
}

export interface BookOptions {
  receivers: ReadonlyMap<string, BookReceiver>;
  /** Names of those who are to hear of it now. */
  route: (alert: AlertEntry, nowMs: number) => string[];
  wallMs: () => number;
  /** A gateway's value has changed; `told`: by what a receiver got, which is nowhere else yet. */
  onChange: (told: boolean) => void;
}

export interface Known {
  alert: AlertEntry;
  /** Those who hear of it, by name. */
  receivers: Map<string, Receiving>;
}

/** A gateway's value in `control`. */
interface Kept {
  alerts: { alert: AlertEntry; receivers: Record<string, Partial<Receiving>> }[];
}

export class AlertBook {
  readonly #options: BookOptions;
  readonly #gateways = new Map<string, Map<string, Known>>();
  readonly #gatewayOf = new Map<string, string>();
  readonly #dirty = new Set<string>();
  #isClosed = false;

  constructor(options: BookOptions) {
    this.#options = options;
  }

  known(id: string): Known | undefined {
    const gateway = this.#gatewayOf.get(id);
    return gateway === undefined ? undefined : this.#gateways.get(gateway)?.get(id);
  }

  *all(): Generator<Known> {
    for (const alerts of this.#gateways.values()) yield* alerts.values();
  }

  /** Tells nobody of changes any more; how a message under way ends can still be noted. */
  close(): void {
    this.#isClosed = true;
  }

  /** What another process or an earlier start kept. Values that are none of ours are left alone. */
  restore(gateway: string, value: Uint8Array | undefined): void {
    const kept = jsonOf<Kept>(value);
    if (!Array.isArray(kept?.alerts)) return;
    for (const { alert, receivers } of kept.alerts) {
      const states = new Map<string, Receiving>();
      for (const [name, { told, waiting }] of Object.entries(receivers ?? {}))
        if (this.#options.receivers.has(name)) states.set(name, { told, waiting });
      this.#keep(gateway, { alert, receivers: states });
      this.#judge({ alert, receivers: states });
    }
  }

  /** A change of an alert, as the log has it. One that is known already changes nothing. */
  take(alert: AlertEntry): void {
    const gateway = `${alert.site}/${alert.gateway}`;
    const before = this.known(alert.id);
    if (before !== undefined && alert.version <= before.alert.version) return;
    if (before === undefined && (alert.state === 'pending' || alert.state === 'resolved')) return;
    const known: Known = { alert, receivers: before?.receivers ?? new Map() };
    const isWorse =
      before !== undefined && compareSeverity(alert.severity, before.alert.severity) > 0;
    if (known.receivers.size === 0 || isWorse) this.#route(known);
    this.#keep(gateway, known);
    this.#judge(known);
    this.#makeRoom(gateway);
    this.#touch(gateway);
  }

  /** Alerts that nobody is responsible for at the hour when they fire: looked at again now and then. */
  routeAgain(): void {
    for (const known of this.all()) {
      if (known.receivers.size > 0 || known.alert.state !== 'firing') continue;
      this.#route(known);
      if (known.receivers.size === 0) continue;
      this.#judge(known);
      this.#touch(`${known.alert.site}/${known.alert.gateway}`);
    }
  }

  /** The receiver got the alert in this version, or never will (`lost`). */
  told(id: string, receiver: string, alert: AlertEntry, lost: boolean): void {
    const known = this.known(id);
    const receiving = known?.receivers.get(receiver);
    if (known === undefined || receiving === undefined) return;
    receiving.told = toldOf(alert, lost);
    // What came meanwhile waits from now on.
    receiving.waiting = undefined;
    this.#judge(known);
    this.#touch(`${known.alert.site}/${known.alert.gateway}`, true);
  }

  /** The values that changed since the call before, by gateway; null: to be deleted. */
  takeChanges(): Map<string, Uint8Array | null> {
    const changes = new Map<string, Uint8Array | null>();
    for (const gateway of this.#dirty) {
      const alerts = [...(this.#gateways.get(gateway)?.values() ?? [])].map(
        ({ alert, receivers }) => ({ alert, receivers: Object.fromEntries(receivers) }),
      );
      const kept: Kept = { alerts };
      changes.set(gateway, alerts.length === 0 ? null : Buffer.from(JSON.stringify(kept)));
    }
    this.#dirty.clear();
    return changes;
  }

  /** They could not be kept: takeChanges answers them again. */
  putBack(gateways: Iterable<string>): void {
    for (const gateway of gateways) this.#dirty.add(gateway);
  }

  #route(known: Known): void {
    const { route, receivers, wallMs } = this.#options;
    if (isQuiet(known.alert) || known.alert.state === 'resolved') return;
    for (const name of route(known.alert, wallMs()))
      if (receivers.has(name) && !known.receivers.has(name))
        known.receivers.set(name, { told: undefined, waiting: undefined });
  }

  /** Brings what waits up to date, and forgets an alert of which nothing is to be told any more. */
  #judge(known: Known): void {
    const { receivers, wallMs } = this.#options;
    const { alert } = known;
    const nowMs = wallMs();
    let isWaiting = false;
    for (const [name, receiving] of known.receivers) {
      const receiver = receivers.get(name);
      if (receiver === undefined) continue;
      const kind = noticeFor(alert, receiving, receiver.wants, nowMs);
      const sinceMs = receiving.waiting?.sinceMs ?? nowMs;
      receiving.waiting = kind === undefined ? undefined : { kind, sinceMs };
      isWaiting ||= kind !== undefined;
    }
    if (alert.state === 'resolved' && !isWaiting) this.#forget(alert.id);
    this.#tell(known);
  }

  #keep(gateway: string, known: Known): void {
    const alerts = this.#gateways.get(gateway) ?? new Map<string, Known>();
    this.#gateways.set(gateway, alerts);
    // Unchanged for longest first.
    alerts.delete(known.alert.id);
    alerts.set(known.alert.id, known);
    this.#gatewayOf.set(known.alert.id, gateway);
  }

  /** After what waits is known of the newest one, too. */
  #makeRoom(gateway: string): void {
    const alerts = this.#gateways.get(gateway);
    if (alerts === undefined || alerts.size <= GATEWAY_ALERTS_MAX) return;
    let oldest: Known | undefined;
    for (const known of alerts.values()) {
      oldest ??= known;
      if ([...known.receivers.values()].some(({ waiting }) => waiting !== undefined)) continue;
      oldest = known;
      break;
    }
    if (oldest === undefined) return;
    for (const [name, { waiting }] of oldest.receivers)
      if (waiting !== undefined)
        this.#options.receivers.get(name)?.leaveOut('a gateway has too many alerts');
    this.#forget(oldest.alert.id);
  }

  #forget(id: string): void {
    const gateway = this.#gatewayOf.get(id);
    if (gateway === undefined) return;
    const alerts = this.#gateways.get(gateway);
    const known = alerts?.get(id);
    alerts?.delete(id);
    if (alerts?.size === 0) this.#gateways.delete(gateway);
    this.#gatewayOf.delete(id);
    if (known !== undefined) this.#tell(known);
  }

  #tell({ alert, receivers }: Known): void {
    if (this.#isClosed) return;
    for (const name of receivers.keys())
      this.#options.receivers.get(name)?.changed(this, alert.id, alert);
  }

  #touch(gateway: string, told = false): void {
    this.#dirty.add(gateway);
    this.#options.onChange(told);
  }
}
