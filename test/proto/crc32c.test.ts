import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { chunkCrc, crc32c } from '../../proto/crc32c.ts';

/** Bit by bit, from the definition. */
function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

t.test('known vectors (RFC 3720, appendix B.4)', async (t) => {
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
  t.equal(crc32c(new Uint8Array(0)), 0);
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  t.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  t.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  t.equal(crc32c(ascending), 0x46dd794e);
  t.equal(crc32c(ascending.toReversed()), 0x113fdb5c);
});

t.test('equals the bitwise definition, at any offset, and continues from a seed', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (bytes, at) => {
      const cut = bytes.length === 0 ? 0 : at % bytes.length;
      const tail = bytes.subarray(cut);
      assert.equal(crc32c(tail), slowCrc32c(tail));
      assert.equal(crc32c(tail, crc32c(bytes.subarray(0, cut))), slowCrc32c(bytes));
    }),
    { numRuns: 300 },
  );
  t.pass('for all');
});

t.test('a chunk’s CRC covers epoch, header and bytes as fms.proto says', async (t) => {
  const header = { firstSeq: 2 ** 40 + 7, count: 3, firstMs: -5, lastMs: 1_700_000_000_000 };
  const bytes = Buffer.from('chunk');
  const head = Buffer.alloc(36);
  head.writeBigUInt64LE(0xfedcba9876543210n, 0);
  head.writeBigUInt64LE(BigInt(header.firstSeq), 8);
  head.writeUInt32LE(header.count, 16);
  head.writeBigInt64LE(BigInt(header.firstMs), 20);
  head.writeBigInt64LE(BigInt(header.lastMs), 28);
  const expected = slowCrc32c(Buffer.concat([head, bytes]));
  t.equal(chunkCrc('fedcba9876543210', header, bytes), expected);
  for (const other of [
    { ...header, firstSeq: header.firstSeq + 1 },
    { ...header, count: 4 },
    { ...header, firstMs: -6 },
    { ...header, lastMs: header.lastMs + 1 },
  ]) {
    t.not(chunkCrc('fedcba9876543210', other, bytes), expected);
  }
  t.not(chunkCrc('fedcba9876543211', header, bytes), expected);
});
