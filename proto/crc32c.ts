/** CRC-32C (Castagnoli), reflected polynomial 0x82f63b78, by slicing-by-8 in plain JavaScript. */

import type { ChunkHeader, Epoch } from './model.ts';

const TABLE = makeTable();

/** table[256 * k + b]: the CRC of byte b followed by k zero bytes. */
function makeTable(): Uint32Array {
  const table = new Uint32Array(8 * 256);
  for (let b = 0; b < 256; b++) {
    let crc = b;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    table[b] = crc;
  }
  for (let k = 1; k < 8; k++) {
    for (let b = 0; b < 256; b++) {
      const before = table[(k - 1) * 256 + b]!;
      table[k * 256 + b] = (before >>> 8) ^ table[before & 0xff]!;
    }
  }
  return table;
}

/**
 * The CRC-32C of `bytes`, unsigned. `seed` is the CRC of what came before, so
 * crc32c(b, crc32c(a)) is the CRC of a followed by b.
 */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  const t = TABLE;
  const n = bytes.length;
  const blocksEnd = n - (n & 7);
  let crc = ~seed;
  let i = 0;
  for (; i < blocksEnd; i += 8) {
    const low =
      crc ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    crc =
      t[1792 + (low & 0xff)]! ^
      t[1536 + ((low >>> 8) & 0xff)]! ^
      t[1280 + ((low >>> 16) & 0xff)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + bytes[i + 4]!]! ^
      t[512 + bytes[i + 5]!]! ^
      t[256 + bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!;
  }
  for (; i < n; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc >>> 0;
}

/** The CRC of a chunk as fms.proto's ChunkFrame.crc32c states it: identity, header and bytes. */
export function chunkCrc(epoch: Epoch, header: ChunkHeader, bytes: Uint8Array): number {
  const head = new Uint8Array(36);
  const view = new DataView(head.buffer);
  view.setUint32(0, Number.parseInt(epoch.slice(8), 16), true);
  view.setUint32(4, Number.parseInt(epoch.slice(0, 8), 16), true);
  setInt64(view, 8, header.firstSeq);
  view.setUint32(16, header.count, true);
  setInt64(view, 20, header.firstMs);
  setInt64(view, 28, header.lastMs);
  return crc32c(bytes, crc32c(head));
}

/** A safe integer as 64 bits, two's complement, little-endian, without a BigInt. */
function setInt64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setInt32(at + 4, Math.floor(value / 4_294_967_296), true);
}
