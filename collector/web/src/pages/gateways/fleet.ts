/** How much a gateway needs a person, and why. Pure. */

import type { Level } from '../../ui/level.ts';
import type { Gateway, LedgerNumbers, Reader } from './types.ts';

const HOUR_MS = 3_600_000;
/** By its own clock when it last spoke; the time on the way is in it. */
const OFFSET_NOTE_MS = 2_000;
const OFFSET_WARN_MS = 10_000;
/** Smaller steps are how clocks are kept right. */
const STEP_NOTE_MS = 1_000;

export function statusLevel({ status }: Pick<Gateway, 'status'>): Level {
  if (status === 'online') return 'calm';
  return status === 'silent' || status === 'offline' ? 'warn' : 'note';
}

export function evictionLevel({ buffer }: Pick<Gateway, 'buffer'>): Level {
  if (buffer.seconds_until_eviction === null) return 'calm';
  const leftMs = buffer.seconds_until_eviction * 1_000;
  return leftMs < HOUR_MS ? 'bad' : leftMs < 24 * HOUR_MS ? 'warn' : 'calm';
}

/** Its clock minus the collector's when it last spoke; undefined: it is not connected, or never was. */
export function offsetMs({ status, state_ms, updated_ms }: Gateway): number | undefined {
  if (status === 'offline' || status === 'never_seen') return undefined;
  return state_ms === null || updated_ms === null ? undefined : state_ms - updated_ms;
}

export function clockLevel(gateway: Gateway): Level {
  if (gateway.clock.unsynced) return 'warn';
  const offset = Math.abs(offsetMs(gateway) ?? 0);
  if (offset >= OFFSET_WARN_MS) return 'warn';
  return offset >= OFFSET_NOTE_MS ? 'note' : 'calm';
}

/** A step of its clock that is worth a word. */
export function stepMs({ clock }: Pick<Gateway, 'clock'>): number | undefined {
  return Math.abs(clock.step_ms) >= STEP_NOTE_MS ? clock.step_ms : undefined;
}

/** Of one that does not speak nothing is known of its readers. */
export function failingReaders({ status, readers }: Pick<Gateway, 'status' | 'readers'>): Reader[] {
  return status === 'online' ? readers.filter((reader) => reader.status !== 'ok') : [];
}

export function certificateLevel({ certificate }: Pick<Gateway, 'certificate'>): Level {
  if (certificate === null || certificate.state === 'valid') return 'calm';
  return certificate.state === 'expired' ? 'bad' : 'warn';
}

export function ledgerLevel({ balance, gap_readings }: LedgerNumbers): Level {
  if (balance !== 0) return 'bad';
  return gap_readings > 0 ? 'warn' : 'calm';
}

/** 0: nobody needs to look. */
export function needOf(gateway: Gateway): number {
  if (gateway.ledger.balance !== 0) return 4;
  if (evictionLevel(gateway) === 'bad') return 4;
  if (gateway.status === 'offline' || gateway.status === 'silent') return 3;
  const levels = [
    evictionLevel(gateway),
    clockLevel(gateway),
    statusLevel(gateway),
    certificateLevel(gateway),
  ];
  if (levels.includes('bad')) return 3;
  if (failingReaders(gateway).length > 0 || levels.includes('warn')) return 2;
  return levels.includes('note') ? 1 : 0;
}

/** Those that need a person first. */
export function byNeed(gateways: readonly Gateway[]): Gateway[] {
  return [...gateways].sort(
    (a, b) =>
      needOf(b) - needOf(a) ||
      a.site.localeCompare(b.site) ||
      a.gateway.localeCompare(b.gateway, undefined, { numeric: true }),
  );
}

export function matches(
  gateway: Gateway,
  { site, status, search }: Record<'site' | 'status' | 'search', string>,
): boolean {
  const text = search.trim().toLowerCase();
  return (
    (site === '' || gateway.site === site) &&
    (status === '' ||
      (status === 'attention' ? needOf(gateway) >= 2 : gateway.status === status)) &&
    (text === '' ||
      [gateway.gateway, gateway.site, gateway.version].some((part) =>
        part.toLowerCase().includes(text),
      ))
  );
}
