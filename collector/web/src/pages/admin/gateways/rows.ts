/** Which gateways are shown, and in what order. */

import type { GatewayItem } from '../types.ts';
import type { Registered } from './types.ts';
import { STATES } from './types.ts';
import { validityOf } from './validity.ts';

export interface Filters {
  search: string;
  state: string;
}

export type Seen = ReadonlyMap<string, GatewayItem>;

export function keyOf({ site, gateway }: { site: string; gateway: string }): string {
  return `${site}/${gateway}`;
}

/** Those that need somebody come first: certificates that are over or nearly, then tokens that wait, then by name. */
export function sortedRows<Row extends Registered>(rows: readonly Row[], nowMs: number): Row[] {
  const rank = ({ state, certificate }: Row): number => {
    const validity = certificate === null ? 'good' : validityOf(certificate, nowMs);
    if (state === 'enrolled' && validity !== 'good') return validity === 'ended' ? 0 : 1;
    return state === 'invited' ? 2 : 3 + STATES.indexOf(state);
  };
  const byName = new Intl.Collator('en', { numeric: true });
  return [...rows].sort(
    (a, b) =>
      rank(a) - rank(b) || byName.compare(a.site, b.site) || byName.compare(a.gateway, b.gateway),
  );
}

export function filtered<Row extends Registered>(
  rows: readonly Row[],
  { search, state }: Filters,
): Row[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    const text = keyOf(row).toLowerCase();
    return (state === '' || row.state === state) && words.every((word) => text.includes(word));
  });
}

/** Seen once, and not let in any more. Who is connected comes by an authority elsewhere (ca.trusted_files). */
export function unregistered(
  seen: readonly GatewayItem[],
  registered: readonly Registered[],
): GatewayItem[] {
  const known = new Set(registered.map(keyOf));
  return seen.filter(
    (one) => !known.has(keyOf(one)) && one.status !== 'never_seen' && one.transport === null,
  );
}
