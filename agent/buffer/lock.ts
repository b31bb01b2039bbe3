/** One process a buffer: a lock that the operating system drops with the process, however it ends. */

import { rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { AgentError } from '../errors.ts';
import { sqliteCode } from './database.ts';
import { giveToOwnerOfFolder } from './owner.ts';

export interface BufferLock {
  release(): void;
}

/**
 * Takes `<path>.lock`, an empty SQLite database held in an exclusive transaction. Throws
 * AGENT_BUFFER_IN_USE when another process (or another buffer of this one) holds it, and
 * AGENT_BUFFER_UNUSABLE when the folder cannot be written. The file stays behind; only the lock counts.
 */
export function takeLock(path: string): BufferLock {
  const lockPath = `${path}.lock`;
  for (let attempt = 1; ; attempt++) {
    let db: Database.Database | undefined;
    try {
      db = new Database(lockPath, { timeout: 0 });
      giveToOwnerOfFolder(lockPath);
      db.pragma('journal_mode = MEMORY');
      db.pragma('locking_mode = EXCLUSIVE');
      db.exec('BEGIN EXCLUSIVE');
      const held = db;
      return { release: () => held.close() };
    } catch (cause) {
      db?.close();
      const code = sqliteCode(cause);
      if (code === 'SQLITE_BUSY') {
        throw new AgentError('AGENT_BUFFER_IN_USE', path, { cause });
      }
      if (code === 'SQLITE_NOTADB' && attempt === 1) {
        // Somebody wrote into it; its content means nothing.
        rmSync(lockPath, { force: true });
        continue;
      }
      const detail = cause instanceof Error ? cause.message : String(cause);
      throw new AgentError('AGENT_BUFFER_UNUSABLE', `${lockPath}: ${detail}`, { cause });
    }
  }
}
