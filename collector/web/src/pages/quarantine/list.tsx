/** Entries, newest first; those that can be released can be selected. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { usePreferences } from '../../app/preferences.tsx';
import { usePermissions } from '../../app/session.ts';
import { formatCount } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Mark, Name } from '../../ui/mark.tsx';
import { useMoments } from '../../ui/moments.ts';
import type { Column } from '../../ui/table.tsx';
import { Table } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import look from './page.module.css';
import { bytesOf } from './payload.ts';
import { reasonText } from './reasons.ts';
import { ReleaseDialog } from './release.tsx';
import type { Entry } from './types.ts';
import { valueText } from './value_text.ts';
import { QUARANTINE_WORDS } from './words.ts';

type Selected = ReadonlyMap<string, Entry>;
const DETAIL_CHARACTERS_MAX = 300;

export function EntryList(props: {
  entries: readonly Entry[];
  selected: Selected;
  onSelect: (selected: Selected) => void;
  onOpen: (id: string) => void;
}): ReactNode {
  const { entries, selected, onSelect, onOpen } = props;
  const say = useSay(QUARANTINE_WORDS);
  const { language } = usePreferences();
  const { mayAt } = usePermissions();
  const { clock } = useMoments();
  const canRelease = ({ releasable, site }: Entry): boolean =>
    releasable && mayAt('operator', site);
  const releasable = entries.filter(canRelease);
  const select = (entry: Entry, isOn: boolean): void => {
    const next = new Map(selected);
    if (isOn) next.set(entry.id, entry);
    else next.delete(entry.id);
    onSelect(next);
  };
  const columns: Column<Entry>[] = [
    ...(releasable.length === 0
      ? []
      : [
          {
            key: 'select',
            head: say('select'),
            cell: (entry: Entry) =>
              canRelease(entry) ? (
                <input
                  type="checkbox"
                  checked={selected.has(entry.id)}
                  aria-label={say('select_entry', {
                    device: entry.device,
                    channel: entry.reading?.channel ?? '',
                    time: clock(entry.received_ms, entry.site),
                  })}
                  onChange={({ target }) => select(entry, target.checked)}
                />
              ) : null,
          },
        ]),
    {
      key: 'received',
      head: say('received'),
      cell: ({ received_ms, site }) => <Time ms={received_ms} site={site} />,
    },
    {
      key: 'reason',
      head: say('reason'),
      cell: (entry) => (
        <>
          {reasonText(entry, say, language).name}
          <small>
            <Name text={entry.detail.slice(0, DETAIL_CHARACTERS_MAX)} />
          </small>
        </>
      ),
    },
    { key: 'what', head: say('what'), cell: (entry) => <What entry={entry} /> },
    {
      key: 'where',
      head: say('where_from'),
      cell: ({ site, gateway, device }) => (
        <>
          {device === '' ? null : <Name text={device} />}
          <small>
            <Name text={site} /> · <Name text={gateway} />
          </small>
        </>
      ),
    },
    {
      key: 'open',
      head: say('open'),
      cell: (entry) => (
        <button
          type="button"
          className="act"
          data-action="open"
          aria-label={say('open_entry', {
            device: entry.device || entry.gateway,
            time: clock(entry.received_ms, entry.site),
          })}
          onClick={() => onOpen(entry.id)}
        >
          {say('open')}
        </button>
      ),
    },
  ];
  return (
    <>
      <Selection releasable={releasable} selected={selected} onSelect={onSelect} />
      <Table
        label={say('page_quarantine')}
        columns={columns}
        rows={entries}
        keyOf={({ id }) => id}
        attributesOf={({ id, reason }) => ({ 'data-entry': id, 'data-reason': reason })}
      />
    </>
  );
}

function What({ entry }: { entry: Entry }): ReactNode {
  const say = useSay(QUARANTINE_WORDS);
  const { language } = usePreferences();
  const { clock } = useMoments();
  const { reading, released_ms, released_by, site, count, head_base64 } = entry;
  const bytes = formatCount(bytesOf(head_base64).length, language);
  return (
    <>
      {reading === null ? (
        count > 1 ? (
          say('readings_count', { count: formatCount(count, language) })
        ) : (
          say('payload_of', { bytes })
        )
      ) : (
        <Name
          text={say('reading_of', {
            channel: reading.channel,
            value: valueText(reading.value, language) ?? say('no_value'),
          })}
        />
      )}
      {released_ms === null ? null : (
        <small>
          <Mark level="note">
            <Name
              text={say('released_by', {
                by: released_by || '–',
                time: clock(released_ms, site),
              })}
            />
          </Mark>
        </small>
      )}
    </>
  );
}

function Selection(props: {
  releasable: readonly Entry[];
  selected: Selected;
  onSelect: (selected: Selected) => void;
}): ReactNode {
  const { releasable, selected, onSelect } = props;
  const say = useSay(QUARANTINE_WORDS);
  const { language } = usePreferences();
  const [asked, setAsked] = useState<readonly Entry[]>();
  if (releasable.length === 0 && selected.size === 0 && asked === undefined) return null;
  const count = (n: number): string => formatCount(n, language);
  return (
    <div className={look.selection}>
      <button
        type="button"
        className="act"
        data-action="select-all"
        onClick={() =>
          onSelect(new Map([...selected, ...releasable.map((one) => [one.id, one] as const)]))
        }
      >
        {say('select_all', { count: count(releasable.length) })}
      </button>
      {selected.size === 0 ? null : (
        <>
          <span>{say('selected', { count: count(selected.size) })}</span>
          <button type="button" className="act" onClick={() => onSelect(new Map())}>
            {say('unselect')}
          </button>
          <button
            type="button"
            className="act main"
            data-action="release-selected"
            onClick={() => setAsked([...selected.values()])}
          >
            {say('release_selected', { count: count(selected.size) })}
          </button>
        </>
      )}
      {asked === undefined ? null : (
        <ReleaseDialog
          entries={asked}
          onClose={(done) => {
            setAsked(undefined);
            const left = new Map(selected);
            for (const id of done) left.delete(id);
            onSelect(left);
          }}
        />
      )}
    </div>
  );
}
