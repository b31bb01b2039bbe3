/** `fms-collector audit`: asks the running collector whether its audit log is whole, for its head, and for a file of it. */

import { open, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { CollectorError } from '../errors.ts';
import type { Output } from './check.ts';
import type { Api, ApiOptions } from './client.ts';
import { ApiRefusal, apiOf, askApi } from './client.ts';

/** An answer comes within some 30 seconds. */
const TIMEOUT_MS = 60_000;
/** `NUMBER:HASH`, as `audit head` prints it. */
const ANCHOR = /^(\d{1,15}):([0-9a-f]{64})$/;

type Env = Record<string, string | undefined>;

export interface AuditVerifyOptions extends ApiOptions {
  /** Trusts this entry, and begins behind it. */
  after?: string | undefined;
  /** `NUMBER:HASH` that was kept elsewhere. */
  anchor?: string | undefined;
  json?: boolean | undefined;
}

export interface AuditExportOptions extends ApiOptions {
  format: string;
  /** Left out: standard output. */
  out?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
  who?: string | undefined;
  action?: string | undefined;
  site?: string | undefined;
  text?: string | undefined;
}

interface Verdict {
  ok: boolean | null;
  next: string | null;
  entries: number;
  first_number: number;
  head_number: number;
  head_hash: string;
  broken_at: number | null;
  reason: string | null;
  compared: boolean;
  not_yet_stored: number;
}

const REASONS: Record<string, string> = {
  changed: 'is not what was hashed when it was made',
  missing: 'is not there',
  inserted: 'is there twice, or the log never made it',
  cut: 'and all after it are not there',
  rewritten: 'is not the one that the log made: the whole chain was made anew',
};

/** Prints and returns the exit code: 0 whole, 1 broken or failed, 2 mistakes, 3 nobody answers. */
export async function verifyAudit(
  options: AuditVerifyOptions,
  env: Env,
  output: Output,
): Promise<number> {
  const anchor = options.anchor === undefined ? undefined : ANCHOR.exec(options.anchor);
  if (anchor === null || (options.after !== undefined && !/^[1-9]\d{0,14}$/.test(options.after))) {
    output.error('--after wants a number, --anchor NUMBER:HASH as `audit head` prints it');
    return 2;
  }
  return await withApi(options, env, output, async (api) => {
    const verdict = await verdictOf(api, options, output);
    const isAnchored = anchor === undefined || (await hasAnchor(api, anchor, output));
    if (options.json === true) output.log(JSON.stringify({ ...verdict, anchored: isAnchored }));
    else for (const line of linesOf(verdict)) output.log(line);
    return verdict.ok === true && isAnchored ? 0 : 1;
  });
}

async function verdictOf(
  api: Api,
  { after, json }: AuditVerifyOptions,
  output: Output,
): Promise<Verdict> {
  let parameters = after === undefined ? '' : `?after=${after}`;
  for (;;) {
    const verdict = await asked<Verdict>(api, `/api/v1/audit/verify${parameters}`);
    if (verdict.next === null) return verdict;
    if (json !== true) output.error(`${verdict.entries} entries are right so far …`);
    parameters = `?cursor=${encodeURIComponent(verdict.next)}`;
  }
}

/** The entry that was noted elsewhere is still the one of its number. */
async function hasAnchor(api: Api, anchor: RegExpExecArray, output: Output): Promise<boolean> {
  const [, number, hash] = anchor;
  const found = await asked<{ items: { hash: string }[] }>(api, `/api/v1/audit?number=${number}`);
  if (found.items.length === 1 && found.items[0]?.hash === hash) return true;
  const isThere = found.items.length > 0;
  output.error(`entry ${number} ${isThere ? 'has another hash than the anchor' : 'is not there'}`);
  return false;
}

function linesOf(verdict: Verdict): string[] {
  const { entries, first_number: first, head_number: last, head_hash, broken_at } = verdict;
  const lines: string[] = [];
  if (broken_at === null) lines.push(`whole: ${entries} entries, ${first} to ${last}`);
  else lines.push(`BROKEN: entry ${broken_at} ${REASONS[verdict.reason ?? ''] ?? verdict.reason}`);
  if (last > 0) lines.push(`head: ${last}:${head_hash}`);
  if (verdict.not_yet_stored > 0)
    lines.push(`${verdict.not_yet_stored} entries are on their way into the store`);
  if (broken_at === null && !verdict.compared)
    lines.push('the end was not compared with the log, which has made no entry that is known');
  return lines;
}

/** Prints `NUMBER:HASH`, to be kept where nobody on this machine can reach it. Exit codes as above. */
export function auditHead(options: ApiOptions, env: Env, output: Output): Promise<number> {
  return withApi(options, env, output, async (api) => {
    const { number, hash } = await asked<{ number: number; hash: string }>(
      api,
      '/api/v1/audit/head',
    );
    output.log(`${number}:${hash}`);
    return 0;
  });
}

/** Writes the file to `out`, or to `stdout`. Exit codes as above; a file that was cut off is removed. */
export async function exportAudit(
  options: AuditExportOptions,
  env: Env,
  output: Output,
  stdout: Writable,
): Promise<number> {
  const parameters = new URLSearchParams({ format: options.format });
  for (const name of ['from', 'to'] as const) {
    const given = options[name];
    if (given === undefined) continue;
    const ms = Date.parse(given);
    if (Number.isNaN(ms)) {
      output.error(`--${name} wants a time such as 2026-11-01 or 2026-11-01T08:00:00+09:00`);
      return 2;
    }
    parameters.set(name, String(ms));
  }
  for (const name of ['who', 'action', 'site', 'text'] as const)
    if (options[name] !== undefined) parameters.set(name, options[name]);
  return await withApi(options, env, output, async (api) => {
    const fetched = async (): Promise<Readable> => {
      const { body } = await askApi(api, `/api/v1/audit/export?${parameters}`);
      return Readable.fromWeb(body as ReadableStream);
    };
    if (options.out === undefined) await pipeline(await fetched(), stdout, { end: false });
    else await intoNewFile(options.out, fetched);
    return 0;
  });
}

/** Rejects when there is such a file; then nothing is asked for. */
async function intoNewFile(path: string, fetched: () => Promise<Readable>): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await pipeline(await fetched(), file.createWriteStream());
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw error;
  }
}

async function asked<Answer>(api: Api, path: string): Promise<Answer> {
  const response = await askApi(api, path, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  return (await response.json()) as Answer;
}

async function withApi(
  options: ApiOptions,
  env: Env,
  output: Output,
  work: (api: Api) => Promise<number>,
): Promise<number> {
  const api = apiOf(options, env, output);
  if (api === undefined) return 2;
  try {
    return await work(api);
  } catch (error) {
    if (error instanceof CollectorError || error instanceof ApiRefusal) {
      output.error(`${error.message}\n${error.hint}`);
      return error.code === 'COLLECTOR_UNREACHABLE' ? 3 : 1;
    }
    // A connection that was cut off, or a file that cannot be written.
    output.error(`failed: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}
