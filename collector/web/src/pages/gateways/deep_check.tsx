/** The deep check of a gateway's ledger, with its progress and what it found. */

import type { ReactNode } from 'react';
import { failureText } from '../../app/failure_text.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Mark, Name } from '../../ui/mark.tsx';
import type { Column } from '../../ui/table.tsx';
import { Table } from '../../ui/table.tsx';
import look from './page.module.css';
import type { DeepProblem, DeepResult } from './types.ts';
import type { DeepCheck } from './use_deep_check.ts';
import { useDeepCheck } from './use_deep_check.ts';
import { GATEWAYS_WORDS } from './words.ts';

export function DeepCheckPart({ site, gateway }: { site: string; gateway: string }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const { check, start, cancel } = useDeepCheck(site, gateway);
  const isRunning = check.stage === 'runs';
  return (
    <section className={look.part} id="deep-check">
      <h2>{say('deep')}</h2>
      <p className="note">{say('deep_intro')}</p>
      {isRunning ? <Progress check={check} /> : null}
      <div className={look.found} role="status">
        <Outcome check={check} />
      </div>
      {check.problems.length === 0 ? null : <Problems check={check} />}
      <div className="actions">
        {isRunning ? (
          <button type="button" className="act" data-action="cancel-deep" onClick={cancel}>
            {say('cancel')}
          </button>
        ) : (
          <button type="button" className="act" data-action="deep" onClick={() => void start()}>
            {say(check.stage === 'none' ? 'deep_start' : 'deep_again')}
          </button>
        )}
      </div>
    </section>
  );
}

function Progress({ check: { progress } }: { check: DeepCheck }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const { language } = usePreferences();
  if (progress === undefined) return <p>{say('deep_begins')}</p>;
  const { step, done, total } = progress;
  const text = say(`deep_${step}`, {
    done: formatCount(done, language),
    total: formatCount(total, language),
  });
  return (
    <p>
      {text}
      <progress max={Math.max(total, 1)} value={total === 0 ? 1 : done} aria-label={text} />
    </p>
  );
}

function Outcome({ check }: { check: DeepCheck }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  if (check.stage === 'cancelled') return <p>{say('deep_cancelled')}</p>;
  if (check.stage === 'failed') {
    const message = check.error === undefined ? say('deep_broken') : failureText(check.error, say);
    return (
      <p>
        <Mark level="warn">{say('deep_failed', { message })}</Mark>
      </p>
    );
  }
  return check.result === undefined ? null : <Result result={check.result} />;
}

function Result({ result }: { result: DeepResult }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const { language } = usePreferences();
  const count = (n: number): string => formatCount(n, language);
  const { ok, epochs, readings, quarantined, problems } = result;
  const more = (['expired', 'closed', 'counts_only'] as const).filter((key) => result[key] > 0);
  return (
    <>
      <p>
        {ok ? (
          say('deep_ok', {
            readings: count(readings + quarantined),
            epochs: count(epochs),
            quarantined: count(quarantined),
          })
        ) : (
          <Mark level="bad">{say('deep_wrong', { count: count(problems) })}</Mark>
        )}
      </p>
      {more.map((key) => (
        <p key={key} className="note">
          {say(`deep_${key}`, { count: count(result[key]) })}
        </p>
      ))}
    </>
  );
}

function Problems({ check: { problems, result } }: { check: DeepCheck }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const { language } = usePreferences();
  const columns: Column<DeepProblem>[] = [
    { key: 'kind', head: say('problem'), cell: ({ kind }) => say(`problem_${kind}`) },
    { key: 'epoch', head: say('epoch'), cell: ({ epoch }) => <code>{epoch}</code> },
    {
      key: 'numbers',
      head: say('numbers'),
      isNumber: true,
      cell: ({ from, to }) => (from === to ? String(from) : `${from} – ${to}`),
    },
    {
      key: 'readings',
      head: say('readings'),
      isNumber: true,
      cell: ({ readings }) => formatCount(readings, language),
    },
    { key: 'detail', head: '', cell: ({ detail }) => <Name text={detail} /> },
  ];
  return (
    <>
      <Table
        label={say('deep_problems')}
        columns={columns}
        rows={problems}
        keyOf={({ epoch, kind, from, to }) => JSON.stringify([epoch, kind, from, to])}
      />
      {result !== undefined && result.problems > problems.length ? (
        <p className="note">
          {say('deep_problems_more', { count: formatCount(problems.length, language) })}
        </p>
      ) : null}
    </>
  );
}
