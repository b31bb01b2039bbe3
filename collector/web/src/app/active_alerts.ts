/** The list of alerts that are not over, kept by what the stream tells. Pure but for what it remembers. */

import type { Alert } from '../api/types.ts';

/** The list with what changed: newer versions replace, what is over leaves. */
export function withAlert(alerts: readonly Alert[], changed: Alert): Alert[] {
  const known = alerts.find(({ id }) => id === changed.id);
  if (known !== undefined && known.version > changed.version) return [...alerts];
  const others = alerts.filter(({ id }) => id !== changed.id);
  return changed.state === 'resolved' ? others : [changed, ...others];
}

/**
 * What the stream has told as over, by id and version: an answer that was under way meanwhile, or a store that is a
 * little behind, does not bring it back. The oldest go first.
 */
export class OverAlerts {
  readonly #versions = new Map<string, number>();
  readonly #most: number;

  constructor(most = 1_000) {
    this.#most = most;
  }

  add({ id, version }: Pick<Alert, 'id' | 'version'>): void {
    this.#versions.delete(id);
    this.#versions.set(id, version);
    const [oldest] = this.#versions.keys();
    if (this.#versions.size > this.#most && oldest !== undefined) this.#versions.delete(oldest);
  }

  has({ id, version }: Pick<Alert, 'id' | 'version'>): boolean {
    return (this.#versions.get(id) ?? -1) >= version;
  }
}
