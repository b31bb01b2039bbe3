/** What fires now, severest first; what makes no messages, apart. */

import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useRef, useState } from 'react';
import type { Alert } from '../../api/types.ts';
import type { Address, ChangeAddress } from '../../app/address.ts';
import { activeAlertsQuery } from '../../app/firing.tsx';
import { useLookAgain } from '../../app/look_again.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Name } from '../../ui/mark.tsx';
import { SeverityMark } from '../../ui/severity.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import { AcknowledgeDialog } from './acknowledge.tsx';
import type { RowContext } from './alert_row.tsx';
import { Actions, AlertRow } from './alert_row.tsx';
import type { AlertFilter, AlertGroup } from './alerts.ts';
import {
  groupsOf,
  isQuiet,
  lookOf,
  matches,
  namesOf,
  STANDINGS,
  standingOf,
  subjectOf,
  titleOf,
} from './alerts.ts';
import type { FilterKey } from './filters.tsx';
import { AlertFilters, filterOf } from './filters.tsx';
import look from './page.module.css';
import { currentSilencesQuery } from './silences_tab.tsx';
import { useWhyLines, WhyLines } from './why_quiet.tsx';
import { ALERTS_WORDS } from './words.ts';

/** Lines at first; a button shows more. */
const SHOWN_FIRST = 20;
const SHOWN_STEP = 50;
const QUIET_STANDINGS = ['silenced', 'pending', 'inhibited'] as const;
const NAMES_SHOWN_MAX = 6;

export function NowTab(props: {
  address: Address<FilterKey>;
  change: ChangeAddress<FilterKey>;
}): ReactNode {
  const { address, change } = props;
  const query = useQuery(activeAlertsQuery);
  const silences = useQuery(currentSilencesQuery);
  const lookAgain = useLookAgain();
  const [asked, setAsked] = useState<readonly [Alert, ...Alert[]]>();
  const alerts = query.data?.items ?? [];
  const onDecided = (): void =>
    lookAgain(activeAlertsQuery.queryKey, currentSilencesQuery.queryKey);
  const context: RowContext = {
    alerts,
    silences: silences.data?.items ?? [],
    onDecided,
    onAcknowledgeAll: setAsked,
  };
  const choices = {
    lines: namesOf(alerts, 'line', address.line),
    rules: namesOf(alerts, 'rule', address.rule),
    standings: STANDINGS.filter((standing) => standing !== 'resolved'),
  };
  return (
    <>
      <AlertFilters address={address} change={change} choices={choices} />
      <Resource query={query}>
        {({ items, next }) => (
          <Lists
            alerts={items}
            hasMore={next !== null}
            filter={filterOf(address)}
            context={context}
          />
        )}
      </Resource>
      {asked === undefined ? null : (
        <AcknowledgeDialog alerts={asked} onTaken={onDecided} onClose={() => setAsked(undefined)} />
      )}
    </>
  );
}

function Lists(props: {
  alerts: readonly Alert[];
  hasMore: boolean;
  filter: AlertFilter;
  context: RowContext;
}): ReactNode {
  const { alerts, hasMore, filter, context } = props;
  const say = useSay(ALERTS_WORDS);
  const { language } = usePreferences();
  const shown = alerts.filter((alert) => matches(alert, filter));
  const firing = shown.filter((alert) => !isQuiet(alert));
  const quiet = shown.filter(isQuiet);
  const counts = QUIET_STANDINGS.map((standing) => ({
    standing,
    count: quiet.filter((alert) => standingOf(alert) === standing).length,
  })).filter(({ count }) => count > 0);
  const none = alerts.length === shown.length ? 'alerts_none' : 'alerts_none_match';
  return (
    <>
      {hasMore ? (
        <p className="note">
          {say('alerts_more_than', { count: formatCount(alerts.length, language) })}
        </p>
      ) : null}
      <section aria-label={say('firing')}>
        {firing.length === 0 ? <Empty text={say(none)} /> : null}
        <Groups id="alerts-firing" groups={groupsOf(firing)} context={context} />
      </section>
      {quiet.length === 0 ? null : (
        <details
          id="alerts-quiet"
          className={look.quietPart}
          open={firing.length === 0 && filter.standing !== ''}
        >
          <summary>
            {say('quiet', {
              counts: counts
                .map(({ standing, count }) =>
                  say(`quiet_${standing}`, { count: formatCount(count, language) }),
                )
                .join(', '),
            })}
          </summary>
          <Groups id="alerts-quiet-list" groups={groupsOf(quiet)} context={context} />
        </details>
      )}
    </>
  );
}

