/** What /readyz says of each part. Pure. */

import type { ReadinessCheck } from './api/context.ts';
import type { Component } from './config.ts';
import type { CollectorError } from './errors.ts';
import type { LogStats } from './log/log.ts';
import type { SpaceStatus } from './space.ts';
import type { Store } from './store/store.ts';

/** The parts as they stand; undefined: not started yet. */
export interface Parts {
  components: ReadonlySet<Component>;
  log: LogStats | undefined;
  /** Why it cannot be opened, '' for no reason yet. */
  logProblem: string;
  /** Undefined: no other process works on the log. */
  others: { joined: boolean; absent: readonly Component[] } | undefined;
  /** What intake and processing wait for before they start; '' for nothing. */
  waitsFor: string;
  /** Gateways may connect. */
  accepting: boolean;
  /** Why not, where the part says so itself. */
  intakeProblem: string;
  processing: readonly { lastError: string; running: boolean }[] | undefined;
  store: ReturnType<Store['stats']> | undefined;
  storeProblem: string;
  writers: readonly { lastError: string }[] | undefined;
  /** The live view has what the store had. */
  filled: boolean;
  space: SpaceStatus | undefined;
  /** Parts that ended for good; by name. */
  dead: ReadonlyMap<string, CollectorError>;
}

export function readinessOf(parts: Parts): ReadinessCheck[] {
  const { components, log, store, storeProblem } = parts;
  const checks = [check('log', log?.appendable === true, logReason(parts))];
  if (parts.others !== undefined) checks.push(...otherChecks(parts.others));
  if (components.has('intake')) checks.push(brokerCheck(parts));
  if (components.has('process')) checks.push(processorCheck(parts));
  if (components.has('write') || components.has('serve'))
    checks.push(check('store', store?.ready === true, storeProblem || (store?.lastError ?? '')));
  if (components.has('write')) checks.push(partCheck('writers', parts.writers, parts.dead, ''));
  if (components.has('serve'))
    checks.push(check('view', parts.filled, 'what the store has is not read yet'));
  return [...checks, ...spaceChecks(parts.space)];
}

function check(name: string, ready: boolean, reason: string): ReadinessCheck {
  return { name, ready, reason: ready ? '' : reason };
}

function logReason({ log, logProblem }: Parts): string {
  if (log !== undefined) return 'the log refuses records';
  return logProblem || 'the log is opening';
}

/** That others are missing makes this process no less ready: its own work does not wait for theirs. */
function otherChecks({ joined, absent }: NonNullable<Parts['others']>): ReadinessCheck[] {
  const missing = absent.map((component) => `no process runs ${component}`).join('; ');
  return [
    check('members', joined, 'finding out which other processes there are'),
    { name: 'components', ready: true, reason: missing },
  ];
}

function brokerCheck({ accepting, waitsFor, intakeProblem }: Parts): ReadinessCheck {
  return check('broker', accepting, waitsFor || intakeProblem || 'gateways may not connect');
}

function processorCheck({ processing, dead, waitsFor }: Parts): ReadinessCheck {
  const checked = partCheck('processor', processing, dead, waitsFor);
  const opening = processing?.filter(({ running }) => !running).length ?? 0;
  if (!checked.ready || opening === 0) return checked;
  return check('processor', false, `${opening} partition(s) are being taken over`);
}

function partCheck(
  name: string,
  status: readonly { lastError: string }[] | undefined,
  dead: Parts['dead'],
  waitsFor: string,
): ReadinessCheck {
  const failing = status?.find(({ lastError }) => lastError !== '')?.lastError;
  const notYet = status === undefined ? waitsFor || `${name}: not started yet` : '';
  const reason = dead.get(name)?.message ?? failing ?? notYet;
  return { name, ready: reason === '', reason };
}

/** One is ready, with a reason, when it is filling up. */
function spaceChecks(status: SpaceStatus | undefined): ReadinessCheck[] {
  if (status === undefined) return [];
  const { levels, reasons, watched } = status;
  return watched.map((part) => ({
    name: `space_${part}`,
    ready: levels[part] !== 'full',
    reason: reasons[part],
  }));
}
