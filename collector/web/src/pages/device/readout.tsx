/** What a chart has at the cursor: time, value or mean with extremes, and what the rules said. */

import type { ReactNode } from 'react';
import type { Channel } from '../../api/types.ts';
import { usePreferences } from '../../app/preferences.tsx';
import type { Point } from '../../chart/points.ts';
import { firstFrom } from '../../chart/points.ts';
import { formatValue } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { READING_WORDS } from '../../ui/reading_words.ts';
import look from './page.module.css';

export function Readout(props: {
  channel: Channel;
  points: readonly Point[];
  /** Seconds since 1970, of a point. */
  x: number;
  format: Intl.DateTimeFormat;
  truth: readonly [no: string, yes: string];
}): ReactNode {
  const { channel, points, x, format, truth } = props;
  const findings = useFindingWords();
  const { language } = usePreferences();
  const point = points[firstFrom(points, x)];
  if (point === undefined || point.x !== x)
    return <p className={look.readout}>{format.format(x * 1_000)}</p>;
  const { low, mid, high, doubt } = point;
  const { decimals, unit, kind } = channel;
  const show = (value: number | null): string => {
    if (value === null) return '–';
    const word = kind === 'boolean' ? truth[value] : undefined;
    return word ?? formatValue(value, decimals, language);
  };
  const range = low === high ? '' : ` (${show(low)} … ${show(high)})`;
  const why = doubt === undefined ? '' : ` – ${findings(doubt)}`;
  return (
    <p className={look.readout} data-readout="">
      <span>{format.format(x * 1_000)}</span>
      <b>
        {show(mid)}
        {range} {kind === 'boolean' ? '' : unit}
      </b>
      <span>{why}</span>
    </p>
  );
}

/** Codes of the rules in words, with commas between. */
export function useFindingWords(): (codes: readonly string[]) => string {
  const say = useSay(READING_WORDS);
  return (codes) =>
    codes
      .map((code) => say(`finding_${code}` as 'finding_late').replace(/^finding_/, ''))
      .join(', ');
}
