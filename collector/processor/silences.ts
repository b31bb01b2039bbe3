/** Silences that hold, of one partition: hard state. Bounded. */

import type { SilenceValue } from '../types.ts';
import { parseJson } from './parse.ts';

/** At the bound a further one is refused. */
export const SILENCES_MAX = 1_000;
const TEXT_MAX = 500;

export class Silences {
  #silences: readonly SilenceValue[] = [];
  #changed = false;

  /** Those that were set and have not ended as of the last `forget`. */
  get all(): readonly SilenceValue[] {
    return this.#silences;
  }

  /** Takes the value of a SILENCE record. Undefined: it is none, or there are too many. */
  take(value: Uint8Array): SilenceValue | undefined {
    const silence = silenceOf(value);
    if (silence === undefined) return undefined;
    const others = this.#silences.filter(({ id }) => id !== silence.id);
    if (others.length >= SILENCES_MAX) return undefined;
    this.#silences = [...others, silence];
    this.#changed = true;
    return silence;
  }

  /** Drops what has ended; answers whether there was any. */
  forget(nowMs: number): boolean {
    const kept = this.#silences.filter(({ untilMs }) => untilMs > nowMs);
    if (kept.length === this.#silences.length) return false;
    this.#silences = kept;
    this.#changed = true;
    return true;
  }

  /** Undefined: unchanged since it was taken last. */
  takeChanges(): Uint8Array | undefined {
    if (!this.#changed) return undefined;
    this.#changed = false;
    return Buffer.from(JSON.stringify(this.#silences));
  }

  restore(bytes: Uint8Array): void {
    this.#silences = (parseJson<SilenceValue[]>(bytes) ?? []) as SilenceValue[];
    this.#changed = false;
  }
}

function silenceOf(value: Uint8Array): SilenceValue | undefined {
  const parsed = parseJson<SilenceValue>(value);
  if (parsed === undefined || typeof parsed.id !== 'string' || parsed.id === '') return undefined;
  const { fromMs, untilMs } = parsed;
  if (typeof fromMs !== 'number' || typeof untilMs !== 'number') return undefined;
  const text = (given: unknown, otherwise: string): string =>
    typeof given === 'string' ? given.slice(0, TEXT_MAX) : otherwise;
  return {
    id: parsed.id.slice(0, TEXT_MAX),
    kind: parsed.kind === 'maintenance' ? 'maintenance' : 'silence',
    site: text(parsed.site, '*'),
    area: text(parsed.area, '*'),
    line: text(parsed.line, '*'),
    device: text(parsed.device, '*'),
    rule: text(parsed.rule, '*'),
    fromMs,
    untilMs,
    by: text(parsed.by, ''),
    reason: text(parsed.reason, ''),
  };
}
