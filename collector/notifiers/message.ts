/** What makes a message of notices. Pure. */

import { createHash } from 'node:crypto';
import { compareSeverity } from '../alert.ts';
import type { Notice } from './notifier.ts';

/** What is over comes last. */
export function worstFirst(a: Notice, b: Notice): number {
  const over = Number(a.kind === 'resolved') - Number(b.kind === 'resolved');
  return over || compareSeverity(b.alert.severity, a.alert.severity);
}

/** Message.key. */
export function keyOf(receiver: string, notices: readonly Notice[]): string {
  const hash = createHash('sha256').update(receiver);
  for (const one of notices.map(({ alert }) => `${alert.id}/${alert.version}`).sort())
    hash.update(`\n${one}`);
  return hash.digest('hex').slice(0, 32);
}
