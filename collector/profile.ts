/**
 * What people configure of devices: profiles (channels, units, ranges, interval, policies), and which
 * device has which. The files are read, checked and turned into this shape by collector/profiles/; as a
 * raw record of kind `configuration` it reaches the processor, so that a replay judges every reading by
 * what held then.
 */

/** The decision about a reading that breaks a rule; the mildest first. */
export type Policy = 'keep' | 'flag' | 'clip' | 'fill' | 'quarantine';

/** What stands in for a value that is missing: the last good one, or a constant. */
export type Fill = { kind: 'last' } | { kind: 'constant'; value: number };

export type ChannelType = 'number' | 'boolean' | 'text';

export interface ChannelProfile {
  /** For people; '': the channel's name. */
  title: string;
  /** In Korean; left out: as `title`. */
  titleKo?: string;
  unit: string;
  /** Undefined: as the gateway sends them. */
  decimals: number | undefined;
  type: ChannelType;
  /** Values inclusive; undefined: no bound. */
  min: number | undefined;
  max: number | undefined;
  onRange: Policy;
  /** Values that mean "no value", such as -1. They count as missing, then onNull decides. */
  sentinels: readonly number[];
  /** For null, not finite and sentinels: keep (stored without a value), fill, quarantine, flag. */
  onNull: Policy;
  fill: Fill;
  onType: Policy;
  /** Largest possible change, in units of the channel a second; undefined: not judged. */
  ratePerSecondMax: number | undefined;
  onRate: Policy;
  /** The same value for longer than this is a finding; undefined: not judged. */
  stuckAfterMs: number | undefined;
  onStuck: Policy;
  /**
   * Farther than this many quartile ranges outside the quartiles of the last 100 good values;
   * undefined: not judged.
   */
  outlierRanges: number | undefined;
  onOutlier: Policy;
  /**
   * Farther than this many standard deviations from the mean of the last 100 plausible values; left out:
   * not judged.
   */
  zScoreMax?: number;
  onZScore?: Policy;
  /** What the detectors look for; left out: nothing is switched off and there are no limits. */
  detection?: ChannelDetection;
  /** The value that needs a person (isFail: 1); undefined: none. */
  attentionWhen: number | undefined;
}

/** See collector/processor/anomaly/. */
export interface ChannelDetection {
  /** Names of detectors that leave this channel alone. */
  off: readonly string[];
  /**
   * Bounds, inclusive, beyond which the channel is abnormal; it is normal again once `hysteresis` (in units
   * of the channel) within them. Undefined: no bound.
   */
  low: number | undefined;
  high: number | undefined;
  hysteresis: number;
}

/** See collector/processor/anomaly/. */
export interface DeviceDetection {
  /** False: no detector runs for the device. */
  enabled: boolean;
  /** Names of detectors that do not run for the device. */
  off: readonly string[];
  /** How many false alarms a day the device may raise, about; detectors set their thresholds by it. */
  falseAlarmsPerDay: number;
  /** Rows that the detector of the whole device learns from before it says anything. */
  trainRows: number;
}

/** See collector/alert.ts. */
export type AlertSeverity = 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL';

/** What must be so for an alert, by severity; the severest that holds counts. */
export interface AlertLevel {
  severity: AlertSeverity;
  /** CEL over channel names and facts (collector/processor/alerts/facts.ts); true: it holds. */
  when: string;
}

/** One cause: of a device it makes one alert at a time, whose severity follows the levels. */
export interface AlertRule {
  name: string;
  /** For people. */
  title: string;
  /** In Korean; left out: as `title`. */
  titleKo?: string;
  levels: readonly AlertLevel[];
  /**
   * CEL: the alert ends when this holds (hysteresis: `sensor1 < 88`). Left out: when no level's `when` does.
   */
  until?: string;
  /** A level must hold for so long before the alert fires; until then it is pending. */
  forMs: number;
  /** The end must hold for so long before the alert is resolved. */
  resolveAfterMs: number;
}

/**
 * A rule over several channels of one device at one time. In its expression a channel's value has the
 * type of its profile: true and false for a boolean one.
 */
export interface CrossRule {
  name: string;
  /** CEL over the channel names; true: the values agree. Evaluated when all of its channels have a value of one time. */
  expect: string;
  /** Channel names in the expression. */
  channels: readonly string[];
  /** For people. */
  message: string;
  /** In Korean; left out: as `message`. */
  messageKo?: string;
  policy: 'keep' | 'flag' | 'quarantine';
}

export interface DeviceProfile {
  name: string;
  /** For people; '': the name. */
  title: string;
  /** In Korean; left out: as `title`. */
  titleKo?: string;
  /** Between two readings of a channel; undefined: completeness by interval is not judged. */
  intervalMs: number | undefined;
  /** Reading time to receipt; above it the reading is late. */
  timelyWithinMs: number;
  /** So far ahead of the receipt a time is still no finding. */
  futureToleranceMs: number;
  /** Without a reading for so long the device is late, then silent. */
  lateAfterMs: number;
  silentAfterMs: number;
  onTimeBackwards: Policy;
  onSameTime: Policy;
  onLate: Policy;
  onFuture: Policy;
  /** The channel that tells a failure, and the value at which it does; for failures and the time between them. */
  failure: { channel: string; when: number } | undefined;
  channels: Readonly<Record<string, ChannelProfile>>;
  rules: readonly CrossRule[];
  /** Left out: as collector/processor/anomaly/settings.ts says. */
  detection?: DeviceDetection;
  /** Left out: none but the built-in ones (collector/processor/alerts/built_in.ts). */
  alerts?: readonly AlertRule[];
  /** Globs of sites and devices that get this profile when no assignment names one; of several profiles the first by name. */
  match: readonly { site: string; device: string }[];
}

/** Where devices stand and what profile they have; the first that matches holds. Globs: `*` and `?`. */
export interface DeviceAssignment {
  site: string;
  device: string;
  area: string;
  line: string;
  /** '': by the profiles' own match. */
  profile: string;
}

/** Everything that people configured and that can change an output. */
export interface Configuration {
  /** SHA-256 (hex) of the canonical JSON of the rest: equal content, equal version. */
  version: string;
  /** Readings older than this at receipt go to quarantine. 0: never. */
  retentionMs: number;
  /** Readings further ahead than this go to quarantine. */
  aheadMaxMs: number;
  /** By name. */
  profiles: Readonly<Record<string, DeviceProfile>>;
  assignments: readonly DeviceAssignment[];
}
