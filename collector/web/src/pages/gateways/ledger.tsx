/** The ledger of a gateway: the balance in words, then epoch by epoch. */

import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { ask } from '../../api/client.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Mark } from '../../ui/mark.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import type { Column } from '../../ui/table.tsx';
import { Table } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { useLostText } from './cells.tsx';
import look from './page.module.css';
import type { Ledger, LedgerLine } from './types.ts';
import { GATEWAYS_WORDS } from './words.ts';

const EVERY_MS = 5_000;
const LIMIT = 1_000;
/** 4,096 epochs are kept of a gateway. */
const PAGES_MAX = 5;
const SHOWN_STEP = 20;

export function LedgerPart({ site, gateway }: { site: string; gateway: string }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const query = useQuery({
    queryKey: ['ledger', site, gateway],
    queryFn: ({ signal }) => wholeLedger(site, gateway, signal),
    refetchInterval: EVERY_MS,
  });
  return (
    <section className={look.part} id="ledger">
      <h2>{say('ledger_title')}</h2>
      <Resource query={query}>
        {(ledger) =>
          ledger.items.length === 0 ? (
            <Empty text={say('ledger_none')} />
          ) : (
            <>
              <BalanceText ledger={ledger} />
              <Epochs lines={ledger.items} />
            </>
          )
        }
      </Resource>
    </section>
  );
}

/** Newest epoch first. */
async function wholeLedger(site: string, gateway: string, signal: AbortSignal): Promise<Ledger> {
  const askPage = (cursor: string): Promise<Ledger> =>
    ask<Ledger>('ledger', { site, gateway, limit: LIMIT, cursor }, { signal });
  const ledger = await askPage('');
  const items = [...ledger.items];
  let { next } = ledger;
  for (let page = 1; next !== null && page < PAGES_MAX; page++) {
    const more = await askPage(next);
    items.push(...more.items);
    next = more.next;
  }
  return { ...ledger, items: items.reverse(), complete: ledger.complete && next === null };
}

function BalanceText({ ledger: { totals, complete } }: { ledger: Ledger }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const { language } = usePreferences();
  const lostText = useLostText();
  const count = (n: number): string => formatCount(n, language);
  const isRight = totals.balance === 0;
  return (
    <div className={look.balance} data-balance={totals.balance}>
      <p className={look.big}>
        {isRight ? (
          say('balance_right')
        ) : (
          <Mark level="bad">{say('balance_wrong', { count: count(totals.balance) })}</Mark>
        )}
      </p>
      <p>
        {say('balance_right_more', {
          sent: count(totals.sent),
          stored: count(totals.stored),
          quarantined: count(totals.quarantined),
          gaps: count(totals.gap_readings),
          flight: count(totals.in_flight),
        })}
        {totals.duplicates > 0
          ? ` ${say('duplicates_said', { count: count(totals.duplicates) })}`
          : ''}
      </p>
      {isRight ? null : <p>{say('balance_wrong_more')}</p>}
      {totals.gap_readings > 0 ? (
        <p>
          <Mark level="warn">
            {say('lost', { count: count(totals.gap_readings), reasons: lostText(totals.gaps) })}
          </Mark>
        </p>
      ) : null}
      {totals.sums_off > 0 ? (
        <p>
          <Mark level="bad">{say('sums_wrong', { count: count(totals.sums_off) })}</Mark>
        </p>
      ) : null}
      {complete ? null : <p className="note">{say('ledger_incomplete')}</p>}
    </div>
  );
}

function Epochs({ lines }: { lines: readonly LedgerLine[] }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const { language } = usePreferences();
  const lostText = useLostText();
  const [shownMax, setShownMax] = useState(SHOWN_STEP);
  const count = (n: number): string => formatCount(n, language);
  const numbers = (['sent', 'stored', 'quarantined', 'duplicates', 'in_flight'] as const).map(
    (key): Column<LedgerLine> => ({
      key,
      head: say(key === 'quarantined' ? 'in_quarantine' : key),
      isNumber: true,
      cell: (line) => count(line[key]),
    }),
  );
  const columns: Column<LedgerLine>[] = [
    {
      key: 'epoch',
      head: say('epoch'),
      cell: ({ epoch }) => <code>{epoch}</code>,
    },
    {
      key: 'opened',
      head: say('opened'),
      cell: ({ opened_ms, site }) => <Time ms={opened_ms} site={site} />,
    },
    ...numbers,
    {
      key: 'gaps',
      head: say('gaps'),
      isNumber: true,
      cell: ({ gap_readings, gaps, closed }) => (
        <>
          {count(gap_readings)}
          {gap_readings > 0 ? <small>{lostText(gaps)}</small> : null}
          {closed > 0 ? <small>{say('closed_said', { count: count(closed) })}</small> : null}
        </>
      ),
    },
    {
      key: 'balance',
      head: say('balance'),
      cell: ({ balance, sum_balance }) =>
        balance !== 0 ? (
          <Mark level="bad">{say('balance_off', { count: count(Math.abs(balance)) })}</Mark>
        ) : sum_balance !== '0' ? (
          <Mark level="bad">{say('sum_off')}</Mark>
        ) : (
          say('balance_ok')
        ),
    },
  ];
  return (
    <>
      <h3>{say('by_epoch')}</h3>
      <Table
        label={say('by_epoch')}
        columns={columns}
        rows={lines.slice(0, shownMax)}
        keyOf={({ epoch }) => epoch}
        attributesOf={({ epoch }) => ({ 'data-epoch': epoch })}
      />
      {lines.length > shownMax ? (
        <button type="button" className="act" onClick={() => setShownMax(shownMax + SHOWN_STEP)}>
          {say('more')}
        </button>
      ) : null}
    </>
  );
}
