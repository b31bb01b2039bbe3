/** A device's own history, asked page by page from the API of the running collector. */

import type { Api } from '../commands/client.ts';
import { askApi } from '../commands/client.ts';
import { CollectorError } from '../errors.ts';
import type { DeviceProfile } from '../profile.ts';
import type { Cell } from './chunk.ts';

/** Times of one page; the API answers fewer where a row has many values. */
const PAGE_ROWS = 2_000;
const LIST_PAGE = 500;
/** As many as one question takes. */
const CHANNELS_MAX = 100;
/** Beyond it the newest count, and it is said. */
const ANOMALIES_MAX = 20_000;

export interface HistoryScope {
  /** Address of the API. */
  base: Api;
  site: string;
  device: string;
  fromMs: number;
  /** Exclusive. */
  toMs: number;
  signal: AbortSignal | undefined;
}

export interface HistoryRow {
  timeMs: number;
  cells: Cell[];
}

/** What was found then, as /api/v1/anomalies says it. */
export interface PastAnomaly {
  id: string;
  onsetMs: number;
  /** Infinity while it is open. */
  endMs: number;
  detector: string;
  mark: 'true' | 'false' | 'maintenance' | undefined;
}

export interface DeviceKnown {
  channels: string[];
  /** '' when unprofiled. */
  profile: string;
}

interface Page<Item> {
  items: Item[];
  next: string | null;
}

interface WideItem {
  time_ms: number;
  values: (number | string | null)[];
  marks: Record<string, { treatment: string; raw_value: number | null }>;
}

/** What the collector knows of the device. Rejects as askApi does, and with BACKTEST_HISTORY for an unknown one. */
export async function askDevice(scope: HistoryScope): Promise<DeviceKnown> {
  const { site, device } = scope;
  const query = new URLSearchParams({ site, device, limit: '1' });
  const { items } = await ask<{ profile: string; channels: { channel: string }[] }>(
    scope,
    '/api/v1/devices',
    query,
  );
  const [found] = items;
  if (found === undefined) throw invalid(`${site}/${device}: the collector knows no such device`);
  return { profile: found.profile, channels: found.channels.map(({ channel }) => channel) };
}

/**
 * Rows as the device sent them, ascending; what the rules made of them is undone. Two readings of one
 * channel and time are one, the last; quality other than a missing value is not known.
 */
export async function* askRows(
  scope: HistoryScope,
  channels: readonly string[],
  profile: DeviceProfile | undefined,
): AsyncGenerator<HistoryRow> {
  if (channels.length > CHANNELS_MAX)
    throw invalid(`${channels.length} channels: name at most ${CHANNELS_MAX} by --channels`);
  if (channels.some((name) => name.includes(',')))
    throw invalid('the API cannot be asked for channels with a comma in their names');
  const { site, device, fromMs, toMs } = scope;
  const query = new URLSearchParams({
    site,
    device,
    channels: channels.join(','),
    from: String(fromMs),
    to: String(toMs),
    form: 'wide',
    order: 'asc',
    limit: String(PAGE_ROWS),
  });
  const isBoolean = channels.map((name) => profile?.channels[name]?.type === 'boolean');
  for await (const { time_ms, values, marks } of pagesOf<WideItem>(
    scope,
    '/api/v1/readings',
    query,
  )) {
    const cells = channels.map((name, c) => cellOf(values[c] ?? null, marks[name], isBoolean[c]!));
    yield { timeMs: time_ms, cells };
  }
}

/** Those that began in the range; undefined when the collector does not tell them. */
export async function askAnomalies(scope: HistoryScope): Promise<PastAnomaly[] | undefined> {
  const { site, device, fromMs, toMs } = scope;
  const query = new URLSearchParams({
    site,
    device,
    from: String(fromMs),
    to: String(toMs),
    limit: String(LIST_PAGE),
  });
  const past: PastAnomaly[] = [];
  try {
    for await (const item of pagesOf<PastItem>(scope, '/api/v1/anomalies', query)) {
      if (past.length >= ANOMALIES_MAX) break;
      past.push(pastOf(item));
    }
  } catch (error) {
    if ((error as { code?: string }).code === 'API_NOT_FOUND') return undefined;
    throw error;
  }
  return past;
}

interface PastItem {
  id: string;
  onset_ms: number;
  end_ms: number | null;
  state: string;
  detector: string;
  mark: string | null;
}

function pastOf({ id, onset_ms, end_ms, state, detector, mark }: PastItem): PastAnomaly {
  const isMark = mark === 'true' || mark === 'false' || mark === 'maintenance';
  return {
    id,
    detector,
    onsetMs: onset_ms,
    endMs: state === 'open' || end_ms === null ? Number.POSITIVE_INFINITY : end_ms,
    mark: isMark ? mark : undefined,
  };
}

async function* pagesOf<Item>(
  scope: HistoryScope,
  path: string,
  query: URLSearchParams,
): AsyncGenerator<Item> {
  for (;;) {
    const { items, next } = await ask<Item>(scope, path, query);
    yield* items;
    if (next === null) return;
    query.set('cursor', next);
  }
}

async function ask<Item>(
  { base, signal }: HistoryScope,
  path: string,
  query: URLSearchParams,
): Promise<Page<Item>> {
  const response = await askApi(base, `${path}?${query}`, signal === undefined ? {} : { signal });
  return (await response.json()) as Page<Item>;
}

/** A mark without a value stands at a reading that came without one; neither: there was no reading. */
function cellOf(
  value: number | string | null,
  mark: WideItem['marks'][string] | undefined,
  isBoolean: boolean,
): Cell {
  if (mark === undefined && value === null) return undefined;
  const isChanged = mark !== undefined && mark.treatment !== 'kept' && mark.treatment !== 'flagged';
  const came = isChanged ? mark.raw_value : value;
  if (isBoolean && (came === 0 || came === 1)) return came === 1;
  return came;
}

function invalid(detail: string): CollectorError {
  return new CollectorError('BACKTEST_HISTORY', detail);
}
