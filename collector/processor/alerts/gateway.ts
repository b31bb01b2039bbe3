/** The alerts of a gateway itself. Judged in log time; what lives in them is soft state. */

import type { AlertEntry } from '../outputs/alert.ts';
import type { GatewayFacts, GatewayRule } from './built_in.ts';
import { GATEWAY_BEHIND, GATEWAY_DOWN, GATEWAY_RULES } from './built_in.ts';
import type { AlertContext } from './context.ts';
import type { AlertEntries, Standing } from './entries.ts';
import type { EncodedLife, LifeChange } from './life.ts';
import { Life } from './life.ts';
import { PENDING_TOLD_MS } from './limits.ts';

export type EncodedGateway = [rule: string, pendingMs: number | null, ...EncodedLife][];

export class GatewayOwn {
  readonly #lives: Life[];
  readonly #pendingMs: number[];

  constructor(open: ReadonlyMap<string, AlertEntry>, encoded: EncodedGateway = []) {
    const known = new Map(encoded.map(([rule, ...rest]) => [rule, rest]));
    this.#pendingMs = GATEWAY_RULES.map(({ name }) => known.get(name)?.[0] ?? Number.NaN);
    this.#lives = GATEWAY_RULES.map(({ name, levels }) => {
      const [, ...life] = known.get(name) ?? [];
      const entry = open.get(name);
      const isPending = entry?.state === 'pending';
      const level =
        entry === undefined || isPending
          ? -1
          : Math.max(
              0,
              levels.findIndex(({ severity }) => severity === entry.severity),
            );
      return Life.decode(life.length === 0 ? undefined : life, level, levels.length, isPending);
    });
  }

  /** It is down, or about to be called so: silence of its devices follows from that. */
  get isDown(): boolean {
    return this.#isActive(GATEWAY_DOWN);
  }

  /** It was down when last looked at. */
  get wasDown(): boolean {
    return this.#lives[indexOf(GATEWAY_DOWN)]!.top >= 0;
  }

  /** Its batches are old, or were just now: latencies of its devices follow from that. */
  get isBehind(): boolean {
    return this.#isActive(GATEWAY_BEHIND);
  }

  /** Looks at everything. Answers the log time at which to look again, if nothing is heard. */
  look(facts: GatewayFacts, entries: AlertEntries, context: AlertContext): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const [i, rule] of GATEWAY_RULES.entries()) {
      dueMs = Math.min(dueMs, this.#lookAt(i, rule, facts, entries, context));
    }
    return dueMs;
  }

  encode(): EncodedGateway {
    return GATEWAY_RULES.flatMap(({ name }, i) => {
      const life = this.#lives[i]!.encode();
      const pendingMs = this.#pendingMs[i]!;
      return life === undefined
        ? []
        : [[name, Number.isNaN(pendingMs) ? null : pendingMs, ...life]];
    });
  }

  #isActive(rule: string): boolean {
    return !this.#lives[indexOf(rule)]!.isQuiet;
  }

  #lookAt(
    i: number,
    rule: GatewayRule,
    facts: GatewayFacts,
    entries: AlertEntries,
    context: AlertContext,
  ): number {
    const life = this.#lives[i]!;
    const { nowMs, resumedMs } = context;
    const turnsMs = rule.turnsMs?.(facts) ?? Number.POSITIVE_INFINITY;
    let dueMs = turnsMs > nowMs ? turnsMs : Number.POSITIVE_INFINITY;
    const rank = rule.rank(facts);
    if (rank === undefined || (rank < 0 && life.isQuiet)) return dueMs;
    const before = life.level;
    const sinceMs = life.sinceMs;
    const change = life.look(rank, nowMs, rule, life.lastMs < resumedMs);
    if (change === 'pending') this.#pendingMs[i] = nowMs;
    const subject = { device: '', area: '', line: '', rule };
    const startedMs = Number.isNaN(life.sinceMs) ? sinceMs : life.sinceMs;
    const level = Math.max(life.level, life.isPending ? life.top : before, 0);
    const standing = this.#standing(rule, change, level, startedMs, facts);
    entries.turn(subject, standing, context);
    if (life.isPending && entries.open.find('', rule.name) === undefined) {
      const toldMs = this.#pendingMs[i]! + PENDING_TOLD_MS;
      if (toldMs <= nowMs) entries.tellPending(subject, standing, context);
      else dueMs = Math.min(dueMs, toldMs);
    }
    return Math.min(dueMs, life.dueMs(rule));
  }

  #standing(
    rule: GatewayRule,
    change: LifeChange,
    level: number,
    startedMs: number,
    facts: GatewayFacts,
  ): Standing {
    return {
      change,
      severity: rule.levels[level]!.severity,
      startedMs,
      inhibitor: '',
      say: () => ({ summary: rule.summary(facts), values: rule.values(facts) }),
    };
  }
}

function indexOf(rule: string): number {
  return GATEWAY_RULES.findIndex(({ name }) => name === rule);
}
