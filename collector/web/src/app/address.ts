/** What a person would share or come back to stands in the query string of the address. */

import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'wouter';

export type Address<Key extends string> = Readonly<Record<Key, string>>;
export type ChangeAddress<Key extends string> = (
  changes: Partial<Record<Key, string>>,
  /** instead: what is typed letter by letter leaves no trail for the back button. */
  how?: 'instead',
) => void;

/** Values of these keys ('' where absent), and a function that changes some of them. `keys`: a constant. */
export function useAddress<Key extends string>(
  keys: readonly Key[],
): [Address<Key>, ChangeAddress<Key>] {
  const [search, setSearch] = useSearchParams();
  const address = useMemo(
    () =>
      Object.fromEntries(keys.map((key) => [key, search.get(key) ?? ''])) as Record<Key, string>,
    [keys, search],
  );
  const change = useCallback<ChangeAddress<Key>>(
    (changes, how) =>
      setSearch(
        (before) => {
          const after = new URLSearchParams(before);
          for (const [key, value] of Object.entries<string | undefined>(changes))
            if (value === undefined || value === '') after.delete(key);
            else after.set(key, value);
          return after;
        },
        { replace: how === 'instead' },
      ),
    [setSearch],
  );
  return [address, change];
}

/** Whether one of them is in the address. */
export function isFiltered<Key extends string>(
  address: Address<NoInfer<Key>>,
  keys: readonly Key[],
): boolean {
  return keys.some((key) => address[key] !== '');
}

/** `value` when it is one of these, else the first one: addresses may say anything. */
export function oneOf<T extends string>(values: readonly [T, ...T[]], value: string): T {
  return values.find((known) => known === value) ?? values[0];
}

/** Of the page of a device. */
export function devicePath({ site, device }: { site: string; device: string }): string {
  return `/device/${encodeURIComponent(site)}/${encodeURIComponent(device)}`;
}

/** Of the page of a gateway. */
export function gatewayPath({ site, gateway }: { site: string; gateway: string }): string {
  return `/gateways/${encodeURIComponent(site)}/${encodeURIComponent(gateway)}`;
}

/**
 * The parts of a path, decoded: names may hold anything, slashes and percent signs too. The router decodes paths only
 * halfway.
 */
export function pathNames(pathname: string): string[] {
  return pathname.split('/').slice(1).map(decoded);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // Typed by hand.
    return part;
  }
}
