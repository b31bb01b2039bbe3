/** What people decide takes effect a moment after it was taken: what the page knows is asked again until it shows. */

import type { QueryKey } from '@tanstack/react-query';
import { useQueryClient } from '@tanstack/react-query';

/** What was changed shows in the stream or, at the latest, when it is read again. */
const LOOK_AGAIN_MS = [700, 3_000, 10_000];
/** What was sent and does not show for this long got lost. */
export const GIVE_UP_MS = 12_000;

/** Looks that are to come: many decisions in a row are looked after together. */
const coming = new Set<string>();

export function useLookAgain(): (...keys: QueryKey[]) => void {
  const client = useQueryClient();
  return (...keys) => {
    for (const queryKey of keys)
      for (const afterMs of LOOK_AGAIN_MS) {
        const look = JSON.stringify([queryKey, afterMs]);
        if (coming.has(look)) continue;
        coming.add(look);
        setTimeout(() => {
          coming.delete(look);
          void client.invalidateQueries({ queryKey });
        }, afterMs);
      }
  };
}
