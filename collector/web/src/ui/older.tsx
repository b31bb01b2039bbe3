/** The way to more of a list whose newest entries come first. */

import type { ReactNode } from 'react';
import { useCommonSay } from '../i18n/say.ts';

/** Nothing where there is no more. */
export function OlderButton({
  query,
}: {
  query: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };
}): ReactNode {
  const say = useCommonSay();
  if (!query.hasNextPage) return null;
  return (
    <button
      type="button"
      className="act"
      data-action="older"
      disabled={query.isFetchingNextPage}
      onClick={() => void query.fetchNextPage()}
    >
      {say('older')}
    </button>
  );
}
