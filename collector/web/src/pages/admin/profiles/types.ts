/** What the API answers of profile files. */

export interface ProfileFileItem {
  name: string;
  /** Null: too large to be changed here. */
  text: string | null;
  etag: string;
  bytes: number;
}

export interface ProfileFiles {
  items: ProfileFileItem[];
  changeable: boolean;
  removed: string[];
}

export interface Mistake {
  /** '' : of all together. */
  file: string;
  line: number;
  column: number;
  message: string;
}

export interface ProfileChange {
  /** '' : the assignments. */
  profile: string;
  deed: 'added' | 'removed' | 'changed';
  path: string[];
  before: unknown;
  after: unknown;
}

export interface Effect {
  version_before: string;
  version_after: string;
  changes: ProfileChange[];
  changes_left_out: number;
  devices: {
    known: number;
    moved: number;
    judged_anew: number;
    items: {
      site: string;
      device: string;
      before: string;
      after: string;
      place_before: string;
      place_after: string;
    }[];
    profiles: {
      profile: string;
      before: number;
      after: number;
      /** Some of those that have it now. */
      named: { site: string; device: string }[];
    }[];
  };
}

export interface Checked {
  mistakes: Mistake[];
  effect: Effect | null;
}

export interface Applied {
  name: string;
  etag: string | null;
  result: 'changed' | 'unchanged' | 'refused';
  mistakes: Mistake[];
}

export interface Version {
  id: string;
  replaced_ms: number;
}

/** Of /api/v1/profiles. */
export interface Profiles {
  version: string;
  since_ms: number;
  pending: boolean;
  mistakes: string[];
  profiles: {
    name: string;
    title: { en: string; ko: string };
    interval_ms: number | null;
    channels: unknown[];
    rules: unknown[];
  }[];
}
