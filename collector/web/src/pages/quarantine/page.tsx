/** Quarantine: what must not enter the readings, why, and how to release what was right after all. */

import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import type { Address, ChangeAddress } from '../../app/address.ts';
import { isFiltered, oneOf, useAddress } from '../../app/address.ts';
import { useSay } from '../../i18n/say.ts';
import { Filters, SiteFilter } from '../../ui/filters.tsx';
import { OlderButton } from '../../ui/older.tsx';
import { PeriodFields } from '../../ui/period.tsx';
import { Select } from '../../ui/select.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import { ZoneNote } from '../../ui/zone_note.tsx';
import { EntryPanel } from './entry.tsx';
import { EntryList } from './list.tsx';
import { entriesQuery, FILTER_KEYS, RELEASE_STATES, summaryQuery } from './queries.ts';
import { KNOWN_REASONS, reasonText } from './reasons.ts';
import { SummaryTable } from './summary.tsx';
import type { Entry } from './types.ts';
import { QUARANTINE_WORDS } from './words.ts';

const KEYS = ['entry', 'by', ...FILTER_KEYS] as const;
type Key = (typeof KEYS)[number];
const BYS = ['reason', 'device', 'day'] as const;

export default function QuarantinePage(): ReactNode {
  const say = useSay(QUARANTINE_WORDS);
  const [address, change] = useAddress(KEYS);
  const by = oneOf(BYS, address.by);
  const entries = useInfiniteQuery(entriesQuery(address));
  const summary = useQuery(summaryQuery(address, by));
  const [selected, setSelected] = useState<ReadonlyMap<string, Entry>>(new Map());
  const shown = entries.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <>
      <div className="title-row">
        <h1>{say('page_quarantine')}</h1>
        <ZoneNote site={address.site} />
      </div>
      <p className="note">{say('intro')}</p>
      <EntryFilters address={address} change={change} />
      {address.entry === '' ? null : (
        <EntryPanel key={address.entry} id={address.entry} onClose={() => change({ entry: '' })} />
      )}
      <Resource query={summary}>
        {({ items }) => (
          <SummaryTable
            by={by}
            groups={items}
            onBy={(next) => change({ by: next })}
            change={change}
          />
        )}
      </Resource>
      <Resource query={entries}>
        {() =>
          shown.length === 0 ? (
            <Empty text={say(isFiltered(address, FILTER_KEYS) ? 'none_match' : 'none')} />
          ) : (
            <EntryList
              entries={shown}
              selected={selected}
              onSelect={setSelected}
              onOpen={(entry) => change({ entry })}
            />
          )
        }
      </Resource>
      <OlderButton query={entries} />
    </>
  );
}

function EntryFilters(props: { address: Address<Key>; change: ChangeAddress<Key> }): ReactNode {
  const { address, change } = props;
  const say = useSay(QUARANTINE_WORDS);
  const reasons = KNOWN_REASONS.map(
    (reason) => [reason, reasonText({ reason, detail: '' }, say, 'en').name] as const,
  );
  return (
    <Filters keys={FILTER_KEYS} address={address} change={change}>
      <SiteFilter value={address.site} onChange={(site) => change({ site })} />
      <TextFilter
        label={say('device')}
        name="device"
        value={address.device}
        onChange={(device) => change({ device })}
      />
      <TextFilter
        label={say('gateway')}
        name="gateway"
        value={address.gateway}
        onChange={(gateway) => change({ gateway })}
      />
      <Select
        label={say('reason')}
        name="reason"
        value={address.reason}
        options={reasons}
        any={say('any')}
        onChange={(reason) => change({ reason })}
      />
      <Select
        label={say('release_state')}
        name="release"
        value={address.release}
        options={(Object.keys(RELEASE_STATES) as (keyof typeof RELEASE_STATES)[]).map((state) => [
          state,
          say(`state_${state}`),
        ])}
        any={say('any')}
        onChange={(release) => change({ release })}
      />
      <PeriodFields period={address} site={address.site} onChange={change} />
    </Filters>
  );
}

/** A whole name: it is asked for when the field is left or Enter is pressed. */
function TextFilter(props: {
  label: string;
  name: string;
  value: string;
  onChange: (value: string) => void;
}): ReactNode {
  const { label, name, value, onChange } = props;
  const take = (text: string): void => {
    if (text.trim() !== value) onChange(text.trim());
  };
  return (
    <label className="field">
      <span>{label}</span>
      <input
        key={value}
        name={name}
        maxLength={128}
        defaultValue={value}
        onBlur={({ target }) => take(target.value)}
        onKeyDown={({ key, currentTarget }) => {
          if (key === 'Enter') take(currentTarget.value);
        }}
      />
    </label>
  );
}
