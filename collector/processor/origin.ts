/** Whom an output is of. */
export interface Origin {
  /** `site/gateway`. */
  readonly key: string;
  readonly site: string;
  readonly gateway: string;
}

/** For events that are of no gateway. */
export const NOBODY: Origin = { key: '', site: '', gateway: '' };
