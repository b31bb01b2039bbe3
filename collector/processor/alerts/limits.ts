/** Bounds of the alerts. Changing one changes outputs of a replay: note it in a decision. */

/** Alert rules of a profile; the built-in ones come on top. */
export const RULES_MAX = 100;
/** Alerts of a gateway's devices that are open at a time; see OpenAlerts.hasRoom for what is at the bound. */
export const OPEN_ALERTS_MAX = 10_000;
/** UTF-16 units of a summary, and of the condition that it cites. */
export const SUMMARY_MAX = 500;
export const CONDITION_SHOWN_MAX = 120;
/** UTF-16 units of a text value that an alert shows. */
export const TEXT_VALUE_MAX = 200;
/** What is pending for so long, log time, is put out as pending: shorter ones would only be noise. */
export const PENDING_TOLD_MS = 10_000;
/** Conditions over silent_seconds that are more than a comparison are looked at so often, log time. */
export const POLL_MS = 5_000;
/** Without an interval in the profile a value counts as recent for so long. */
export const FRESH_MS = 60_000;
/** quality and error_percent look at this many minutes of reading time, the last one as far as it has come. */
export const WINDOW_MINUTES = 5;
/** error_percent needs so many readings in the window. */
export const ERROR_READINGS_MIN = 10;
/** Without a reading for so long a device is taken as removed (as in collector/quality/expected.ts). */
export const REMOVED_AFTER_MS = 7 * 86_400_000;

/** A baseline is learnt from this many running values in a row whose middle half lies within BASELINE_SPREAD of the median. */
export const BASELINE_READINGS = 30;
export const BASELINE_SPREAD = 0.1;
/** It follows with this time constant, by at most BASELINE_STEP of itself at a time. */
export const BASELINE_TAU_MS = 86_400_000;
export const BASELINE_STEP = 0.1;
/** A condition that has held for so long is how the device is now: its baselines are learnt anew. */
export const BASELINE_GIVEN_UP_MS = 3 * 86_400_000;

/** A gateway is down after so long; one that ended cleanly and stays away is told of after STOPPED_MS. */
export const GATEWAY_DOWN_FOR_MS = 30_000;
export const GATEWAY_BACK_FOR_MS = 5_000;
export const STOPPED_MS = 120_000;
export const BUFFER_WARNING_SECONDS = 3_600;
export const BUFFER_CRITICAL_SECONDS = 600;
export const BUFFER_FOR_MS = 60_000;
export const CLOCK_FOR_MS = 600_000;
/** Seconds from reading time to receipt, of the newest reading of a batch. */
export const BEHIND_INFO_SECONDS = 60;
export const BEHIND_WARNING_SECONDS = 600;
export const BEHIND_FOR_MS = 10_000;
/** After the last refusal the alert about too many alerts stays for so long. */
export const ALERTS_FULL_FOR_MS = 600_000;
