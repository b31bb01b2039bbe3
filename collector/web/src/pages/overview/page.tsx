/** The plant in one look: few big numbers, what needs a person, then every device. */

import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useMemo } from 'react';
import { useAddress } from '../../app/address.ts';
import { useOverview } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Empty, Resource } from '../../ui/states.tsx';
import { ZoneNote } from '../../ui/zone_note.tsx';
import { Figures } from './figures.tsx';
import { Needs } from './needs.tsx';
import look from './page.module.css';
import { statesQuery, wallQuery } from './queries.ts';
import { Search } from './search.tsx';
import { TileWall } from './tile_wall.tsx';
import { groupsOf, matches, VALUES_MAX } from './tiles.ts';
import type { States, Wall } from './types.ts';
import { ValueList } from './value_list.tsx';
import { OVERVIEW_WORDS } from './words.ts';

const KEYS = ['search'] as const;

export function OverviewPage(): ReactNode {
  const say = useSay(OVERVIEW_WORDS);
  const states = useQuery(statesQuery);
  const wall = useQuery(wallQuery);
  return (
    <div className={look.page}>
      <h1 className="unseen">{say('page_overview')}</h1>
      <Figures states={states.data} wall={wall.data} />
      <Resource query={states}>
        {(known) => (
          <>
            <Needs states={known} wall={wall.data} />
            <Devices states={known} wall={wall.data} />
          </>
        )}
      </Resource>
    </div>
  );
}

function Devices({ states, wall }: { states: States; wall: Wall | undefined }): ReactNode {
  const say = useSay(OVERVIEW_WORDS);
  const { language } = usePreferences();
  const [{ search }, change] = useAddress(KEYS);
  const isReady = useOverview()?.ready !== false;
  const { items, total } = states;
  const found = useMemo(() => items.filter((item) => matches(item, search)), [items, search]);
  const groups = useMemo(() => groupsOf(found), [found]);
  const count = (value: number): string => formatCount(value, language);
  const note =
    search.trim() !== ''
      ? say('found', { found: count(found.length), total: count(total) })
      : total > items.length
        ? say('shown_first', { shown: count(items.length), total: count(total) })
        : '';
  return (
    <section aria-labelledby="devices-title">
      <div className="title-row">
        <h2 id="devices-title">{say('devices')}</h2>
        <Search value={search} onChange={(text) => change({ search: text }, 'instead')} />
        <p className="note" role="status">
          {note}
        </p>
        <ZoneNote site="" />
      </div>
      {total === 0 && isReady ? <Empty text={say('no_devices')} /> : null}
      {total > 0 && found.length === 0 ? <Empty text={say('no_match', { search })} /> : null}
      {found.length > 0 && found.length <= VALUES_MAX ? (
        <ValueList search={search} states={found} />
      ) : (
        <TileWall groups={groups} shown={found.length} wall={wall} />
      )}
    </section>
  );
}
