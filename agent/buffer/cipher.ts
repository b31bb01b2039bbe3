/**
 * One row encrypted and decrypted: AES-256-GCM. A sealed row's bytes are
 *
 *     key id (4) · nonce (12) · AES-GCM( chunk's CRC (4, little-endian) · chunk ) · tag (16)
 *
 * and its `crc32c` is over these bytes, so that damage shows without a key, while the chunk's own CRC
 * (from which a guess at a short chunk could be confirmed) is inside. The rest of the row's bookkeeping
 * is authenticated with it: a row that was moved, copied, cut or edited does not open.
 *
 * The nonce is random. 2^32 chunks under one key are allowed with random nonces of 96 bits (NIST SP
 * 800-38D); here each key that encrypts is derived for one epoch and one stretch of 2^31 seqs, so that
 * it cannot meet more than 2^31 chunks, however long a key of the file is used. Chunks sealed again
 * (a refused commit, a salvage) take of the half that is left.
 */

import type { KeyObject } from 'node:crypto';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { chunkCrc } from '../../proto/crc32c.ts';
import type { BufferKey } from './keys.ts';
import { derivedKey } from './keys.ts';
import type { ChunkHeadRow, ChunkRow } from './rows.ts';
import { CHUNK_FLAG_SEALED, chunkBytesOk, chunkHeadCrc, isName, toHex } from './rows.ts';

/** A chunk as it goes into a row: `crc32c` is its own. */
export interface PlainChunk extends Omit<ChunkHeadRow, 'row_crc'> {
  bytes: Uint8Array;
}

const ALGORITHM = 'aes-256-gcm';
const ID_BYTES = 4;
const NONCE_BYTES = 12;
const CRC_BYTES = 4;
const TAG_BYTES = 16;
/** What a sealed row is longer. */
export const SEAL_BYTES = ID_BYTES + NONCE_BYTES + CRC_BYTES + TAG_BYTES;
const SEQS_PER_KEY = 2 ** 31;
/** Derived keys kept: rows of few epochs are written and read at a time. */
const DERIVED_MAX = 16;
const VALUE_PREFIX = 'sealed:';

export class RowCipher {
  readonly #keys: readonly BufferKey[];
  readonly #derived = new Map<string, KeyObject>();

  constructor(keys: readonly BufferKey[]) {
    this.#keys = keys;
  }

