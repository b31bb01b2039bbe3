/** /api/v1/quality as the page reads it. */

export const DIMENSIONS = ['completeness', 'accuracy', 'consistency', 'timeliness'] as const;
export type Dimension = (typeof DIMENSIONS)[number];
/** A dimension, or the mean of them. */
export type Shown = 'all' | Dimension;

export interface Reason {
  code: string;
  dimension: Dimension;
  /** Readings. */
  count: number;
  /** Points of 100 that it costs its dimension. */
  points: number;
  en: string;
  ko: string;
}

export interface Bucket {
  site: string;
  device: string;
  from_ms: number;
  to_ms: number;
  /** Null: nothing came that could be judged. */
  score: Record<Shown, number | null>;
  expected: number;
  received: number;
  quarantined: number;
  filled: number;
  latency_avg_ms: number | null;
  latency_max_ms: number;
  reasons: Reason[];
}

export interface Targets {
  completeness: number;
  accuracy: number;
  consistency: number;
  timely_within_ms: number;
}

export interface QualityAnswer {
  items: Bucket[];
  next: string | null;
  targets: Targets;
}
