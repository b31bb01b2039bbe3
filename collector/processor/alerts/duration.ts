/** How long, in words. */

export interface Words {
  en: string;
  ko: string;
}

/** `3 min 20 s`; `2 h 5 min`. */
export function durationOf(ms: number): Words {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const parts: [number, string, string][] = [
    [Math.floor(seconds / 86_400), 'd', '일'],
    [Math.floor(seconds / 3_600) % 24, 'h', '시간'],
    [Math.floor(seconds / 60) % 60, 'min', '분'],
    [seconds % 60, 's', '초'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  const shown = first < 0 ? parts.slice(-1) : parts.slice(first, first + 2);
  const said = shown.filter(([count], i) => count > 0 || i === 0);
  return {
    en: said.map(([count, unit]) => `${count} ${unit}`).join(' '),
    ko: said.map(([count, , unit]) => `${count}${unit}`).join(' '),
  };
}
