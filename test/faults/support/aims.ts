/** Moments at which a collector that runs as aimed-collector.ts kills itself with SIGKILL. */

import { once } from 'node:events';
import { isLongForm } from '../../support/form.ts';
import type { Plant } from '../../support/plant.ts';

/**
 * What is being committed to the log. append: a batch; outputs: what the processor made of raw, with its
 * position and state; snapshot: the same, with a snapshot of the soft state; intent and position: those of
 * the writer of readings.
 */
export type Committing = 'append' | 'outputs' | 'snapshot' | 'intent' | 'position';
/**
 * before: it is asked for. uncommitted: written, not committed. within: somewhere in the COMMIT.
 * committed: durable, nobody knows yet. resolved: the promise says so.
 */
export type CommitMoment = 'before' | 'uncommitted' | 'within' | 'committed' | 'resolved';

export interface CommitAim {
  commit: Committing;
  when: CommitMoment;
}

export interface StatementAim {
  /** A regular expression for the text of a statement that changes the store. */
  sql: string;
  when: 'before' | 'within' | 'after';
  /** Only statements with this parameter `site`. */
  site?: string;
}

export interface PartAim {
  /** Of the store. */
  table: string;
  /** A part's folder of this table was made, was given its name, or parts begin to be merged. */
  part: 'created' | 'renamed' | 'merging';
}

export type Aim = (CommitAim | StatementAim | PartAim) & {
  /** How often the moment passes by before; default 0. */
  skip?: number;
  /** For `within`: how long after its beginning. */
  delayUs?: number;
  /** SIGSTOP: it freezes there, once, until somebody sends SIGCONT. */
  signal?: 'SIGKILL' | 'SIGSTOP';
};

export const AIMED_COLLECTOR = 'test/faults/support/aimed-collector.ts';
export const AIM_VARIABLE = 'FMS_TEST_AIM';

/** Starts the plant's collector; resolves once it has killed itself at the moment. */
export async function killAt(plant: Plant, aim: Aim, timeoutMs = 300_000): Promise<void> {
  const env = { [AIM_VARIABLE]: JSON.stringify(aim) };
  const child = await plant.start('collector', { ready: false, env });
  const timer = setTimeout(() => child.kill('SIGTERM'), timeoutMs);
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  clearTimeout(timer);
  if (signal !== 'SIGKILL') {
    const how = `code ${code}, signal ${signal}; see ${plant.folder}/collector.log`;
    throw new Error(`${JSON.stringify(aim)} was not met: ${how}`);
  }
}

/** One in `of` of the aims, in their order, other ones with another seed; all of them in the long form. */
export function someOf(aims: readonly Aim[], random: () => number, of: number): Aim[] {
  if (isLongForm) return [...aims];
  const first = Math.floor(random() * of);
  return aims.filter((_, i) => i % of === first);
}
