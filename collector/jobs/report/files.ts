/** Where the reports lie: DIR/SITE/KIND/LABEL.json, .en.html and .ko.html. */

import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PeriodKind } from '../../site_time.ts';
import { PERIOD_KINDS } from '../../site_time.ts';

export type ReportForm = 'json' | 'en.html' | 'ko.html';

export interface ReportId {
  site: string;
  kind: PeriodKind;
  label: string;
}

const LABEL = /^\d{4,6}-(\d\d|W\d\d|\d\d-\d\d)$/;

/** Any site name as the name of a folder: nothing of it leads out of `dir`. */
function folderOf(site: string): string {
  return encodeURIComponent(site).replaceAll('.', '%2E').replaceAll('*', '%2A');
}

function pathOf(dir: string, { site, kind, label }: ReportId, form: ReportForm): string {
  return join(dir, folderOf(site), kind, `${label}.${form}`);
}

/** Replaces a file as a whole. */
export async function writeReport(
  dir: string,
  id: ReportId,
  form: ReportForm,
  text: string,
): Promise<void> {
  const path = pathOf(dir, id, form);
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.new`;
  await writeFile(temporary, text);
  await rename(temporary, path);
}

/** Undefined: there is none. `madeMs`: UTC ms. */
export async function readReportFile(
  dir: string,
  id: ReportId,
  form: ReportForm,
): Promise<{ text: string; madeMs: number } | undefined> {
  if (!LABEL.test(id.label) || !PERIOD_KINDS.includes(id.kind)) return undefined;
  const path = pathOf(dir, id, form);
  try {
    return { madeMs: (await stat(path)).mtimeMs, text: await readFile(path, 'utf8') };
  } catch {
    return undefined;
  }
}

/** Its text alone. */
export async function readReport(
  dir: string,
  id: ReportId,
  form: ReportForm,
): Promise<string | undefined> {
  return (await readReportFile(dir, id, form))?.text;
}

/** All reports, the newest label first; of one site or of all. */
export async function listReports(dir: string, site?: string): Promise<ReportId[]> {
  const found: ReportId[] = [];
  const folders = site === undefined ? await names(dir) : [folderOf(site)];
  for (const folder of folders) {
    for (const kind of PERIOD_KINDS) {
      for (const file of await names(join(dir, folder, kind))) {
        const label = file.endsWith('.json') ? file.slice(0, -'.json'.length) : '';
        if (LABEL.test(label)) found.push({ site: decodeURIComponent(folder), kind, label });
      }
    }
  }
  return found.sort(compareReports);
}

/** The newest label first, then by site and kind. */
export function compareReports(a: ReportId, b: ReportId): number {
  return compare(b.label, a.label) || compare(a.site, b.site) || compare(a.kind, b.kind);
}

function names(dir: string): Promise<string[]> {
  return readdir(dir).catch(() => []);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
