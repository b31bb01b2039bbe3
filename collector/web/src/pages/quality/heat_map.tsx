/**
 * Devices by hours. One cell is in the tab order; arrow keys lead from it to the others. Colour only below the target,
 * and then with a shape.
 */

import type { KeyboardEvent, ReactNode } from 'react';
import { memo, useCallback, useMemo, useRef, useState } from 'react';
import { useZoneOf } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount, formatValue, timeFormat } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Name, Shape } from '../../ui/mark.tsx';
import type { MapRow } from './map.ts';
import { BAD_BELOW, heatMap, levelOf, moved } from './map.ts';
import styles from './page.module.css';
import type { QualityView } from './request.ts';
import { RANGES } from './request.ts';
import type { QualityAnswer } from './types.ts';
import { QUALITY_WORDS } from './words.ts';

/** Up to here cells are wide enough for their points. */
const NUMBERED_COLUMNS_MAX = 31;

interface HeatMapProps {
  answer: QualityAnswer;
  view: QualityView;
  onChoose: (device: string, atMs: number) => void;
}

export const HeatMap = memo(function HeatMap({ answer, view, onChoose }: HeatMapProps): ReactNode {
  const say = useSay(QUALITY_WORDS);
  const { language } = usePreferences();
  const { columns, rows, devices } = useMemo(
    () => heatMap(answer.items, view.shown),
    [answer.items, view.shown],
  );
  const [at, setAt] = useState({ row: 0, column: Math.max(0, columns.length - 1) });
  const grid = useRef<HTMLTableElement>(null);
  // Their identity stays, so that rows which did not change are not drawn again.
  const latest = useRef({ at, rows, columns, onChoose });
  latest.current = { at, rows, columns, onChoose };
  const choose = useCallback((row: number, column: number): void => {
    const cell = latest.current.rows[row]?.cells[column];
    setAt({ row, column });
    if (cell !== undefined) latest.current.onChoose(cell.device, cell.from_ms);
  }, []);
  const onKeyDown = useCallback((event: KeyboardEvent): void => {
    const { at, rows, columns } = latest.current;
    const to = moved(at, event.key, { rows: rows.length, columns: columns.length });
    if (to === undefined) return;
    event.preventDefault();
    setAt(to);
    grid.current?.querySelector<HTMLElement>(`[data-cell="${to.row}.${to.column}"]`)?.focus();
  }, []);
  const isDays = RANGES[view.range].step === 'day';
  const label = say(isDays ? 'map_days' : 'map', { dimension: say(view.shown) });
  return (
    <section className={styles.map}>
      <p className="note">
        {devices > rows.length
          ? `${say('shown', { shown: formatCount(rows.length, language), total: formatCount(devices, language) })} `
          : ''}
        {say('map_help', { bad: BAD_BELOW })}
      </p>
      <div className="table-frame">
        <table ref={grid} aria-label={label} className={styles.grid}>
          <Heads columns={columns} view={view} />
          <tbody>
            {rows.map((row, i) => (
              <Row
                key={row.device}
                row={row}
                index={i}
                focusedColumn={at.row === i ? at.column : -1}
                answer={answer}
                view={view}
                onKeyDown={onKeyDown}
                onChoose={choose}
              />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
});

function Heads(props: { columns: readonly { fromMs: number }[]; view: QualityView }): ReactNode {
  const say = useSay(QUALITY_WORDS);
  const zone = useZoneOf()(props.view.site);
  const isDays = RANGES[props.view.range].step === 'day';
  const every = props.columns.length > NUMBERED_COLUMNS_MAX ? 6 : 1;
  return (
    <thead>
      <tr>
        <th scope="col">{say('device')}</th>
        {props.columns.map(({ fromMs }, i) => {
          const time = timeFormat(zone, isDays ? 'date' : 'minute').format(fromMs);
          const isMidnight = time === '00:00';
          const shown = isMidnight ? timeFormat(zone, 'date').format(fromMs) : time.slice(0, 5);
          return (
            <th key={fromMs} scope="col" className={styles.head}>
              {i % every === 0 || isMidnight ? shown : <span className="unseen">{time}</span>}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

/** Drawn again only when its own cells or its focus change: a map has up to 8,400 cells. */
const Row = memo(function Row(props: {
  row: MapRow;
  index: number;
  focusedColumn: number;
  answer: QualityAnswer;
  view: QualityView;
  onKeyDown: (event: KeyboardEvent) => void;
  onChoose: (row: number, column: number) => void;
}): ReactNode {
  const say = useSay(QUALITY_WORDS);
  const { language } = usePreferences();
  const { row, index, focusedColumn, answer, view, onKeyDown, onChoose } = props;
  const zone = useZoneOf()(view.site);
  const isNumbered = row.cells.length <= NUMBERED_COLUMNS_MAX;
  return (
    <tr data-device={row.device}>
      <th scope="row" className={styles.device}>
        <Name text={row.device} />
      </th>
      {row.cells.map((cell, column) => {
        const points = cell?.score[view.shown] ?? null;
        const level = levelOf(points, view.shown, answer.targets);
        const text = points === null ? say('no_judgement') : formatValue(points, 1, language);
        const time = cell === undefined ? '' : timeFormat(zone, 'full').format(cell.from_ms);
        const isChosen = view.device === row.device && view.atMs === cell?.from_ms;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: columns do not move
          <td key={column}>
            <button
              type="button"
              data-cell={`${index}.${column}`}
              data-level={level}
              tabIndex={column === focusedColumn ? 0 : -1}
              aria-pressed={isChosen}
              aria-label={say('cell', { device: row.device, time, points: text })}
              title={time === '' ? '' : `${time} · ${text}`}
              className={`${styles.cell} ${styles[shadeOf(points, level)] ?? ''}`}
              onKeyDown={onKeyDown}
              onClick={() => onChoose(index, column)}
            >
              <Shape level={level} />
              {isNumbered && points !== null ? formatValue(points, 0, language) : null}
            </button>
          </td>
        );
      })}
    </tr>
  );
});

/** The class of a cell: greys for what is on target, the best the lightest. */
function shadeOf(points: number | null, level: string): string {
  if (points === null) return 'empty';
  if (level !== 'calm') return level;
  return points >= 99.95 ? 'full' : 'near';
}
