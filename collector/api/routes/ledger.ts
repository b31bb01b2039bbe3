/** /api/v1/ledger: where every reading of every gateway and epoch is. */

import type { FastifyInstance } from 'fastify';
import { isAmong, siteCondition, visibleSites } from '../access.ts';
import type { ApiContext } from '../context.ts';
import { decodeCursor, toPage } from '../cursor.ts';
import { addNumbers, LEDGER_NUMBERS, LEDGER_PROOF, ledgerSums, numbersOf } from '../ledger.ts';
import { compare } from '../live/devices.ts';
import { abortedWith } from '../queries.ts';
import {
  COUNT,
  CURSOR,
  EPOCH,
  LIST_LIMIT_MAX,
  limitSchema,
  NAME,
  nullable,
  object,
  query,
  TIME_MS,
} from '../schemas.ts';

const LINE = object({
  site: NAME,
  gateway: NAME,
  epoch: EPOCH,
  last_seq: { ...COUNT, description: 'The same as sent: seqs count from 1 in each epoch.' },
  opened_ms: TIME_MS,
  updated_ms: TIME_MS,
  ...LEDGER_NUMBERS,
  ...LEDGER_PROOF,
});

const LEDGER = object({
  items: { type: 'array', items: LINE },
  next: nullable({ type: 'string' }),
  complete: { type: 'boolean', description: 'False: there are more epochs than are shown here.' },
  totals: object(
    {
      gateways: COUNT,
      epochs: COUNT,
      sums_off: { ...COUNT, description: 'Epochs whose sum_balance is not "0".' },
      rows_in_store: nullable({
        ...COUNT,
        description: 'Rows of the table readings; null unless count_rows was asked for.',
      }),
      ...LEDGER_NUMBERS,
    },
    'Over all that match, whatever the page. balance adds the sizes of the lines’ balances.',
  ),
});

interface Query {
  site?: string;
  gateway?: string;
  count_rows: boolean;
  limit: number;
  cursor?: string;
}

export function ledgerRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: Query }>(
    '/api/v1/ledger',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        summary: 'Per gateway and epoch: sent, stored, quarantined, duplicates, gaps, in flight',
        querystring: query({
          site: NAME,
          gateway: NAME,
          count_rows: {
            type: 'boolean',
            default: false,
            description: 'Also counts the rows in the store, to compare with stored.',
          },
          limit: limitSchema(100, LIST_LIMIT_MAX),
          cursor: CURSOR,
        }),
        response: { 200: LEDGER },
      },
    },
    async (request, reply) => {
      const { site, gateway, count_rows, limit, cursor } = request.query;
      const visible = visibleSites(request);
      const ids = [...context.fleet.ledgerGateways()]
        .filter((id) => (site === undefined || id.site === site) && isAmong(visible, id.site))
        .filter((id) => gateway === undefined || id.gateway === gateway)
        .sort((a, b) => compare(a.site, b.site) || compare(a.gateway, b.gateway));
      const rows = ids.flatMap((id) => context.fleet.ledgerOf(id.site, id.gateway));
      const totals = ledgerSums([]);
      for (const row of rows) addNumbers(totals, numbersOf(row));
      const keyOf = (row: (typeof rows)[number]) =>
        [row.site, row.gateway, row.openedMs, row.epoch] as const;
      const after =
        cursor === undefined ? undefined : decodeCursor(cursor, ['', '', 0, ''] as const);
      const rest = after === undefined ? rows : rows.filter((r) => isAfter(keyOf(r), after));
      const { items, next } = toPage(rest, limit, keyOf);
      const rowsInStore = count_rows
        ? await countRows(context, { site, gateway, visible }, abortedWith(reply))
        : null;
      return {
        items: items.map((row) => ({
          site: row.site,
          gateway: row.gateway,
          epoch: row.epoch,
          last_seq: row.lastSeq,
          opened_ms: row.openedMs,
          updated_ms: row.updatedMs,
          ...numbersOf(row),
          sum_balance: row.sumBalance,
          closed: row.closed,
        })),
        next,
        complete: context.fleet.complete,
        totals: {
          gateways: ids.length,
          epochs: rows.length,
          sums_off: rows.filter(({ sumBalance }) => sumBalance !== '0').length,
          rows_in_store: rowsInStore,
          ...totals,
        },
      };
    },
  );
}

interface Scope {
  site: string | undefined;
  gateway: string | undefined;
}

async function countRows(
  context: ApiContext,
  { site, gateway, visible }: { visible: ReadonlySet<string> | undefined } & Scope,
  signal: AbortSignal,
): Promise<number> {
  const may = siteCondition(visible);
  const where = [may?.where ?? '1'];
  if (site !== undefined) where.push('site = {site:String}');
  if (gateway !== undefined) where.push('gateway = {gateway:String}');
  const [row] = await context.queries.run<{ n: number }>(
    `SELECT count() AS n FROM readings WHERE ${where.join(' AND ')}`,
    {
      ...may?.params,
      ...(site === undefined ? {} : { site }),
      ...(gateway === undefined ? {} : { gateway }),
    },
    signal,
  );
  return Number(row?.n ?? 0);
}

type LedgerKey = readonly [string, string, number, string];

function isAfter(a: LedgerKey, b: LedgerKey): boolean {
  return (compare(a[0], b[0]) || compare(a[1], b[1]) || a[2] - b[2] || compare(a[3], b[3])) > 0;
}
