/**
 * Bounds of what the detectors remember. Changing one changes anomalies of a replay: note it in a decision.
 */

/** Channels per gateway; beyond it the device that was unseen longest is forgotten. */
export const CHANNELS_MAX = 8_192;
/** Channels of one device that detectors look at; further ones are left alone. */
export const DEVICE_CHANNELS_MAX = 512;
/** Larger numbers are no measurements: their squares would not be finite for long. */
export const VALUE_MAX = 1e100;
/** The largest time of a Date. */
export const TIME_MS_MAX = 8.64e15;

/** A pause of more than so many intervals: what was between is not known. */
export const PAUSE_INTERVALS = 5;
/** So many intervals the last word on a channel holds while it is not read. */
export const HOLD_INTERVALS = 5;
/** Pauses below this are none, whatever the interval. */
export const PAUSE_MS_MIN = 5_000;

/** An anomaly is over after so many quiet rows in a row ... */
export const QUIET_ROWS = 10;
/** ... or after this time, and two of them. */
export const QUIET_MS = 3_600_000;
/** A row is quiet below this score: lower than what opens an anomaly, which is 0.5. */
export const QUIET_SCORE = 0.4;
/** Peaks of one anomaly that are told. */
export const PEAKS_MAX = 8;
/** A new peak must bring the score so much nearer to 1. */
export const PEAK_CLOSER = 0.7;
/** Late readings raise at most one anomaly in this time of theirs. */
export const LATE_QUIET_MS = 3_600_000;
/** Channels named in an anomaly. */
export const NAMED_CHANNELS_MAX = 3;
