/**
 * A copy of bytes that are kept for long: out of the receive buffer, which they would keep alive, and not
 * in Buffer's pool, of which they would keep 64 KB.
 */
export function ownCopy(bytes: Uint8Array | string): Buffer {
  const copy = Buffer.allocUnsafeSlow(Buffer.byteLength(bytes));
  copy.set(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  return copy;
}
