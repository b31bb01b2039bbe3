/**
 * The files of the report jobs. Jobs run in one process at a time, not always the same one, so that several
 * may have some: all are asked, and the newest of a report counts.
 */

import type { ReportFiles } from '../api/context.ts';
import type { Peer } from '../api/peers.ts';
import { jsonFromPeer, textFromPeer } from '../api/peers.ts';
import type { ReportForm, ReportId } from '../jobs/report/files.ts';
import { compareReports, listReports, readReportFile } from '../jobs/report/files.ts';
import type { PeriodKind } from '../site_time.ts';
import type { Logger } from '../types.ts';

interface Page {
  items: { site: string; period: PeriodKind; label: string }[];
  next: string | null;
}

interface Found {
  text: string;
  madeMs: number;
}

export class ReportsEverywhere implements ReportFiles {
  readonly #dir: string;
  readonly #others: () => readonly Peer[];
  readonly #logger: Logger;

  constructor(dir: string, others: () => readonly Peer[], logger: Logger) {
    this.#dir = dir;
    this.#others = others;
    this.#logger = logger;
  }

  async list(site: string | undefined, isLocal: boolean): Promise<ReportId[]> {
    const own = await listReports(this.#dir, site);
    if (isLocal) return own;
    const theirs = await Promise.all(this.#others().map((peer) => this.#listOf(peer, site)));
    const all = new Map<string, ReportId>();
    for (const id of [...own, ...theirs.flat()])
      all.set(JSON.stringify([id.site, id.kind, id.label]), id);
    return [...all.values()].sort(compareReports);
  }

  async read(id: ReportId, form: ReportForm, isLocal: boolean): Promise<Found | undefined> {
    const own = await readReportFile(this.#dir, id, form);
    if (isLocal) return own;
    const theirs = await Promise.all(this.#others().map((peer) => this.#readFrom(peer, id, form)));
    return [own, ...theirs]
      .filter((one) => one !== undefined)
      .sort((a, b) => b.madeMs - a.madeMs)[0];
  }

  async #listOf(peer: Peer, site: string | undefined): Promise<ReportId[]> {
    const found: ReportId[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const asked = new URLSearchParams({ limit: '1000' });
      if (site !== undefined) asked.set('site', site);
      if (cursor !== '') asked.set('cursor', cursor);
      const page: Page | undefined = await jsonFromPeer<Page>(
        peer,
        `/api/v1/reports?${asked}`,
        this.#logger,
      );
      for (const { period, ...item } of page?.items ?? []) found.push({ ...item, kind: period });
      cursor = page?.next ?? null;
    }
    return found;
  }

  async #readFrom(
    peer: Peer,
    { site, kind, label }: ReportId,
    form: ReportForm,
  ): Promise<Found | undefined> {
    const asked =
      form === 'json' ? 'format=json' : `format=html&lang=${form.slice(0, form.indexOf('.'))}`;
    const place = [site, kind, label].map(encodeURIComponent).join('/');
    const answer = await textFromPeer(peer, `/api/v1/reports/${place}?${asked}`, this.#logger);
    if (answer === undefined) return undefined;
    const madeMs = Date.parse(answer.headers.get('last-modified') ?? '');
    return { text: answer.text, madeMs: Number.isFinite(madeMs) ? madeMs : 0 };
  }
}
