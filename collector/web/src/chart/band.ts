/** What charts show behind their lines. Times are seconds since 1970. */

/** An anomaly in a chart. */
export interface Band {
  id: string;
  fromS: number;
  /** Infinity: it goes on. */
  toS: number;
  /** Expected, of this channel. */
  low: number | null;
  high: number | null;
}

/** Of the profile, inclusive; null: no bound. */
export interface Bounds {
  min: number | null;
  max: number | null;
}
