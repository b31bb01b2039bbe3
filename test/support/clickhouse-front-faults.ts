/** What can befall a statement that comes to the front (clickhouse-front.ts). */

/**
 * - error: refused with `code`, before it runs
 * - unavailable: HTTP 503 as a proxy says it, before it runs
 * - slow: an insert takes at least `delayMs` longer, within the engine: it is seen in system.processes, and can be killed
 * - held: waits `delayMs` (or for `release`) before the engine hears of it, as if it were still on its way
 * - late: runs, and is answered `delayMs` later
 * - lost: runs, and the connection is cut instead of an answer
 * - cut: the connection is cut while the body comes in; nothing runs
 * - cut-answer: runs, and half of the answer comes
 */
export type FaultKind =
  | 'error'
  | 'unavailable'
  | 'slow'
  | 'held'
  | 'late'
  | 'lost'
  | 'cut'
  | 'cut-answer';

export interface Fault {
  kind: FaultKind;
  /** Regular expression, on the statement. Default: inserts with a token. */
  match?: string;
  /** How many statements it befalls; 0: until faults are cleared. Default: 1. */
  times?: number;
  delayMs?: number;
  /** ClickHouse's error number. */
  code?: number;
  /** Of an error: what it says. */
  message?: string;
}

export interface FrontStatus {
  /** Statements that came, those about faults and lists of processes among them. */
  statements: number;
  /** Inserts with a body that ran to their end. */
  inserts: number;
  /** Statements that wait in `held`. */
  held: number;
  /** How often a fault befell a statement. */
  struck: number;
  faults: Fault[];
}

const INSERTS = '^/\\* insert ';

/** Names of the errors that tests ask for. */
export const ERROR_NAMES: Readonly<Record<number, string>> = {
  81: 'UNKNOWN_DATABASE',
  159: 'TIMEOUT_EXCEEDED',
  164: 'READONLY',
  192: 'UNKNOWN_USER',
  193: 'WRONG_PASSWORD',
  194: 'REQUIRED_PASSWORD',
  202: 'TOO_MANY_SIMULTANEOUS_QUERIES',
  209: 'SOCKET_TIMEOUT',
  210: 'NETWORK_ERROR',
  241: 'MEMORY_LIMIT_EXCEEDED',
  242: 'TABLE_IS_READ_ONLY',
  243: 'NOT_ENOUGH_SPACE',
  252: 'TOO_MANY_PARTS',
  319: 'UNKNOWN_STATUS_OF_INSERT',
  497: 'ACCESS_DENIED',
  516: 'AUTHENTICATION_FAILED',
  999: 'KEEPER_EXCEPTION',
};

interface Armed {
  fault: Fault;
  match: RegExp;
  left: number;
}

export class Faults {
  #armed: Armed[] = [];
  #waiting: (() => void)[] = [];
  struck = 0;

  add(fault: Fault): void {
    const left = fault.times ?? 1;
    this.#armed.push({
      fault,
      match: new RegExp(fault.match ?? INSERTS),
      left: left === 0 ? Number.POSITIVE_INFINITY : left,
    });
  }

  /** What is held goes on. */
  clear(): void {
    this.#armed = [];
    this.release();
  }

  release(): void {
    for (const go of this.#waiting.splice(0)) go();
  }

  get held(): number {
    return this.#waiting.length;
  }

  list(): Fault[] {
    return this.#armed.map(({ fault }) => fault);
  }

  /** The first that fits the statement; it is used up. */
  take(query: string): Fault | undefined {
    const armed = this.#armed.find(({ match }) => match.test(query));
    if (armed === undefined) return undefined;
    armed.left--;
    this.struck++;
    if (armed.left <= 0) this.#armed = this.#armed.filter((one) => one !== armed);
    return armed.fault;
  }

  /** Until the time is over or `release`. Without a time: until `release`. */
  async hold(delayMs: number | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = delayMs === undefined ? undefined : setTimeout(() => go(), delayMs);
      const go = (): void => {
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter((one) => one !== go);
        resolve();
      };
      this.#waiting.push(go);
    });
  }
}
