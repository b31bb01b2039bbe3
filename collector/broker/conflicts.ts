/** Clones at the door: one record a gateway and minute says so, however often they knock. */

import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey } from '../../proto/topics.ts';
import type { IdentityConflictValue } from '../types.ts';
import { RawKind } from '../types.ts';
import type { Intake } from './intake.ts';

const RECORD_INTERVAL_MS = 60_000;

interface Conflict {
  recordedMs: number;
  unrecorded: number;
}

export class Conflicts {
  readonly #intake: Pick<Intake, 'append'>;
  readonly #monoMs: () => number;
  /** At most one entry a gateway that has a token. */
  readonly #conflicts = new Map<string, Conflict>();

  constructor(intake: Pick<Intake, 'append'>, monoMs: () => number = () => performance.now()) {
    this.#intake = intake;
    this.#monoMs = monoMs;
  }

  note(gateway: GatewayId, installId: string, holder: string): void {
    const key = gatewayKey(gateway);
    const conflict = this.#conflicts.get(key) ?? {
      recordedMs: Number.NEGATIVE_INFINITY,
      unrecorded: 0,
    };
    this.#conflicts.set(key, conflict);
    const now = this.#monoMs();
    if (now - conflict.recordedMs < RECORD_INTERVAL_MS) {
      conflict.unrecorded += 1;
      return;
    }
    const { unrecorded } = conflict;
    conflict.recordedMs = now;
    conflict.unrecorded = 0;
    const value: IdentityConflictValue = { installId, holder, unrecorded };
    const bytes = Buffer.from(JSON.stringify(value));
    this.#intake.append(gateway, RawKind.IDENTITY_CONFLICT, bytes, (error) => {
      if (error === undefined) return;
      // The next attempt is recorded instead, and counts this one.
      conflict.recordedMs = Number.NEGATIVE_INFINITY;
      conflict.unrecorded += unrecorded + 1;
    });
  }
}
