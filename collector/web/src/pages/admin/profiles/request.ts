/** What this part asks of the API. */

import type { UseQueryResult } from '@tanstack/react-query';
import { queryOptions, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { ask, send } from '../../../api/client.ts';
import type { Applied, Checked, ProfileFiles, Profiles, Version } from './types.ts';

const EVERY_MS = 15_000;
/** After the last letter; each check reads all files. */
const PAUSE_MS = 500;

export const PROFILES_KEY = ['admin', 'profiles'] as const;

export const filesQuery = queryOptions({
  queryKey: [...PROFILES_KEY, 'files'],
  queryFn: ({ signal }) => ask<ProfileFiles>('profiles/files', {}, { signal }),
  refetchInterval: EVERY_MS,
});

export const profilesQuery = queryOptions({
  queryKey: [...PROFILES_KEY, 'holding'],
  queryFn: ({ signal }) => ask<Profiles>('profiles', {}, { signal }),
  refetchInterval: EVERY_MS,
});

/** The files as they are: their mistakes, and how many devices have which profile. */
export const standingQuery = queryOptions({
  queryKey: [...PROFILES_KEY, 'standing'],
  queryFn: ({ signal }) => check([], signal),
  staleTime: EVERY_MS,
});

export function versionsQuery(name: string) {
  return queryOptions({
    queryKey: [...PROFILES_KEY, 'versions', name],
    queryFn: ({ signal }) =>
      ask<{ items: Version[] }>(
        `profiles/files/${encodeURIComponent(name)}/versions`,
        {},
        { signal },
      ),
  });
}

export async function versionText(name: string, id: string): Promise<string> {
  const path = `profiles/files/${encodeURIComponent(name)}/versions/${id}`;
  return (await ask<{ text: string }>(path)).text;
}

function check(
  files: readonly { name: string; text: string | null }[],
  signal: AbortSignal,
): Promise<Checked> {
  return send<Checked>('POST', 'profiles/check', { files }, { signal, timeoutMs: 40_000 });
}

export interface CheckState {
  query: UseQueryResult<Checked>;
  /** The answer is of the text as it is now. */
  isCurrent: boolean;
}

/** Checks a changed text once nobody has typed for a moment. `text` null: as if the file was gone. */
export function useCheck(
  name: string,
  text: string | null,
  revision: number | undefined,
): CheckState {
  const [settled, setSettled] = useState<number>();
  useEffect(() => {
    if (revision === undefined) return undefined;
    const timer = setTimeout(() => setSettled(revision), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [revision]);
  const isCurrent = revision !== undefined && settled === revision;
  const query = useQuery({
    queryKey: [...PROFILES_KEY, 'check', name, settled ?? null],
    queryFn: ({ signal }) => check([{ name, text }], signal),
    enabled: isCurrent,
    // Of what stands there now nothing changes unless somebody changes other files.
    staleTime: EVERY_MS,
    placeholderData: (before) => before,
  });
  return { query, isCurrent: isCurrent && !query.isPlaceholderData };
}

export function put(name: string, text: string, etag: string | null): Promise<Applied> {
  return send<Applied>(
    'PUT',
    `profiles/files/${encodeURIComponent(name)}`,
    { text, etag },
    {
      timeoutMs: 60_000,
    },
  );
}

export function remove(name: string, etag: string): Promise<Applied> {
  return send<Applied>(
    'DELETE',
    `profiles/files/${encodeURIComponent(name)}?etag=${etag}`,
    undefined,
    {
      timeoutMs: 60_000,
    },
  );
}
