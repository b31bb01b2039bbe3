/** A result: as table, as chart, as file. */

import type { ReactNode } from 'react';
import { useMemo, useState } from 'react';
import { useOverview, useZoneOf } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { colourOf, Plot } from '../../chart/plot.tsx';
import { formatCount, zoneName } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Choice } from '../../ui/choice.tsx';
import { Empty } from '../../ui/states.tsx';
import styles from './page.module.css';
import type { ChartData } from './result.ts';
import { chartOf, csvOf, isNumeric, textOf } from './result.ts';
import type { Cell, QueryResult } from './types.ts';
import { QUERY_WORDS } from './words.ts';

const ROWS_SHOWN_MAX = 1_000;
const CELL_CHARS_MAX = 1_000;
/** Told apart by dashes, too. */
const DASHES: readonly number[][] = [[], [6, 3], [2, 3], [10, 3, 2, 3]];

export function Result({ result }: { result: QueryResult }): ReactNode {
  const say = useSay(QUERY_WORDS);
  const { language } = usePreferences();
  const [view, setView] = useState<'table' | 'chart'>('table');
  const rows = formatCount(result.rows.length, language);
  const time = `${formatCount(result.elapsed_ms, language)} ms`;
  return (
    <>
      <div className="title-row">
        <h2>{say('result_rows', { rows, time })}</h2>
        <Choice
          label={say('view')}
          options={[
            { value: 'table', text: say('as_table') },
            { value: 'chart', text: say('as_chart') },
          ]}
          value={view}
          onChange={setView}
        />
        <button type="button" className="act" onClick={() => download(result)}>
          {say('download')}
        </button>
      </div>
      {result.truncated ? <p className="note">{say('truncated', { rows })}</p> : null}
      {result.rows.length === 0 ? (
        <Empty text={say('no_rows')} />
      ) : view === 'table' ? (
        <ResultTable result={result} />
      ) : (
        <ResultChart result={result} />
      )}
    </>
  );
}

function ResultTable({ result: { columns, rows } }: { result: QueryResult }): ReactNode {
  const say = useSay(QUERY_WORDS);
  const { language } = usePreferences();
  return (
    <>
      {rows.length > ROWS_SHOWN_MAX ? (
        <p className="note">{say('shown_rows', { rows: formatCount(ROWS_SHOWN_MAX, language) })}</p>
      ) : null}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard */}
      <section className={`table-frame ${styles.result}`} aria-label={say('result')} tabIndex={0}>
        <table>
          <thead>
            <tr>
              {columns.map(({ name, type }, i) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: two columns may have one name
                <th key={i} scope="col">
                  <bdi>{name}</bdi>
                  <small>{type}</small>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, ROWS_SHOWN_MAX).map((row, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: rows have no name and do not move
              <tr key={i}>
                {row.map((cell, j) => (
                  <td
                    // biome-ignore lint/suspicious/noArrayIndexKey: as above
                    key={j}
                    className={isNumeric(columns[j]?.type ?? '') ? 'number' : undefined}
                  >
                    <CellText cell={cell} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}

function CellText({ cell }: { cell: Cell }): ReactNode {
  if (cell === null) return <span className="note">NULL</span>;
  const text = textOf(cell);
  return <bdi>{text.length > CELL_CHARS_MAX ? `${text.slice(0, CELL_CHARS_MAX)}…` : text}</bdi>;
}

function ResultChart({ result }: { result: QueryResult }): ReactNode {
  const say = useSay(QUERY_WORDS);
  const chart = useMemo(() => chartOf(result), [result]);
  if (chart === undefined) return <Empty text={say('no_chart')} />;
  return <Lines chart={chart} />;
}

function Lines({ chart }: { chart: ChartData }): ReactNode {
  const say = useSay(QUERY_WORDS);
  const zone = useZoneOf()(useOverview()?.sites[0]?.site ?? '');
  const options = useMemo(
    () => ({
      series: [
        {},
        ...chart.names.map((label, i) => ({
          label,
          stroke: () => colourOf('--trace'),
          width: 1.5,
          dash: DASHES[i % DASHES.length] ?? [],
        })),
      ],
      legend: { show: chart.names.length > 1 },
    }),
    [chart],
  );
  return (
    <>
      <Plot
        label={say('chart_of', { columns: chart.names.join(', '), x: chart.x })}
        data={chart.columns}
        heightPx={320}
        timeZone={chart.isTime ? zone : undefined}
        options={options}
      />
      {chart.isTime ? (
        <p className="note">
          {say('zone', { zone: zoneName(zone, (chart.columns[0][0] ?? 0) * 1000) })}
        </p>
      ) : null}
    </>
  );
}

function download(result: QueryResult): void {
  const url = URL.createObjectURL(new Blob([csvOf(result)], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = 'query.csv';
  link.click();
  URL.revokeObjectURL(url);
}
