/** Why a gateway needs a person. Pure. */

import type { GatewayEntry } from '../processor/outputs/gateway.ts';
import type { LedgerNumbers } from './ledger.ts';

/** Worst first. */
export const GATEWAY_NEEDS = [
  'unbalanced',
  'offline',
  'silent',
  'evicting',
  'clock',
  'readers',
] as const;
export type GatewayNeed = (typeof GATEWAY_NEEDS)[number];

/** Less than this until readings are lost. */
const EVICTING_SOON_S = 24 * 3_600;

export function gatewayNeeds(
  status: string,
  entry: GatewayEntry | undefined,
  { balance }: Pick<LedgerNumbers, 'balance'>,
): GatewayNeed[] {
  const needs: GatewayNeed[] = [];
  if (balance !== 0) needs.push('unbalanced');
  if (status === 'offline' || status === 'silent') needs.push(status);
  if (entry === undefined) return needs;
  const seconds = entry.bufferSecondsUntilEviction;
  if (seconds >= 0 && seconds < EVICTING_SOON_S) needs.push('evicting');
  if (entry.clockUnsynced) needs.push('clock');
  if (status === 'online' && entry.readers.some((reader) => reader.status !== 'ok'))
    needs.push('readers');
  return needs;
}
