/** What stands above a list to narrow it down. What is chosen stands in the address (app/address.ts). */

import type { ReactNode } from 'react';
import type { Address, ChangeAddress } from '../app/address.ts';
import { isFiltered } from '../app/address.ts';
import { useOverview } from '../app/overview.ts';
import { useCommonSay } from '../i18n/say.ts';
import { Select } from './select.tsx';

const SEARCH_CHARS_MAX = 128;

/** The row of them, with a button that clears them while one is chosen. */
export function Filters<Key extends string>(props: {
  /** All that narrow this list down. */
  keys: readonly Key[];
  address: Address<NoInfer<Key>>;
  change: ChangeAddress<NoInfer<Key>>;
  children: ReactNode;
}): ReactNode {
  const { keys, address, change, children } = props;
  const say = useCommonSay();
  const clear = (): void =>
    change(Object.fromEntries(keys.map((key) => [key, ''])) as Record<Key, string>);
  return (
    <search className="filters">
      {children}
      {isFiltered(address, keys) ? (
        <button type="button" className="act" data-action="clear" onClick={clear}>
          {say('clear_filters')}
        </button>
      ) : null}
    </search>
  );
}

/** One of the sites that one may see, or all of them: ''. */
export function SiteFilter(props: { value: string; onChange: (site: string) => void }): ReactNode {
  const say = useCommonSay();
  const sites = useOverview()?.sites ?? [];
  return (
    <Select
      label={say('site')}
      name="site"
      value={props.value}
      options={sites.map(({ site }) => [site, site])}
      any={say('all_sites')}
      onChange={props.onChange}
    />
  );
}

/** Parts of names, for lists that are here as a whole: each letter narrows them down. */
export function SearchFilter(props: { value: string; change: ChangeAddress<'search'> }): ReactNode {
  const { value, change } = props;
  const say = useCommonSay();
  return (
    <label className="field">
      <span>{say('search')}</span>
      <input
        type="search"
        name="search"
        maxLength={SEARCH_CHARS_MAX}
        value={value}
        onChange={({ target }) => change({ search: target.value }, 'instead')}
      />
    </label>
  );
}
