/** What a simulated FMS device answers: a fresh row, what faults make of it, and the bytes to send. */

import type { FaultName, GarbageVariant, Strike, WrongTypeVariant } from './faults.ts';
import { garbageVariants, wrongTypeVariants } from './faults.ts';
import type { Random } from './random.ts';
import type { SignalSource } from './signal.ts';
import type { TruthRow } from './truth.ts';
import { DeviceValues } from './values.ts';

export interface Answer {
  /** 0: the connection is closed without an answer. */
  status: number;
  headers: Record<string, string>;
  body: Buffer;
  /** Content-Length to claim when it is not the body's. */
  claimedLength: number | undefined;
  /** Send the head and half of the body, then nothing until the client leaves. */
  stall: boolean;
  /** Send the body, then filler up to so many bytes. */
  padToBytes: number;
  truth: Omit<TruthRow, 'at_ms'>;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const DAY_MS = 86_400_000;
const BODY_HEAD_CHARS = 1_024;
const HUGE_BYTES = 16 * 1024 * 1024;
const DEEP_LEVELS = 20_000;

/** One simulated device: draws samples and answers with them. */
export class SimulatedDevice {
  readonly name: string;
  readonly #values: DeviceValues;
  readonly #random: Random;
  #lastTimeMs = Number.NEGATIVE_INFINITY;
  #heldTimeMs: number | undefined;

  /** `random` draws what faults leave open; apart from the signals', so that faults do not change them. */
  constructor(name: string, sources: ReadonlyMap<string, SignalSource>, random: Random) {
    this.name = name;
    this.#values = new DeviceValues(sources, random);
    this.#random = random;
  }

  /** A fresh sample at `nowMs`, or a millisecond after the last one if that is not later. */
  answer(nowMs: number, strikes: readonly Strike[]): Answer {
    const timeMs = Math.max(Math.floor(nowMs), this.#lastTimeMs + 1);
    this.#lastTimeMs = timeMs;
    const marks: string[] = [];
    const values = this.#values.draw(strikes, marks);
    const row: Map<string, unknown> = new Map<string, unknown>([
      ['time', new Date(timeMs).toISOString()],
      ['DeviceId', this.name],
      ...values,
    ]);
    const sentMs = this.#strikeTime(row, timeMs, strikes, marks);
    this.#strikeFields(row, strikes, marks);
    return this.#wrap(row, sentMs, strikes, marks);
  }

  /** Returns the instant that the row's time means, null when it means none. */
  #strikeTime(
    row: Map<string, unknown>,
    timeMs: number,
    strikes: readonly Strike[],
    marks: string[],
  ): number | null {
    let sentMs: number | null = timeMs;
    let isStuck = false;
    for (const { order } of strikes) {
      const isTimeFault = order.fault.startsWith('time_');
      if (isTimeFault) marks.push(order.fault);
      if (order.fault === 'time_future') sentMs = timeMs + (order.offset_ms ?? 2 * DAY_MS);
      else if (order.fault === 'time_past') sentMs = timeMs - (order.offset_ms ?? 5 * 365 * DAY_MS);
      else if (order.fault === 'time_jump') sentMs = timeMs + (order.offset_ms ?? 3_600_000);
      else if (order.fault === 'time_stuck') {
        isStuck = true;
        this.#heldTimeMs ??= timeMs;
        sentMs = this.#heldTimeMs;
      } else if (order.fault === 'time_missing') row.delete('time');
      else if (order.fault === 'time_garbage') row.set('time', 'yesterday, about noon');
      else if (order.fault === 'time_naive') {
        const zoneMs = (order.zone_minutes ?? 540) * 60_000;
        row.set('time', new Date(timeMs + zoneMs).toISOString().slice(0, -1));
        return timeMs;
      }
      if (order.fault === 'time_missing' || order.fault === 'time_garbage') return null;
      if (isTimeFault) row.set('time', new Date(sentMs).toISOString());
    }
    if (!isStuck) this.#heldTimeMs = undefined;
    return sentMs;
  }

  /** Faults that change the shape of the row. */
  #strikeFields(row: Map<string, unknown>, strikes: readonly Strike[], marks: string[]): void {
    const channels = this.#values.channels;
    for (const { order } of strikes) {
      const { fault } = order;
      if (fault === 'wrong_device') {
        row.set('DeviceId', `${this.name}-other`);
        marks.push('wrong_device');
      }
      if (fault !== 'wrong_type' && fault !== 'missing_field' && fault !== 'null') continue;
      if (order.channel === undefined && channels.length === 0) continue;
      const field = order.channel ?? this.#random.pick(channels);
      marks.push(`${fault}:${field}`);
      if (fault === 'missing_field') row.delete(field);
      else if (fault === 'null') row.set(field, null);
      else row.set(field, this.#wrongType(row.get(field), order.variant));
    }
  }

