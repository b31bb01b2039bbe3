/** A small trend beside a number: no axes, no colour, one line. */

import type { ReactNode } from 'react';
import { memo } from 'react';
import { sparkPath } from './spark_path.ts';

const WIDTH = 120;
const HEIGHT = 32;

interface Props {
  /** What it shows, in words. */
  label: string;
  /** Oldest first; null: nothing there. */
  values: readonly (number | null)[];
  floor?: number;
}

export const Sparkline = memo(function Sparkline({ label, values, floor }: Props): ReactNode {
  const path = sparkPath(values, WIDTH, HEIGHT, floor);
  if (path === '') return null;
  return (
    <svg
      className="sparkline"
      viewBox={`-2 -2 ${WIDTH + 4} ${HEIGHT + 4}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <path d={path} />
    </svg>
  );
});
