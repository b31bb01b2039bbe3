/** Who looks at the pages, and what they may. The collector decides; the pages only leave out what it would refuse. */

import type { UseQueryResult } from '@tanstack/react-query';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { ApiFailure, ask, rememberCsrf, send } from '../api/client.ts';
import type { Role, Session } from '../api/types.ts';

const LOOK_AGAIN_MS = 60_000;
const ROLES: readonly Role[] = ['viewer', 'operator', 'admin'];

/** Null: nobody, a login is needed. */
const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      const session = await ask<Session>('session', {}, { signal });
      rememberCsrf(session.csrf);
      return session;
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 401) return null;
      throw error;
    }
  },
  refetchInterval: LOOK_AGAIN_MS,
  staleTime: LOOK_AGAIN_MS,
});

export function useSessionQuery(): UseQueryResult<Session | null> {
  return useQuery(sessionQuery);
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

/** Begins a session: everything is asked anew as this user. */
export function useLogIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (asked: { name: string; password: string }) =>
      send<Session>('POST', 'session', asked),
    onSuccess: (session) => {
      rememberCsrf(session.csrf);
      client.clear();
      client.setQueryData(sessionQuery.queryKey, session);
    },
  });
}

export function useLogOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => send('DELETE', 'session'),
    // Also after a refusal: the session is over then.
    onSettled: () => client.resetQueries(),
  });
}

export function useChangePassword() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (asked: { current: string; next: string }) =>
      send('POST', 'session/password', asked),
    onSuccess: () => client.invalidateQueries({ queryKey: sessionQuery.queryKey }),
  });
}
