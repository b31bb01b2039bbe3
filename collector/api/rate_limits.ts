/** How often one caller may ask: people by a wide margin, what is dear or guesses by less. */

import fastifyRateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { TooMany } from './api_error.ts';

/** Requests a minute, of one caller: a user, a token, or an address without login. */
export const RATE_LIMITS = {
  /** 100 a second. */
  general: 6_000,
  /** By address, right or wrong; wrong ones wait as well: see access/throttle.ts. */
  logins: 30,
  /** Files that are made of the tables. */
  exports: 30,
  queries: 240,
} as const;
export type RateLimitName = keyof typeof RATE_LIMITS;
export type RateLimits = Readonly<Record<RateLimitName, number>>;

const WINDOW_MS = 60_000;
/** Callers that are counted at once; at the bound the one that asked longest ago is forgotten. */
const CALLERS_MAX = 5_000;

export type Limiter = (request: FastifyRequest, name: RateLimitName) => Promise<void>;

/** The answer rejects with TooMany. Programs on this machine and other processes of the log are not counted. */
export async function rateLimiter(
  app: FastifyInstance,
  limits: RateLimits = RATE_LIMITS,
): Promise<Limiter> {
  await app.register(fastifyRateLimit, {
    global: false,
    cache: CALLERS_MAX,
    timeWindow: WINDOW_MS,
  });
  const byName = new Map(
    Object.entries(limits).map(([name, max]) => [
      name,
      app.createRateLimit({
        max,
        timeWindow: WINDOW_MS,
        ...(name === 'logins' ? {} : { keyGenerator: keyOf }),
      }),
    ]),
  );
  return async (request, name) => {
    const { kind } = request.principal;
    if (name !== 'logins' && (kind === 'local' || kind === 'member')) return;
    const counted = await byName.get(name)?.(request);
    if (counted === undefined || counted.isAllowed || !counted.isExceeded) return;
    throw new TooMany(
      `more than ${limits[name]} requests a minute (${name})`,
      counted.ttlInSeconds,
    );
  };
}

function keyOf(request: FastifyRequest): string {
  const { kind, name } = request.principal;
  return kind === 'anonymous' ? `address ${request.ip}` : `${kind} ${name}`;
}
