/** Answers that go on for long end when the caller may no more what it could at their beginning. */

import type { FastifyRequest } from 'fastify';
import type { Principal } from '../access/principal.ts';
import { sitesOf } from '../access/principal.ts';
import type { ApiContext } from './context.ts';
import { identify } from './identity.ts';

const LOOK_MS = 5_000;

/**
 * Looks now and then; calls `onEnd` once when login or token are over, the password is to be changed, or other sites
 * may be seen. Answers what ends the looking.
 */
export function whileAllowed(
  request: FastifyRequest,
  context: Pick<ApiContext, 'access' | 'peers'>,
  onEnd: () => void,
  lookMs = LOOK_MS,
): () => void {
  const before = whoAsks(request, context);
  const timer = setInterval(() => {
    if (whoAsks(request, context) === before) return;
    clearInterval(timer);
    onEnd();
  }, lookMs).unref();
  return () => clearInterval(timer);
}

/** What an answer goes by. */
function whoAsks(
  request: FastifyRequest,
  context: Pick<ApiContext, 'access' | 'peers'>,
): string | undefined {
  try {
    const { principal, login } = identify(request, context);
    return JSON.stringify([
      principal.kind,
      principal.name,
      visible(principal),
      login?.session.user.mustChange,
    ]);
  } catch {
    return undefined;
  }
}

function visible(principal: Principal): string[] | null {
  const sites = sitesOf(principal, 'viewer');
  return sites === undefined ? null : [...sites].sort();
}
