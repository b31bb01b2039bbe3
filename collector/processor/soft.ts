/**
 * What the processor remembers of a gateway beside its accounts: the windows of the rules, its devices,
 * when it was last heard. All of it can be lost without a reading being lost.
 */

import type { EncodedDevices } from './devices.ts';
import { GatewayDevices } from './devices.ts';
import { COLD_QUIET_MS, GATEWAY_SILENT_AFTER_MS } from './limits.ts';
import type { Origin } from './origin.ts';
import { EventKind } from './outputs/event.ts';
import type { GatewayEntry } from './outputs/gateway.ts';
import type { Step } from './step.ts';
import type { JudgeInput, Judgement } from './validation/judgement.ts';
import { GatewayValidation } from './validation/validation.ts';
import type { GatewayWatch } from './watch.ts';

/**
 * Encoded: format (uint8), lengths of the JSON and of the validation's bytes (uint32, little-endian), then
 * these, then the bytes of the watch.
 */
const FORMAT = 2;
const HEADER_BYTES = 9;

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
  readonly #watch: GatewayWatch;
  #validation: GatewayValidation;
  #devices = new GatewayDevices();
  /** When the gateway itself last said anything, log time; 0: never. */
  #heardMs = 0;
  #silent = false;
  /** Differs from what was taken last. */
  #changed = false;

  constructor(site: string, watch: GatewayWatch) {
    this.#site = site;
    this.#watch = watch;
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
  judge(book: Owner, input: JudgeInput, step: Step): Judgement {
    this.#changed = true;
    const judgement = this.#validation.judge(input);
    this.#devices.seen(judgement.devices, step.nowMs);
    this.#watch.judged(book, input, judgement, this.#around(0), step);
    return judgement;
  }

  /** A reject of this device came. */
  rejected(device: string): void {
    this.#changed = true;
    this.#watch.rejected(device);
  }

  /** Another configuration holds. */
  reconfigure(): void {
    this.#devices.review();
    this.#watch.review();
    this.#changed = true;
  }

  /** Other silences hold. */
  silenced(): void {
    this.#watch.review();
    this.#changed = true;
  }

  beginAnew(book: Owner, step: Step): void {
    const { nowMs } = step;
    this.#heardMs = nowMs;
    this.#devices.beginAnew(nowMs + COLD_QUIET_MS);
    this.#watch.beginAnew(book, step);
    this.#changed = true;
  }

  /** Whether report() has something to do. `resumedMs`: see GatewayDevices.report. */
  isDue(book: Owner, nowMs: number, resumedMs: number): boolean {
    if (nowMs >= this.#devices.dueMs || this.#watch.isDue(nowMs, this.#silent)) return true;
    return this.#fallsSilent(book, nowMs, resumedMs);
  }

  report(book: Owner, step: Step, resumedMs: number): void {
    if (!this.isDue(book, step.nowMs, resumedMs)) return;
    this.#changed = true;
    if (this.#fallsSilent(book, step.nowMs, resumedMs)) {
      this.#silent = true;
      const detail = { last_heard_ms: this.#heardMs };
      step.event(book, { kind: EventKind.GATEWAY_SILENT, severity: 'error', detail });
    }
    if (step.nowMs >= this.#devices.dueMs) {
      const silent = this.#devices.report(book, step, resumedMs);
      const around = this.#around(resumedMs);
      for (const device of silent) this.#watch.deviceSilent(book, device, around, step);
    }
    this.#watch.report(book, this.#around(resumedMs), step);
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
    const validation = this.#validation.encode();
    header.writeUInt32LE(json.length, 1);
    header.writeUInt32LE(validation.length, 5);
    return Buffer.concat([header, json, validation, this.#watch.encodeSoft()]);
  }

  /** False when another version wrote it: nothing is restored then. */
  restore(bytes: Uint8Array): boolean {
    if (bytes[0] !== FORMAT) return false;
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const end = HEADER_BYTES + buffer.readUInt32LE(1);
    const watchAt = end + buffer.readUInt32LE(5);
    const validation = GatewayValidation.decode(this.#site, bytes.subarray(end, watchAt));
    if (validation === undefined || !this.#watch.restoreSoft(bytes.subarray(watchAt))) return false;
    const body = JSON.parse(buffer.toString('utf8', HEADER_BYTES, end)) as Encoded;
    this.#validation = validation;
    this.#devices = GatewayDevices.decode(body);
    this.#heardMs = body.heardMs;
    this.#silent = body.silent;
    return true;
  }

  #around(resumedMs: number): { silent: boolean; resumedMs: number } {
    return { silent: this.#silent, resumedMs };
  }

  #fallsSilent(book: Owner, nowMs: number, resumedMs: number): boolean {
    if (this.#silent || book.entry?.online !== true) return false;
    return nowMs - Math.max(this.#heardMs, resumedMs) >= GATEWAY_SILENT_AFTER_MS;
  }
}