function Groups(props: {
  id: string;
  groups: readonly AlertGroup[];
  context: RowContext;
}): ReactNode {
  const { id, groups, context } = props;
  const say = useSay(ALERTS_WORDS);
  const { language } = usePreferences();
  const [shownMax, setShownMax] = useState(SHOWN_FIRST);
  const isCut = groups.length > shownMax;
  const shown = formatCount(Math.min(shownMax, groups.length), language);
  return (
    <>
      {isCut ? (
        <p className="note">
          {say('alerts_shown', { shown, total: formatCount(groups.length, language) })}
        </p>
      ) : null}
      <ul id={id} className={look.rows}>
        {groups
          .slice(0, shownMax)
          .map(({ key, alerts }) =>
            alerts.length === 1 ? (
              <AlertRow key={key} alert={alerts[0]} context={context} />
            ) : (
              <GroupRow key={key} alerts={alerts} context={context} />
            ),
          )}
      </ul>
      {isCut ? (
        <button
          type="button"
          className="act"
          data-action="more"
          onClick={() => setShownMax(shownMax + SHOWN_STEP)}
        >
          {say('more')}
        </button>
      ) : null}
    </>
  );
}

/** Many of one cause in one line, which opens. */
function GroupRow(props: { alerts: AlertGroup['alerts']; context: RowContext }): ReactNode {
  const { alerts, context } = props;
  const [first] = alerts;
  const say = useSay(ALERTS_WORDS);
  const { language } = usePreferences();
  const whyLines = useWhyLines();
  const [isOpen, setOpen] = useState(false);
  const [shownMax, setShownMax] = useState(SHOWN_STEP);
  const row = useRef<HTMLLIElement>(null);
  const names = [...new Set(alerts.map(subjectOf))];
  const count = formatCount(alerts.length, language);
  const isOneRule = alerts.every(({ rule }) => rule === first.rule);
  const standing = standingOf(first);
  return (
    <li
      ref={row}
      tabIndex={-1}
      className={`${look.row} ${look[lookOf(first)]}`}
      data-group={first.rule}
      data-standing={standing}
    >
      <div className={look.badge}>
        <SeverityMark severity={first.severity} look={lookOf(first)} />
      </div>
      <div className={look.what}>
        <p className={look.rowHead}>
          <strong>
            {isOneRule
              ? say('group_rule', { count, title: titleOf(first, language) })
              : say(`quiet_${standing as 'inhibited'}`, { count })}
          </strong>
        </p>
        <p className="note">
          <Name text={first.site} /> ·{' '}
          {say('group_of', { count: formatCount(names.length, language) })}
          {': '}
          <Name text={names.slice(0, NAMES_SHOWN_MAX).join(', ')} />
          {names.length > NAMES_SHOWN_MAX ? ' …' : ''}
        </p>
        {standing === 'inhibited' ? <WhyLines lines={whyLines(first, context)} /> : null}
        <button
          type="button"
          className="act"
          data-action="expand"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          {say(isOpen ? 'group_hide' : 'group_show')}
        </button>
      </div>
      <Actions
        alerts={alerts}
        row={row}
        onDecided={context.onDecided}
        onAcknowledgeAll={context.onAcknowledgeAll}
      />
      {isOpen ? (
        <ul className={look.inner}>
          {alerts.slice(0, shownMax).map((alert) => (
            <AlertRow key={alert.id} alert={alert} context={context} />
          ))}
          {alerts.length > shownMax ? (
            <li>
              <button
                type="button"
                className="act"
                onClick={() => setShownMax(shownMax + SHOWN_STEP)}
              >
                {say('more')}
              </button>{' '}
              {say('group_more', { shown: shownMax, count })}
            </li>
          ) : null}
        </ul>
      ) : null}
    </li>
  );
}
