/**
 * The engine behind the front: chDB over one folder, a session for each statement, so that settings of a
 * request do not outlive it and statements run at the same time as a server's do.
 */

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** More than the client opens connections; see UV_THREADPOOL_SIZE in clickhouse-front.ts. */
const AT_ONCE_MAX = 24;
const KILL_POLL_MS = 20;

interface Session {
  queryAsync(sql: string, options: { format: string }): Promise<{ bytes(): Uint8Array }>;
  close(): void;
}
type Chdb = { Session: new (path: string) => Session };

export interface Statement {
  query: string;
  database: string | undefined;
  /** As the URL has them: all are texts. */
  settings: ReadonlyMap<string, string>;
  /** Without `param_`. */
  params: ReadonlyMap<string, string>;
  format: string;
  /** Of an INSERT … FORMAT …: a file with what came behind the statement. */
  bodyFile: string | undefined;
  /** Of an insert with a body: takes so much longer, and can be ended meanwhile. */
  slowMs: number;
}

/** INSERT INTO table (columns) [SETTINGS …] [SELECT columns FROM input('…') WHERE …] FORMAT name, the data apart. */
const INSERT =
  /^(\/\*[\s\S]*?\*\/\s*)?INSERT\s+INTO\s+(\S+)\s*\(([^)]*)\)\s*(SETTINGS\s[\s\S]*?)?\s*(?:SELECT\s+[^()]+FROM\s+input\('([^']*)'\)\s+WHERE\s+([\s\S]+?)\s+)?FORMAT\s+(\w+)\s*$/i;
const KILL = /^(\/\*[\s\S]*?\*\/\s*)?KILL\s+QUERY\s+WHERE\s+([\s\S]+?)\s+SYNC\s*$/i;

export class FrontEngine {
  readonly #chdb: Chdb;
  readonly #path: string;
  /** Keeps the folder open between statements. */
  readonly #first: Session;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(folder: string) {
    // The package's own entry: its import has no Session type of ours, and it must load in the main thread.
    this.#chdb = createRequire(import.meta.url)('chdb') as Chdb;
    this.#path = join(folder, 'store');
    this.#first = new this.#chdb.Session(this.#path);
  }

  close(): void {
    this.#first.close();
  }

  /** Rejects with an error whose message is the engine's (`Code: …`). */
  async run(statement: Statement): Promise<Buffer> {
    while (this.#running >= AT_ONCE_MAX)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    const session = new this.#chdb.Session(this.#path);
    try {
      await session.queryAsync(preludeOf(statement), { format: 'Null' });
      const kill = KILL.exec(statement.query);
      if (kill !== null) return await this.#kill(session, kill[2] ?? '0', statement.format);
      const query =
        statement.bodyFile === undefined
          ? statement.query
          : await insertFrom(session, statement, statement.bodyFile);
      const result = await session.queryAsync(query, { format: statement.format });
      const bytes = result.bytes();
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    } finally {
      // The list of processes keeps a statement that failed until its session is closed.
      session.close();
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  /** chDB never answers a KILL … SYNC: it takes the KILL itself for the statement that has not ended. */
  async #kill(session: Session, condition: string, format: string): Promise<Buffer> {
    const killed = await session.queryAsync(`KILL QUERY WHERE ${condition} ASYNC`, { format });
    for (;;) {
      const left = await session.queryAsync(
        `SELECT count() FROM system.processes WHERE (${condition}) AND NOT startsWith(query, 'SELECT count() FROM system.processes WHERE (')`,
        { format: 'TabSeparated' },
      );
      if (Buffer.from(left.bytes()).toString().trim() === '0') break;
      await delay(KILL_POLL_MS);
    }
    const bytes = killed.bytes();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}

function preludeOf({ database, settings, params }: Statement): string {
  const statements: string[] = [];
  if (database !== undefined) statements.push(`USE \`${database.replaceAll('`', '\\`')}\``);
  for (const [name, value] of params) statements.push(`SET param_${name} = ${quoted(value)}`);
  for (const [name, value] of settings)
    if (name !== 'readonly') statements.push(`SET ${name} = ${quoted(value)}`);
  // Last: it forbids some of the others.
  const readonly = settings.get('readonly');
  if (readonly !== undefined) statements.push(`SET readonly = ${quoted(readonly)}`);
  return statements.length === 0 ? 'SELECT 1' : statements.join('; ');
}

/**
 * The engine's own INSERT … FORMAT is not to be had with binary data: a file is selected from. It is read with
 * the types into which a server would convert it.
 */
async function insertFrom(
  session: Session,
  { query, slowMs }: Statement,
  file: string,
): Promise<string> {
  const found = INSERT.exec(query);
  if (found === null)
    throw new Error('Code: 62. DB::Exception: the front cannot read it. (SYNTAX_ERROR)');
  const [, mark = '', table = '', columns = '', settings = 'SETTINGS async_insert = 0'] = found;
  const [, , , , , given, where, format] = found;
  const structure = given ?? (await structureOf(session, table, columns));
  const conditions = [
    ...(where === undefined ? [] : [where]),
    ...(slowMs === 0 ? [] : [`NOT ignore(sleep(${slowMs / 1_000}))`]),
  ];
  const more = slowMs === 0 ? '' : ', function_sleep_max_microseconds_per_block = 3600000000';
  return `${mark}INSERT INTO ${table} (${columns}) ${settings}${more}
SELECT ${columns} FROM file(${quoted(file)}, '${format}', ${quoted(structure)})${conditions.length === 0 ? '' : ' WHERE '}${conditions.join(' AND ')}`;
}

async function structureOf(session: Session, table: string, columns: string): Promise<string> {
  const result = await session.queryAsync(
    `SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = ${quoted(table)}`,
    { format: 'JSONCompactEachRow' },
  );
  const lines = Buffer.from(result.bytes()).toString().trim().split('\n');
  if (lines[0] === '')
    throw new Error(`Code: 60. DB::Exception: Table ${table} does not exist. (UNKNOWN_TABLE)`);
  const types = new Map(lines.map((line) => JSON.parse(line) as [string, string]));
  const names = columns.split(',').map((name) => name.trim());
  return names.map((name) => `${name} ${types.get(name)}`).join(', ');
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
