/** Silences and maintenance windows: those that hold, those that are to come, those that were. */

import {
  infiniteQueryOptions,
  queryOptions,
  useInfiniteQuery,
  useQuery,
} from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { ask } from '../../api/client.ts';
import type { Page } from '../../api/types.ts';
import { activeAlertsQuery } from '../../app/firing.tsx';
import { useLookAgain } from '../../app/look_again.ts';
import { useNowMs } from '../../app/overview.ts';
import { usePermissions } from '../../app/session.ts';
import { useSay } from '../../i18n/say.ts';
import { OlderButton } from '../../ui/older.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import look from './page.module.css';
import { SilenceDialog } from './silence_form.tsx';
import { SilenceRow } from './silence_rows.tsx';
import { stateOf } from './silences.ts';
import type { Silence } from './types.ts';
import { ALERTS_WORDS } from './words.ts';

const EVERY_MS = 30_000;
const PAGE = 50;

/** Those that have not ended. */
export const currentSilencesQuery = queryOptions({
  queryKey: ['silences', 'current'],
  queryFn: ({ signal }) => ask<Page<Silence>>('silences', { ended: false }, { signal }),
  refetchInterval: EVERY_MS,
});

const endedSilencesQuery = infiniteQueryOptions({
  queryKey: ['silences', 'ended'],
  queryFn: ({ pageParam, signal }) =>
    ask<Page<Silence>>('silences', { ended: true, limit: PAGE, cursor: pageParam }, { signal }),
  initialPageParam: '',
  getNextPageParam: ({ next }) => next,
});

export function SilencesTab(): ReactNode {
  const say = useSay(ALERTS_WORDS);
  const current = useQuery(currentSilencesQuery);
  const ended = useInfiniteQuery(endedSilencesQuery);
  const nowMs = useNowMs();
  const { maySomewhere } = usePermissions();
  const [isAsking, setAsking] = useState(false);
  const lookAgain = useLookAgain();
  const onDecided = (): void => lookAgain(['silences'], activeAlertsQuery.queryKey);
  return (
    <>
      {maySomewhere('operator') ? (
        <p className={look.newSilence}>
          <button
            type="button"
            className="act main"
            data-action="new-silence"
            onClick={() => setAsking(true)}
          >
            {say('silence_new')}
          </button>
        </p>
      ) : null}
      <Resource query={current}>
        {({ items }) =>
          (['active', 'scheduled'] as const).map((state) => (
            <SilenceList
              key={state}
              state={state}
              silences={items.filter((silence) => stateOf(silence, nowMs) === state)}
              onDecided={onDecided}
            />
          ))
        }
      </Resource>
      <Resource query={ended}>
        {({ pages }) => (
          <SilenceList
            state="ended"
            silences={pages.flatMap(({ items }) => items)}
            onDecided={onDecided}
          />
        )}
      </Resource>
      <OlderButton query={ended} />
      {isAsking ? (
        <SilenceDialog subject={undefined} onDone={onDecided} onClose={() => setAsking(false)} />
      ) : null}
    </>
  );
}

function SilenceList(props: {
  state: Silence['state'];
  silences: readonly Silence[];
  onDecided: () => void;
}): ReactNode {
  const { state, silences, onDecided } = props;
  const say = useSay(ALERTS_WORDS);
  return (
    <section className={look.part}>
      <h2>{say(`silences_${state}`)}</h2>
      {silences.length === 0 ? <Empty text={say(`silences_${state}_none`)} /> : null}
      <ul className={look.rows} data-list={state}>
        {silences.map((silence) => (
          <SilenceRow key={silence.id} silence={silence} onDecided={onDecided} />
        ))}
      </ul>
    </section>
  );
}