  seal(key: BufferKey, chunk: PlainChunk): ChunkRow {
    const flags = chunk.flags | CHUNK_FLAG_SEALED;
    const crc = Buffer.alloc(CRC_BYTES);
    crc.writeUInt32LE(chunk.crc32c);
    const bytes = encrypt(this.#chunkKey(key, chunk), key.id, aadOf({ ...chunk, flags }), [
      crc,
      chunk.bytes,
    ]);
    const crc32c = chunkCrc(toHex(chunk.epoch), headerOf(chunk), bytes);
    const head = { ...chunk, flags, crc32c };
    return { ...head, row_crc: chunkHeadCrc(head), bytes };
  }

  /** The row as it would be without encryption; undefined when it is not what one of the keys sealed. */
  open(row: ChunkRow): ChunkRow | undefined {
    const id = keyIdOf(row);
    if (id === undefined || !isName(row.epoch)) return undefined;
    for (const key of this.#keys) {
      if (key.id !== id) continue;
      const plain = decrypt(this.#chunkKey(key, row), aadOf(row), row.bytes);
      if (plain === undefined) continue;
      const head = {
        ...row,
        flags: row.flags & ~CHUNK_FLAG_SEALED,
        crc32c: plain.readUInt32LE(0),
      };
      const opened = { ...head, row_crc: chunkHeadCrc(head), bytes: plain.subarray(CRC_BYTES) };
      // Sealed as it is, and yet not right: damaged in memory before.
      return chunkBytesOk(opened) ? opened : undefined;
    }
    return undefined;
  }

  sealValue(key: BufferKey, name: string, value: string): string {
    const derived = this.#key(key, 'fms buffer meta 1');
    const bytes = encrypt(derived, key.id, Buffer.from(name), [Buffer.from(value)]);
    return `${VALUE_PREFIX}${bytes.toString('base64')}`;
  }

  /** Undefined when it is not what one of the keys sealed under this name. */
  openValue(name: string, sealed: string): string | undefined {
    if (!isSealedValue(sealed)) return undefined;
    const bytes = Buffer.from(sealed.slice(VALUE_PREFIX.length), 'base64');
    if (bytes.length < ID_BYTES + NONCE_BYTES + TAG_BYTES) return undefined;
    const id = bytes.toString('hex', 0, ID_BYTES);
    for (const key of this.#keys) {
      if (key.id !== id) continue;
      const plain = decrypt(this.#key(key, 'fms buffer meta 1'), Buffer.from(name), bytes);
      if (plain !== undefined) return plain.toString('utf8');
    }
    return undefined;
  }

  #chunkKey(key: BufferKey, { epoch, first_seq }: PlainChunk | ChunkRow): KeyObject {
    const stretch = Math.floor(first_seq / SEQS_PER_KEY);
    return this.#key(key, `fms buffer chunks 1 ${toHex(epoch)} ${stretch}`);
  }

  #key(key: BufferKey, purpose: string): KeyObject {
    const name = `${this.#keys.indexOf(key)} ${purpose}`;
    const known = this.#derived.get(name);
    if (known !== undefined) return known;
    if (this.#derived.size >= DERIVED_MAX) this.#derived.clear();
    const derived = derivedKey(key, purpose);
    this.#derived.set(name, derived);
    return derived;
  }
}

export function isSealedValue(value: string): boolean {
  return value.startsWith(VALUE_PREFIX);
}

/** Which key a sealed row says that it needs; undefined when its bytes are none that were sealed. */
export function keyIdOf({ bytes }: ChunkRow): string | undefined {
  if (!(bytes instanceof Uint8Array) || bytes.length < SEAL_BYTES) return undefined;
  return Buffer.from(bytes.subarray(0, ID_BYTES)).toString('hex');
}

function encrypt(
  key: KeyObject,
  id: string,
  aad: Uint8Array,
  parts: readonly Uint8Array[],
): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  const encrypted = parts.map((part) => cipher.update(part));
  encrypted.push(cipher.final());
  return Buffer.concat([Buffer.from(id, 'hex'), nonce, ...encrypted, cipher.getAuthTag()]);
}

function decrypt(key: KeyObject, aad: Uint8Array, bytes: Uint8Array): Buffer | undefined {
  const tagAt = bytes.length - TAG_BYTES;
  const nonce = bytes.subarray(ID_BYTES, ID_BYTES + NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(bytes.subarray(tagAt));
  const plain = decipher.update(bytes.subarray(ID_BYTES + NONCE_BYTES, tagAt));
  try {
    decipher.final();
    return plain;
  } catch {
    return undefined;
  }
}

function headerOf(row: Omit<PlainChunk, 'bytes'>) {
  return {
    firstSeq: row.first_seq,
    count: row.count,
    firstMs: row.first_ms,
    lastMs: row.last_ms,
  };
}

/** Everything of the row but its bytes and the two CRCs, which follow from the rest. */
function aadOf(row: Omit<PlainChunk, 'bytes' | 'crc32c'>): Uint8Array {
  const aad = Buffer.alloc(8 + 9 * 8);
  aad.set(row.epoch, 0);
  [
    row.id,
    row.first_seq,
    row.count,
    row.first_ms,
    row.last_ms,
    row.sealed_wall_ms,
    row.sealed_mono_ms,
    row.flags,
    row.readings_before,
  ].forEach((number, i) => {
    aad.writeDoubleLE(number, 8 + 8 * i);
  });
  return aad;
}
