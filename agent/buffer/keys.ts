/**
 * The keys of the buffer, from `buffer.key_file` or the systemd credential `buffer.key`. Key material is
 * held by KeyObjects and by nothing else: it is in no log, error, status page or configuration. (Whoever
 * reads the memory of the process has it; Node cannot promise to wipe it.)
 */

import type { KeyObject } from 'node:crypto';
import { createSecretKey, hkdfSync } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../errors.ts';

export interface BufferKey {
  /** 8 hex digits, derived from the key one way: tells keys apart in the file, in messages and status. */
  readonly id: string;
  readonly secret: KeyObject;
}

export interface BufferKeys {
  /** In the order of the file; the first encrypts. */
  readonly keys: readonly BufferKey[];
  /** Whether new chunks are encrypted. */
  readonly encrypt: boolean;
  /** `buffer.encrypt: false` was said in so many words: a buffer without chunks may forget its key. */
  readonly isOff: boolean;
  /** What is not as it should be with the key file, for the log. */
  readonly warnings: readonly string[];
}

export const NO_KEYS: BufferKeys = { keys: [], encrypt: false, isOff: false, warnings: [] };

export interface KeySource {
  /** `buffer.key_file`, absolute. */
  keyFile: string | undefined;
  /** $CREDENTIALS_DIRECTORY: taken by itself when it holds `buffer.key` and there is no key_file. */
  credentialsDir: string | undefined;
  /** `buffer.encrypt`; undefined: when there is a key. */
  encrypt: boolean | undefined;
}

export const CREDENTIAL = 'buffer.key';
const KEY_BYTES = 32;
const FILE_BYTES_MAX = 64 * 1024;
/** Rotations that are under way at once; nobody needs more than two. */
const KEYS_MAX = 16;
/** Random keys have about 30 different bytes; a placeholder such as 64 zeros has one. */
const DIFFERENT_BYTES_MIN = 8;
const ID_BYTES = 4;

/**
 * Throws AGENT_BUFFER_KEY_UNREADABLE (no file, no permission, no key in it, others may write it) and
 * AGENT_BUFFER_KEY_MISSING (`encrypt: true` without a key).
 */
export function readBufferKeys(source: KeySource): BufferKeys {
  const path = pathOf(source);
  if (path === undefined) {
    if (source.encrypt !== true) return { ...NO_KEYS, isOff: source.encrypt === false };
    throw new AgentError('AGENT_BUFFER_KEY_MISSING', 'buffer.encrypt is true, but there is no key');
  }
  const warnings = checkMode(path);
  const keys = parseKeys(path, readText(path));
  const encrypt = source.encrypt !== false;
  return { keys, encrypt, isOff: !encrypt, warnings };
}

function pathOf({ keyFile, credentialsDir }: KeySource): string | undefined {
  if (keyFile !== undefined) return keyFile;
  if (credentialsDir === undefined || credentialsDir === '') return undefined;
  const path = join(credentialsDir, CREDENTIAL);
  return existsSync(path) ? path : undefined;
}

/**
 * Readable by others is a warning: an agent that does not start loses readings for good, while a key
 * that others have read can be replaced. Writable by others is refused: the key may be anybody's.
 */
function checkMode(path: string): string[] {
  if (process.platform === 'win32') return [];
  let mode: number;
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw unreadable(path, 'it is not a file');
    mode = stat.mode;
  } catch (error) {
    throw error instanceof AgentError ? error : unreadable(path, reasonOf(error), error);
  }
  if ((mode & 0o002) !== 0) throw unreadable(path, 'everybody may write it (chmod 600)');
  if ((mode & 0o004) === 0) return [];
  return [`${path}: everybody may read the key of the buffer (chmod 600)`];
}

function readText(path: string): string {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > FILE_BYTES_MAX) throw unreadable(path, 'too long for a file of keys');
    const text = bytes.toString('utf8');
    bytes.fill(0);
    return text;
  } catch (error) {
    throw error instanceof AgentError ? error : unreadable(path, reasonOf(error), error);
  }
}

/** Messages name lines, never what they hold. */
function parseKeys(path: string, text: string): BufferKey[] {
  const keys: BufferKey[] = [];
  text.split('\n').forEach((line, index) => {
    const word = line
      .replace(/^\uFEFF/, '')
      .replace(/#.*/, '')
      .trim();
    if (word === '') return;
    const bytes = bytesOf(word);
    if (bytes === undefined) {
      throw unreadable(path, `line ${index + 1} is no key (64 hex digits, or base64 of 32 bytes)`);
    }
    if (new Set(bytes).size < DIFFERENT_BYTES_MIN) {
      throw unreadable(path, `line ${index + 1} is no random key`);
    }
    const key = bufferKey(bytes);
    bytes.fill(0);
    if (!keys.some(({ secret }) => secret.equals(key.secret))) keys.push(key);
  });
  if (keys.length === 0) throw unreadable(path, 'there is no key in it');
  if (keys.length > KEYS_MAX) throw unreadable(path, `more than ${KEYS_MAX} keys`);
  return keys;
}

function bytesOf(word: string): Buffer | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(word)) return Buffer.from(word, 'hex');
  if (!/^[A-Za-z0-9+/]{43}=?$/.test(word)) return undefined;
  const bytes = Buffer.from(word, 'base64');
  return bytes.length === KEY_BYTES ? bytes : undefined;
}

/** Of 32 random bytes. */
export function bufferKey(bytes: Uint8Array): BufferKey {
  const secret = createSecretKey(bytes);
  const id = Buffer.from(hkdfSync('sha256', secret, '', 'fms buffer key id 1', ID_BYTES));
  return { id: id.toString('hex'), secret };
}

/** A key for one purpose, of 32 bytes. */
export function derivedKey(key: BufferKey, purpose: string): KeyObject {
  const bytes = Buffer.from(hkdfSync('sha256', key.secret, '', purpose, KEY_BYTES));
  const derived = createSecretKey(bytes);
  bytes.fill(0);
  return derived;
}

function unreadable(path: string, detail: string, cause?: unknown): AgentError {
  return new AgentError('AGENT_BUFFER_KEY_UNREADABLE', `${path}: ${detail}`, { cause });
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'it does not exist';
  if (code === 'EACCES') return 'no permission';
  return message;
}