  #wrongType(value: unknown, variant: string | undefined): unknown {
    const wrong = wrongTypeVariants.filter((v) => {
      if (typeof value === 'boolean') return v !== 'boolean' && v !== 'number_text';
      return v !== 'number' && v !== 'huge_number';
    });
    const chosen = (variant ?? this.#random.pick(wrong)) as WrongTypeVariant;
    const variants: Record<WrongTypeVariant, unknown> = {
      text: 'error',
      number_text: String(value),
      boolean: true,
      number: 1,
      array: [value],
      object: { value },
      huge_number: 1e300,
      empty_text: '',
    };
    return variants[chosen];
  }

  /** Puts the row, or what replaces it, into an HTTP answer. The first fault of the transport wins. */
  #wrap(
    row: Map<string, unknown>,
    sentMs: number | null,
    strikes: readonly Strike[],
    marks: string[],
  ): Answer {
    const hasTime = row.get('time') !== undefined && row.get('time') !== null;
    const body = Buffer.from(JSON.stringify(Object.fromEntries(row)));
    const values = Object.fromEntries([...row].filter(([f]) => f !== 'time' && f !== 'DeviceId'));
    const isClean = !marks.some((m) => !m.startsWith('outlier:') && !m.startsWith('minus_one:'));
    const answer: Answer = {
      status: 200,
      headers: JSON_TYPE,
      body,
      claimedLength: undefined,
      stall: false,
      padToBytes: 0,
      truth: {
        type: 'row',
        device: this.name,
        time_ms: hasTime ? sentMs : null,
        values,
        faults: marks,
        status: 200,
      },
    };
    for (const { order } of strikes) if (order.fault === 'slow') marks.push('slow');
    const transport = strikes.find(({ order }) => isTransport(order.fault));
    if (transport !== undefined) this.#strikeTransport(answer, transport, marks);
    else if (!isClean) answer.truth.body = body.toString('utf8').slice(0, BODY_HEAD_CHARS);
    return answer;
  }

  #strikeTransport(answer: Answer, { order }: Strike, marks: string[]): void {
    const { fault } = order;
    answer.truth.values = {};
    answer.truth.time_ms = null;
    if (fault === 'garbage') {
      const variant = (order.variant ?? this.#random.pick(garbageVariants)) as GarbageVariant;
      marks.push(`garbage:${variant}`);
      this.#garble(answer, variant, order.bytes);
    } else {
      marks.push(fault);
      answer.body = Buffer.from(JSON.stringify({ error: `simulated fault ${fault}` }));
      answer.status = fault === 'dropout' ? 0 : Number(fault);
      if (fault === 'dropout') answer.body = Buffer.alloc(0);
      if (fault === '429') {
        const waitMs = order.offset_ms ?? 2_000;
        const at = new Date(this.#lastTimeMs + waitMs).toUTCString();
        const retryAfter = order.variant === 'date' ? at : String(Math.ceil(waitMs / 1_000));
        answer.headers = { ...JSON_TYPE, 'retry-after': retryAfter };
      }
    }
    answer.truth.status = answer.status;
    if (answer.body.length > 0)
      answer.truth.body = answer.body.toString('latin1', 0, BODY_HEAD_CHARS);
  }

  #garble(answer: Answer, variant: GarbageVariant, bytes: number | undefined): void {
    const row = answer.body;
    const text = row.toString('utf8');
    const nested = '['.repeat(DEEP_LEVELS) + ']'.repeat(DEEP_LEVELS);
    const bodies: Record<GarbageVariant, () => Buffer> = {
      random_bytes: () => this.#random.bytes(256),
      truncated: () => row.subarray(0, 1 + this.#random.int(row.length - 1)),
      html: () =>
        Buffer.from('<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>\n'),
      huge: () => Buffer.from(`${text.slice(0, -1)},"pad":"`),
      empty: () => Buffer.alloc(0),
      deep: () => Buffer.from(`{"time":${nested},"DeviceId":${nested},"sensor1":${nested}}`),
      array: () => Buffer.from(`[${text}]`),
      scalar: () => Buffer.from('42'),
      nan: () => Buffer.from(text.replace(/":-?\d[\d.]*/, '":NaN')),
      invalid_utf8: () => Buffer.concat([row.subarray(0, -2), Buffer.from([0xff, 0xfe, 0xc0])]),
      long_length: () => row,
      short_length: () => row,
      stall: () => row,
    };
    answer.body = bodies[variant]();
    if (variant === 'html') answer.headers = { 'content-type': 'text/html' };
    if (variant === 'huge') answer.padToBytes = bytes ?? HUGE_BYTES;
    if (variant === 'long_length') answer.claimedLength = row.length + 64;
    if (variant === 'short_length') answer.claimedLength = Math.floor(row.length / 2);
    if (variant === 'stall') answer.stall = true;
  }
}

const transportFaults: readonly FaultName[] = ['dropout', '429', '500', 'garbage'];

function isTransport(fault: FaultName): boolean {
  return transportFaults.includes(fault);
}
