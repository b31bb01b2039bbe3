/** Cutting names and texts to the limits of the wire, on UTF-8 boundaries. */

import { crc32c } from './crc32c.ts';
import { NAME_BYTES_MAX } from './limits.ts';

/** Whether `text` has at most `maxBytes` bytes in UTF-8 and no lone surrogates, i.e. travels as it is. */
export function fitsUtf8(text: string, maxBytes: number): boolean {
  // 3 bytes a code unit is the most that UTF-8 takes.
  if (text.length * 3 > maxBytes) {
    if (text.length > maxBytes || Buffer.byteLength(text) > maxBytes) return false;
  }
  return text.isWellFormed();
}

/**
 * The longest head of `text` with at most `maxBytes` UTF-8 bytes; lone surrogates become U+FFFD. The
 * answer is a copy, so it does not keep a huge original alive.
 */
export function cutUtf8(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text.slice(0, maxBytes).toWellFormed());
  return bytes.toString('utf8', 0, boundaryBefore(bytes, Math.min(maxBytes, bytes.length)));
}

/** The largest position <= at that does not split a UTF-8 sequence. */
function boundaryBefore(bytes: Uint8Array, at: number): number {
  if (at >= bytes.length) return bytes.length;
  let end = at;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return end;
}

/**
 * A device or channel name as it travels: unchanged if it fits NAME_BYTES_MAX (empty included), else
 * its head, `~` and the CRC-32C of the whole, so that two long names stay two.
 */
export function wireName(name: string): string {
  if (fitsUtf8(name, NAME_BYTES_MAX)) return name;
  const whole = crc32c(Buffer.from(name)).toString(16).padStart(8, '0');
  const head = cutUtf8(name, NAME_BYTES_MAX - 9);
  return `${head}~${whole}`;
}
