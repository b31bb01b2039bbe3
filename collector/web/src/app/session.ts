/** Who looks at the pages, and what they may. The collector decides; the pages only leave out what it would refuse. */

import type { Query, UseQueryResult } from '@tanstack/react-query';
import { queryOptions, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { ApiFailure, ask, onRefused, rememberCsrf, send } from '../api/client.ts';
import type { Role, Session } from '../api/types.ts';

const LOOK_AGAIN_MS = 60_000;
const ROLES: readonly Role[] = ['viewer', 'operator', 'admin'];
const KEY = ['session'] as const;

/** All but the session itself. */
const OTHERS = { predicate: ({ queryKey }: Query) => queryKey[0] !== KEY[0] };

export interface KnownSession extends Session {
  /**
   * Somebody was logged in and is not any more, without having logged out. What they looked at stays until they log
   * in again or leave, because it may hold what they typed.
   */
  hasEnded: boolean;
}

/** Null: nobody, a login is needed. */
export const sessionQuery = queryOptions({
  queryKey: KEY,
  queryFn: async ({ signal, client }): Promise<KnownSession | null> => {
    const before = client.getQueryData<KnownSession | null>(KEY);
    const now = await askSession(signal);
    if (before?.user.kind === 'user' && now?.user.kind !== 'user')
      return { ...before, hasEnded: true };
    if (now === null) return null;
    rememberCsrf(now.csrf ?? '');
    return { ...now, hasEnded: false };
  },
  refetchInterval: LOOK_AGAIN_MS,
  staleTime: LOOK_AGAIN_MS,
});

async function askSession(signal: AbortSignal): Promise<Session | null> {
  try {
    return await ask<Session>('session', {}, { signal });
  } catch (error) {
    if (error instanceof ApiFailure && error.status === 401) return null;
    throw error;
  }
}

export function useSessionQuery(): UseQueryResult<KnownSession | null> {
  return useQuery(sessionQuery);
}

/** Looks at once when the collector refused something. Once, in the frame. */
export function useSessionWatch(): void {
  const client = useQueryClient();
  useEffect(
    () =>
      onRefused(() => {
        const known = client.getQueryData<KnownSession | null>(KEY);
        // The question after the session itself may be refused, too.
        if (known?.user.kind !== 'user' || known.hasEnded) return;
        void client.invalidateQueries({ queryKey: KEY }, { cancelRefetch: false });
      }),
    [client],
  );
}

export interface Permissions {
  name: string;
  isLoggedIn: boolean;
  /** Holds the role, or a higher one, at the site. */
  mayAt(role: Role, site: string): boolean;
  /** At every site. */
  mayEverywhere(role: Role): boolean;
  /** At some site. */
  maySomewhere(role: Role): boolean;
}

export function usePermissions(): Permissions {
  const { data: session } = useSessionQuery();
  const grants = session?.user.grants ?? [];
  const holds = (role: Role, isSite: (site: string) => boolean): boolean =>
    grants.some((grant) => isAtLeast(grant.role, role) && isSite(grant.site));
  return {
    name: session?.user.name ?? '',
    isLoggedIn: session?.user.kind === 'user',
    mayAt: (role, site) => holds(role, (granted) => granted === '*' || granted === site),
    mayEverywhere: (role) => holds(role, (granted) => granted === '*'),
    maySomewhere: (role) => holds(role, () => true),
  };
}

function isAtLeast(role: Role, wanted: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(wanted);
}

/**
 * Begins a session; rejects with ApiFailure. Everything is asked anew as this user; where it is the one whose session
 * ended, what is on the page stays.
 */
export function useLogIn(): (asked: { name: string; password: string }) => Promise<void> {
  const client = useQueryClient();
  return async (asked) => {
    const session = await send<Session>('POST', 'session', asked);
    rememberCsrf(session.csrf ?? '');
    const before = client.getQueryData<KnownSession | null>(KEY);
    const goesOn = before?.hasEnded === true && before.user.name === session.user.name;
    const known: KnownSession = { ...session, hasEnded: false };
    client.setQueryData(KEY, known);
    // Nothing else is answered before the password has been changed.
    if (session.must_change_password) return;
    // Not clear(): what is on the page would not hear of the new data any more.
    void (goesOn ? client.invalidateQueries(OTHERS) : client.resetQueries(OTHERS));
  };
}

export function useLogOut(): () => void {
  const client = useQueryClient();
  return () => {
    // Also after a refusal: the session is over then.
    const over = (): Promise<void> => client.resetQueries();
    send('DELETE', 'session').then(over, over);
  };
}

/** Leaves a session that has ended, with all that is on the page. */
export function useLeave(): () => void {
  const client = useQueryClient();
  return () => void client.resetQueries();
}

/** Rejects with ApiFailure. */
export function useChangePassword(): (asked: { current: string; next: string }) => Promise<void> {
  const client = useQueryClient();
  return async (asked) => {
    await send('POST', 'session/password', asked);
    // A new cookie needs the new csrf that comes with it.
    await client.invalidateQueries({ queryKey: KEY });
    await client.resetQueries({ ...OTHERS, type: 'inactive' });
  };
}
