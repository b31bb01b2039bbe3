/**
 * The alerts of a gateway that are put out and not over: hard state. In parts by the first digit of their
 * ids, so that a change of one writes a sixteenth of them. What the bytes say depends on nothing but the
 * alerts: not on the order in which they came.
 */

import { ALERT_SEVERITIES } from '../../alert.ts';
import { CollectorError } from '../../errors.ts';
import type { AlertSeverity } from '../../profile.ts';
import type { AlertEntry } from '../outputs/alert.ts';
import { parseJson } from '../parse.ts';
import { OPEN_ALERTS_MAX } from './limits.ts';

const FORMAT = 1;

interface EncodedPart {
  format: number;
  open: AlertEntry[];
}

const NONE: ReadonlyMap<string, AlertEntry> = new Map();

export class OpenAlerts {
  readonly #byId = new Map<string, AlertEntry>();
  /** By device, then by rule. */
  readonly #byDevice = new Map<string, Map<string, AlertEntry>>();
  readonly #changedParts = new Set<string>();

  get size(): number {
    return this.#byId.size;
  }

  /**
   * Whether another one may be opened. The mildest find the door closed first: INFO at two thirds of
   * OPEN_ALERTS_MAX, CRITICAL at the whole.
   */
  hasRoom(severity: AlertSeverity): boolean {
    const rank = ALERT_SEVERITIES.indexOf(severity) + 1;
    const last = ALERT_SEVERITIES.length;
    return this.#byId.size < (OPEN_ALERTS_MAX * (2 * last + rank - 1)) / (3 * last - 1);
  }

  byId(id: string): AlertEntry | undefined {
    return this.#byId.get(id);
  }

  find(device: string, rule: string): AlertEntry | undefined {
    return this.#byDevice.get(device)?.get(rule);
  }

  ofDevice(device: string): ReadonlyMap<string, AlertEntry> {
    return this.#byDevice.get(device) ?? NONE;
  }

  /** In an order that depends on nothing but what they are of. */
  sorted(): AlertEntry[] {
    return [...this.#byId.values()].sort((a, b) => (isBefore(a, b) ? -1 : 1));
  }

  /** Replaces the one of its device and rule; one that is resolved leaves. */
  put(entry: AlertEntry): void {
    const { id, device, rule, state } = entry;
    this.#changedParts.add(partOf(id));
    let rules = this.#byDevice.get(device);
    if (state === 'resolved') {
      this.#byId.delete(id);
      rules?.delete(rule);
      if (rules?.size === 0) this.#byDevice.delete(device);
      return;
    }
    if (rules === undefined) {
      rules = new Map();
      this.#byDevice.set(device, rules);
    }
    this.#byId.set(id, entry);
    rules.set(rule, entry);
  }

  /** The parts that differ from what was taken last; null: nothing is left of one. */
  takeHard(): Map<string, Uint8Array | null> {
    const taken = new Map<string, Uint8Array | null>();
    if (this.#changedParts.size === 0) return taken;
    const all = this.sorted();
    for (const part of [...this.#changedParts].sort()) {
      const open = all.filter(({ id }) => partOf(id) === part);
      const body: EncodedPart = { format: FORMAT, open };
      taken.set(part, open.length === 0 ? null : Buffer.from(JSON.stringify(body)));
    }
    this.#changedParts.clear();
    return taken;
  }

  /** Adds what one part holds. Throws PROCESSOR_STATE_VERSION. */
  restoreHard(bytes: Uint8Array): void {
    const body = parseJson<EncodedPart>(bytes);
    if (body?.format !== FORMAT)
      throw new CollectorError('PROCESSOR_STATE_VERSION', `alerts: format ${body?.format}`);
    for (const entry of body.open ?? []) this.put(entry);
    this.#changedParts.clear();
  }
}

function partOf(id: string): string {
  return id.slice(0, 1);
}

function isBefore(a: AlertEntry, b: AlertEntry): boolean {
  if (a.device !== b.device) return a.device < b.device;
  return a.rule === b.rule ? a.id < b.id : a.rule < b.rule;
}
