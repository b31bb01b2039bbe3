/**
 * Who is let in, and who may stay: the door knows gateways and what proves them, rules.ts what a CONNECT
 * must look like, and of two installs under one name one is right.
 */

import { gatewayKey } from '../../proto/topics.ts';
import type { Logger } from '../types.ts';
import type { Conflicts } from './conflicts.ts';
import type { Connection, Connections } from './connections.ts';
import { Identity } from './connections.ts';
import type { Door, Refusal } from './door.ts';
import type { Intake } from './intake.ts';
import type { BrokerMetrics } from './metrics.ts';
import { identify } from './rules.ts';

/** Well below the ten seconds in which a revocation is to take effect. */
const REJUDGE_INTERVAL_MS = 5_000;

export interface JudgeOptions {
  door: Door;
  connections: Connections;
  conflicts: Conflicts;
  /** While the log takes no records nobody is let in. */
  intake: Pick<Intake, 'open'>;
  isClosing: () => boolean;
  metrics: Pick<BrokerMetrics, 'takenOver'>;
  logger: Logger;
}

/** Let in, perhaps in place of another connection of the same install, which must be closed first. */
export type Verdict = Refusal | { replaces: Connection | undefined };

export class Judge {
  readonly #options: JudgeOptions;
  readonly #rejudging: NodeJS.Timeout;
  readonly #endChanges: () => void;

  constructor(options: JudgeOptions) {
    this.#options = options;
    const { door, connections } = options;
    this.#endChanges = door.onChange((key) => this.#rejudge(connections.holder(key)));
    // What ends by time alone, and any word of a change that was lost.
    this.#rejudging = setInterval(() => {
      for (const { connection } of connections.letIn()) this.#rejudge(connection);
    }, REJUDGE_INTERVAL_MS);
    this.#rejudging.unref();
  }

  /** Lets a connection in that said CONNECT, or counts why not. */
  letIn(connection: Connection, username: string, password: string): Verdict {
    const { connections, door, metrics } = this.#options;
    const verdict = this.#judge(connection, username, password);
    if (!(verdict instanceof Identity)) {
      connections.note(connection, verdict.reason);
      return verdict;
    }
    const replaces = connections.admit(connection, verdict);
    door.entered(verdict.admission, verdict.installId);
    if (replaces !== undefined) metrics.takenOver();
    return { replaces };
  }

  /** Looks at nobody any more who was let in. */
  close(): void {
    this.#endChanges();
    clearInterval(this.#rejudging);
  }

  #judge(connection: Connection, username: string, password: string): Identity | Refusal {
    const { isClosing, intake, door } = this.#options;
    if (isClosing()) return { reason: 'closing', returnCode: 3 };
    if (!intake.open) return { reason: 'log_unavailable', returnCode: 3 };
    const { clientId, will, socket } = connection;
    const admission = door.identify(socket, username, password);
    const verdict = identify({ clientId, will }, admission);
    if (!(verdict instanceof Identity)) return verdict;
    return this.#judgeInstall(verdict);
  }

  /** Two installs under one name: the registered one wins it, else the one that was first. Each time it is said. */
  #judgeInstall(identity: Identity): Identity | Refusal {
    const { gateway, installId, key } = identity;
    const { door, connections, conflicts } = this.#options;
    const registered = door.installOf(gateway);
    const holder = connections.holder(key)?.identity?.installId;
    const other = holder ?? registered;
    if (other === undefined || other === installId) return identity;
    conflicts.note(gateway, installId, other);
    if (holder === undefined || installId === registered) return identity;
    return { reason: 'identity_conflict', returnCode: 2 };
  }

  /** Ends a connection of which what let it in does not count any more. */
  #rejudge(connection: Connection | undefined): void {
    const { door, connections, logger } = this.#options;
    const admission = connection?.identity?.admission;
    if (connection === undefined || admission === undefined) return;
    const reason = door.reasonToCut(admission);
    if (reason === undefined) return;
    logger.warn({ gateway: gatewayKey(admission.gateway), reason }, 'a gateway was cut');
    connections.refuse(connection, reason);
  }
}
