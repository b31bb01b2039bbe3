/** The content of a quality report: the JSON file is this, the pages are made of it. Times are UTC ms. */

import type { Dimension } from '../../findings.ts';
import type { QualityReason } from '../../quality/score.ts';
import type { PeriodKind } from '../../site_time.ts';

/** 0 to 100; null where nothing could be judged. */
export type Scores = Record<Dimension | 'all', number | null>;

export interface ReportDevice {
  device: string;
  area: string;
  line: string;
  /** '': unprofiled. */
  profile: string;
  scores: Scores;
  expected: number | null;
  received: number;
  reasons: QualityReason[];
  /** 0 to 1. */
  availability: number | null;
  failures: number | null;
  time_between_failures_ms: number | null;
}

export interface Report {
  format: 1;
  site: string;
  period: { kind: PeriodKind; label: string; start_ms: number; end_ms: number; time_zone: string };
  /** How often late data changed it; 0: as first made. */
  revision: number;
  made_ms: number;
  scores: Scores;
  /** Null: no share is aimed at. */
  targets: Record<Dimension, number | null>;
  expected: number | null;
  received: number;
  reasons: QualityReason[];
  quarantined: { reason: string; count: number }[];
  lost: { gateway: string; reason: string; readings: number }[];
  /** The worst first. */
  devices: ReportDevice[];
  /** Devices beyond those listed. */
  devices_left_out: number;
}
