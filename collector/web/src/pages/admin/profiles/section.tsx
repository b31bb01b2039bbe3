/** Device profiles and rules: which hold, for how many devices, and the files that they are made of. */

import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { devicePath, useAddress } from '../../../app/address.ts';
import { useOverview } from '../../../app/overview.ts';
import { usePreferences } from '../../../app/preferences.tsx';
import { formatCount, formatDuration } from '../../../i18n/format.ts';
import { useSay } from '../../../i18n/say.ts';
import { Mark, Name } from '../../../ui/mark.tsx';
import { Empty, Resource } from '../../../ui/states.tsx';
import { Table } from '../../../ui/table.tsx';
import { Time } from '../../../ui/time.tsx';
import type { Draft } from './drafts.ts';
import { useDrafts } from './drafts.ts';
import { Editor } from './editor.tsx';
import { warnBeforeLeaving } from './leaving.ts';
import { NewFileDialog } from './new_file.tsx';
import look from './profiles.module.css';
import { filesQuery, profilesQuery, standingQuery } from './request.ts';
import type { Applied, Effect, ProfileFiles, Profiles } from './types.ts';
import { PROFILES_WORDS } from './words.ts';

const ADDRESS_KEYS = ['file'] as const;

export function ProfilesSection(): ReactNode {
  const say = useSay(PROFILES_WORDS);
  const holding = useQuery(profilesQuery);
  const files = useQuery(filesQuery);
  useEffect(warnBeforeLeaving, []);
  return (
    <section aria-label={say('section_profiles')} className={look.section}>
      <Resource query={holding}>{(profiles) => <Holding profiles={profiles} />}</Resource>
      <Resource query={files}>{(all) => <Files files={all} />}</Resource>
    </section>
  );
}

function Holding({ profiles }: { profiles: Profiles }): ReactNode {
  const say = useSay(PROFILES_WORDS);
  const { language } = usePreferences();
  const site = useOverview()?.sites[0]?.site ?? '';
  const standing = useQuery(standingQuery);
  const devices = new Map(
    standing.data?.effect?.devices.profiles.map((counted) => [counted.profile, counted]),
  );
  const without = devices.get('');
  return (
    <div>
      <h2>{say('holding')}</h2>
      <p className="note">
        {say('version')} <code title={profiles.version}>{profiles.version.slice(0, 12)}</code> ·{' '}
        {say('read_at')} <Time ms={profiles.since_ms} site={site} />
        {profiles.pending ? ` · ${say('pending')}` : ''}
      </p>
      {profiles.mistakes.length === 0 ? null : (
        <div className={look.problem} role="alert">
          <p>
            <Mark level="warn">{say('files_have_mistakes')}</Mark>
          </p>
          <ul>
            {profiles.mistakes.slice(0, 20).map((mistake) => (
              <li key={mistake}>
                <Name text={mistake} />
              </li>
            ))}
          </ul>
        </div>
      )}
      <Table
        isCards
        label={say('holding')}
        rows={profiles.profiles}
        keyOf={({ name }) => name}
        attributesOf={({ name }) => ({ 'data-profile': name })}
        columns={[
          {
            key: 'name',
            head: say('profile'),
            cell: ({ name, title }) => (
              <>
                <Name text={name} />
                {title[language] === name ? null : (
                  <small>
                    <Name text={title[language]} />
                  </small>
                )}
              </>
            ),
          },
          {
            key: 'devices',
            head: say('devices'),
            isNumber: true,
            cell: ({ name }) =>
              standing.data?.effect ? <DevicesWith counted={devices.get(name)} /> : '–',
          },
          {
            key: 'channels',
            head: say('channels'),
            isNumber: true,
            cell: ({ channels }) => channels.length,
          },
          { key: 'rules', head: say('rules'), isNumber: true, cell: ({ rules }) => rules.length },
          {
            key: 'interval',
            head: say('interval'),
            isNumber: true,
            cell: ({ interval_ms }) =>
              interval_ms === null ? '–' : formatDuration(interval_ms, say),
          },
        ]}
      />
      {without === undefined || without.before === 0 ? null : (
        <div className="note">
          {say('without_profile')} <DevicesWith counted={without} />
        </div>
      )}
    </div>
  );
}

/** How many, and on demand which. */
function DevicesWith(props: {
  counted: Effect['devices']['profiles'][number] | undefined;
}): ReactNode {
  const say = useSay(PROFILES_WORDS);
  const { language } = usePreferences();
  const { before: count = 0, named = [] } = props.counted ?? {};
  if (count === 0) return formatCount(0, language);
  return (
    <details>
      <summary>{formatCount(count, language)}</summary>
      <ul className={look.devices}>
        {named.map(({ site, device }) => (
          <li key={JSON.stringify([site, device])}>
            <Link href={devicePath({ site, device })}>
              <Name text={device} />
            </Link>
          </li>
        ))}
        {count > named.length ? <li>{say('left_out', { n: count - named.length })}</li> : null}
      </ul>
    </details>
  );
}

function Files({ files }: { files: ProfileFiles }): ReactNode {
  const say = useSay(PROFILES_WORDS);
  const [{ file }, change] = useAddress(ADDRESS_KEYS);
  const drafts = useDrafts();
  const [isNew, setNew] = useState(false);
  const [applied, setApplied] = useState<Applied>();
  const names = namesOf(files, drafts);
  const chosen = names.includes(file) || files.removed.includes(file) ? file : (names[0] ?? '');
  const choose = (name: string): void => change({ file: name });
  return (
    <div>
      <div className="title-row">
        <h2>{say('files')}</h2>
        {files.changeable ? (
          <button type="button" className="act" data-action="new" onClick={() => setNew(true)}>
            {say('file_new')}
          </button>
        ) : null}
      </div>
      {files.changeable ? null : <p className={look.hint}>{say('built_in')}</p>}
      <div className={look.files}>
        <nav aria-label={say('files')}>
          <ul className={look.list}>
            {names.map((name) => (
              <li key={name}>
                <button
                  type="button"
                  aria-current={name === chosen}
                  data-file={name}
                  onClick={() => choose(name)}
                >
                  <Name text={name} />
                  {drafts.has(name) ? <small>{say('not_applied')}</small> : null}
                </button>
              </li>
            ))}
            {files.removed.map((name) => (
              <li key={name}>
                <button
                  type="button"
                  className={look.gone}
                  aria-current={name === chosen}
                  data-file={name}
                  onClick={() => choose(name)}
                >
                  <Name text={name} />
                  <small>{say('removed')}</small>
                </button>
              </li>
            ))}
          </ul>
        </nav>
        {chosen === '' ? (
          <Empty text={say('files_none')} />
        ) : (
          <Editor
            key={chosen}
            name={chosen}
            files={files}
            draft={drafts.get(chosen)}
            applied={applied?.name === chosen ? applied : undefined}
            onApplied={setApplied}
          />
        )}
      </div>
      {isNew ? (
        <NewFileDialog
          taken={names}
          onMade={(name) => {
            setNew(false);
            choose(name);
          }}
          onClose={() => setNew(false)}
        />
      ) : null}
    </div>
  );
}

/** Files that are there, and new ones that nobody has applied yet. */
function namesOf(files: ProfileFiles, drafts: ReadonlyMap<string, Draft>): string[] {
  const there = files.items.map(({ name }) => name);
  return [...new Set([...there, ...drafts.keys()])].toSorted();
}
