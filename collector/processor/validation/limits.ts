/** Bounds of what the rules remember. Changing one changes outputs of a replay: note it in a decision. */

/** Channels per gateway; beyond it the one unseen longest is forgotten. More than a chunk has series. */
export const CHANNELS_MAX = 16_384;
/** Values that the rules outlier and z_score compare with, and how many they need to say anything. */
export const WINDOW_VALUES = 100;
export const WINDOW_VALUES_MIN = 20;
/**
 * After so many readings in a row behind the newest one the device's clock was set back: the newest one
 * no longer counts.
 */
export const BEHIND_MAX = 20;
/** A channel's changes of type are told at most this often. */
export const TYPE_CHANGE_QUIET_MS = 600_000;
/** Timeliness of devices without a profile. */
export const UNPROFILED_TIMELY_MS = 30_000;
export const UNPROFILED_FUTURE_MS = 60_000;
/** Without an interval in the profile: equal values that are farther apart were not one run. */
export const RUN_GAP_MS_MIN = 60_000;
