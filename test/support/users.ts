/** Users, sessions and tokens for tests of the API: a log's topic `control` in memory, and cookies. */

import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import type { AccessPolicy } from '../../collector/access/access.ts';
import { Access } from '../../collector/access/access.ts';
import { ControlView } from '../../collector/control.ts';
import type { Control } from '../../collector/log/log.ts';
import { QUICK } from './api-context.ts';
import { silentLogger } from './silent-logger.ts';

/** Topic `control` of a log, for any number of processes. */
export class MemoryControl implements Control {
  readonly #entries = new Map<string, Uint8Array>();
  readonly #listeners = new Set<(key: string, value: Uint8Array | undefined) => void>();
  /** How many were written, by the part of the key before the first slash. */
  readonly puts = new Map<string, number>();
  /** Told later, in order: as a log on other machines does. */
  delayed: (() => void)[] | undefined;

  async put(key: string, value: Uint8Array | null): Promise<void> {
    const kind = key.split('/')[0] ?? '';
    this.puts.set(kind, (this.puts.get(kind) ?? 0) + 1);
    if (value === null) this.#entries.delete(key);
    else this.#entries.set(key, value);
    const tell = (): void => {
      for (const listener of this.#listeners) listener(key, value ?? undefined);
    };
    if (this.delayed === undefined) tell();
    else this.delayed.push(tell);
  }

  async follow(
    onEntry: (key: string, value: Uint8Array | undefined) => void,
    signal: AbortSignal,
  ): Promise<void> {
    for (const [key, value] of this.#entries) onEntry(key, value);
    this.#listeners.add(onEntry);
    signal.addEventListener('abort', () => this.#listeners.delete(onEntry), { once: true });
  }

  /** Tells what was held back, to everybody. */
  deliver(): void {
    const held = this.delayed ?? [];
    this.delayed = undefined;
    for (const tell of held) tell();
  }
}

export interface Clocked {
  nowMs: number;
}

/** Access of one process on the control topic, open. */
export async function openAccess(
  control: Control,
  clock: Clocked,
  policy: Partial<AccessPolicy> = {},
): Promise<Access> {
  const session = { idleMs: 3_600_000, longestMs: 36_000_000 };
  const access = new Access({
    policy: { thisMachine: 'none', anonymous: 'none', metrics: 'public', session, ...policy },
    clock: { wallMs: () => clock.nowMs },
    passwordCost: QUICK,
  });
  access.open(await viewOf(control));
  return access;
}

export async function viewOf(control: Control): Promise<ControlView> {
  const view = new ControlView(control);
  await view.start(new AbortController().signal, silentLogger);
  return view;
}

/** What a browser keeps of a login. */
export interface Login {
  headers: { cookie: string; 'x-csrf-token': string };
  answer: LightMyRequestResponse;
}

export async function logIn(app: FastifyInstance, name: string, password: string): Promise<Login> {
  const answer = await app.inject({
    method: 'POST',
    url: '/api/v1/session',
    headers: { host: 'localhost' },
    payload: { name, password },
  });
  if (answer.statusCode !== 201) throw new Error(`${answer.statusCode} ${answer.body}`);
  return { headers: { ...cookieOf(answer), 'x-csrf-token': String(answer.json().csrf) }, answer };
}

export function cookieOf(answer: LightMyRequestResponse): { cookie: string } {
  const { name, value } = answer.cookies[0] ?? { name: '', value: '' };
  return { cookie: `${name}=${value}` };
}
