/** What a detector is: it looks at one reading after the other of a channel and keeps numbers of it. */

/** What the profile says of a channel, as detectors need it. */
export interface ChannelPlan {
  /** Undefined: no bound. */
  low: number | undefined;
  high: number | undefined;
  hysteresis: number;
  unit: string;
  /** For people; '' when it is the channel's name. */
  title: { en: string; ko: string };
  isNumber: boolean;
  /** The value that tells a failure; undefined: it tells none. */
  failsWhen: number | undefined;
  trainRows: number;
  falseAlarmsPerDay: number;
  /** By place in DETECTORS: which of them look at the channel. */
  detectors: readonly number[];
}

/** What a person is told. Units are those of the channel. */
export interface Explanation {
  en: string;
  ko: string;
  expectedLow: number | null;
  expectedHigh: number | null;
}

/**
 * The reading at hand and what is known of its channel. One object for all readings: valid during the call.
 * Values and times are finite and of a size whose square is finite.
 */
export interface ReadingAtHand {
  /** All numbers of the device. A detector may use those from `at`, which judge() is told. */
  slab: Float64Array;
  value: number;
  timeMs: number;
  /**
   * Since the channel's previous reading; 0: not known, because it is the first, or the readings paused, or
   * the clock was set back.
   */
  sinceMs: number;
  /** Between two readings of the channel, learnt; 0: not known yet. */
  intervalMs: number;
  /** Mask; see collector/findings.ts. */
  findings: number;
  /** False: nothing may be learnt from it (implausible, or bad by its device). */
  teaches: boolean;
  /** Older than what was learnt: nothing at all may change. */
  isLate: boolean;
  /** No detector whose word lasts found the channel abnormal at its last reading. */
  isSettled: boolean;
  /** No anomaly of the device is open. */
  isClean: boolean;
  /** Channels of the device. */
  channels: number;
  /**
   * ln of how rare, among all readings of the device, an alarm must be: readings a day by false alarms
   * a day. Thresholds follow from it.
   */
  lnRare: number;
  plan: ChannelPlan;
}

export interface Detector {
  /** In profiles, anomalies and marks: never rename. */
  readonly name: string;
  /** Numbers that it keeps of each channel; all 0 before the channel's first reading. */
  readonly fields: number;
  /**
   * What it said of a channel's last reading still holds while other channels of the device are read: a
   * state that lasts, and not something that happened at one reading.
   */
  readonly lasts: boolean;
  /** Whether it may be asked of readings that are late. */
  readonly judgesLate: boolean;
  /** Asked once a channel and configuration. */
  applies(plan: ChannelPlan): boolean;
  /**
   * 0 to 1, from 0.5 on abnormal. Compares first and learns afterwards, as far as the reading teaches.
   * `at`: where its numbers begin. Must not throw, and must keep every number finite.
   */
  judge(reading: ReadingAtHand, at: number): number;
  /** Of the reading that was judged last, in words. */
  explain(reading: ReadingAtHand, at: number): Explanation;
}
