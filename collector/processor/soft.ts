/**
 * What the processor remembers of a gateway beside its accounts: the windows of the rules, its devices,
 * when it was last heard. All of it can be lost without a reading being lost.
 */

import type { EncodedDevices } from './devices.ts';
import { GatewayDevices } from './devices.ts';
import { COLD_QUIET_MS, GATEWAY_SILENT_AFTER_MS } from './limits.ts';
import type { Origin } from './origin.ts';
import type { GatewayEntry } from './outputs.ts';
import { EventKind } from './outputs.ts';
import type { Step } from './step.ts';
import type { JudgeInput, Judgement } from './validation/judgement.ts';
import { GatewayValidation } from './validation/validation.ts';

/** Encoded: format, length of the JSON (uint32, little-endian), JSON, then the validation's own bytes. */
const FORMAT = 1;
const HEADER_BYTES = 5;

/** The gateway's book. */
interface Owner extends Origin {
  readonly entry: GatewayEntry | undefined;
}

interface Encoded extends EncodedDevices {
  heardMs: number;
  silent: boolean;
}

export class GatewaySoft {
  readonly #site: string;
  #validation: GatewayValidation;
  #devices = new GatewayDevices();
  /** When the gateway itself last said anything, log time; 0: never. */
  #heardMs = 0;
  #silent = false;
  /** Differs from what was taken last. */
  #changed = false;

  constructor(site: string) {
    this.#site = site;
    this.#validation = new GatewayValidation(site);
  }

  /** The gateway published something. */
  heard(book: Owner, step: Step): void {
    this.#changed = true;
    const silentMs = step.nowMs - this.#heardMs;
    this.#heardMs = step.nowMs;
    if (!this.#silent) return;
    this.#silent = false;
    const detail = { version: book.entry?.version ?? '', silent_ms: silentMs };
    step.event(book, { kind: EventKind.GATEWAY_ONLINE, severity: 'info', detail });
  }

  /** It said goodbye, or the broker said so for it. */
  left(): void {
    this.#silent = false;
    this.#changed = true;
  }

  /** Judges fresh readings of a chunk, and notes which devices they are of. */
  judge(input: JudgeInput, nowMs: number): Judgement {
    this.#changed = true;
    const judgement = this.#validation.judge(input);
    this.#devices.seen(judgement.devices, nowMs);
    return judgement;
  }

  /** Another configuration holds. */
  reconfigure(): void {
    this.#devices.review();
    this.#changed = true;
  }

  beginAnew(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#devices.beginAnew(nowMs + COLD_QUIET_MS);
    this.#changed = true;
  }

  /** Whether report() has something to do. `resumedMs`: see GatewayDevices.report. */
  isDue(book: Owner, nowMs: number, resumedMs: number): boolean {
    return nowMs >= this.#devices.dueMs || this.#fallsSilent(book, nowMs, resumedMs);
  }

  report(book: Owner, step: Step, resumedMs: number): void {
    if (!this.isDue(book, step.nowMs, resumedMs)) return;
    this.#changed = true;
    if (this.#fallsSilent(book, step.nowMs, resumedMs)) {
      this.#silent = true;
      const detail = { last_heard_ms: this.#heardMs };
      step.event(book, { kind: EventKind.GATEWAY_SILENT, severity: 'error', detail });
    }
    if (step.nowMs >= this.#devices.dueMs) this.#devices.report(book, step, resumedMs);
  }

  /** Undefined when nothing changed since it was taken last. */
  takeChanges(): Uint8Array | undefined {
    if (!this.#changed) return undefined;
    this.#changed = false;
    const body: Encoded = {
      ...this.#devices.encode(),
      heardMs: this.#heardMs,
      silent: this.#silent,
    };
    const json = Buffer.from(JSON.stringify(body));
    const header = Buffer.alloc(HEADER_BYTES, FORMAT);
    header.writeUInt32LE(json.length, 1);
    return Buffer.concat([header, json, this.#validation.encode()]);
  }

  /** False when another version wrote it: nothing is restored then. */
  restore(bytes: Uint8Array): boolean {
    if (bytes[0] !== FORMAT) return false;
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const end = HEADER_BYTES + buffer.readUInt32LE(1);
    const validation = GatewayValidation.decode(this.#site, bytes.subarray(end));
    if (validation === undefined) return false;
    const body = JSON.parse(buffer.toString('utf8', HEADER_BYTES, end)) as Encoded;
    this.#validation = validation;
    this.#devices = GatewayDevices.decode(body);
    this.#heardMs = body.heardMs;
    this.#silent = body.silent;
    return true;
  }

  #fallsSilent(book: Owner, nowMs: number, resumedMs: number): boolean {
    if (this.#silent || book.entry?.online !== true) return false;
    return nowMs - Math.max(this.#heardMs, resumedMs) >= GATEWAY_SILENT_AFTER_MS;
  }
}
