/** Numbers and times as people read them. */

/** About five digits; the same everywhere. */
export function numberWords(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-4) return value.toExponential(2);
  return String(Number(value.toPrecision(5)));
}

export function withUnit(value: number, unit: string): string {
  return unit === '' ? numberWords(value) : `${numberWords(value)} ${unit}`;
}

/** `2026-11-27 16:40:10 UTC` */
export function timeWords(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

export function secondsWords(ms: number): { en: string; ko: string } {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return { en: `${seconds} s`, ko: `${seconds}초` };
  if (seconds < 7_200)
    return { en: `${Math.round(seconds / 60)} min`, ko: `${Math.round(seconds / 60)}분` };
  return { en: `${Math.round(seconds / 3_600)} h`, ko: `${Math.round(seconds / 3_600)}시간` };
}
