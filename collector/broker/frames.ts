/**
 * Reads the frames of an MQTT byte stream, no further than type and length, before the parser buffers
 * them: what is too long or cannot come from a client is refused at its first bytes.
 */

import { PAYLOAD_BYTES_MAX } from '../../proto/limits.ts';

/** Above this a publish is not even taken in part. Between PAYLOAD_BYTES_MAX and this its head is kept. */
export const PUBLISH_BYTES_MAX = 4 * PAYLOAD_BYTES_MAX;
/** The largest gateway state as will, the names, the token, and some room. */
export const CONNECT_BYTES_MAX = 72 * 1024;
export const OTHER_BYTES_MAX = 4 * 1024;

export type FrameViolation = 'protocol' | 'packet_too_large';

const CONNECT = 1;
const PUBLISH = 3;
/** PUBACK, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT. No QoS 2: its packets have no business here. */
const OTHERS: ReadonlySet<number> = new Set([4, 8, 10, 12, 14]);
const LENGTH_BYTES_MAX = 4;

export class FrameScanner {
  #type = 0;
  #started = false;
  #lengthBytes = 0;
  #length = 0;
  #bodyLeft = 0;
  #partialBytes = 0;
  #admitted = false;

  /** Bytes of the packet that is not complete yet: what the parser holds in memory. */
  get partialBytes(): number {
    return this.#partialBytes;
  }

  /** The client has proved who it is: publishes may be long from now on. */
  admit(): void {
    this.#admitted = true;
  }

  /** Takes the next bytes of the stream; names the first thing wrong with them. */
  scan(chunk: Uint8Array): FrameViolation | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyLeft > 0) {
        const taken = Math.min(this.#bodyLeft, chunk.length - at);
        this.#bodyLeft -= taken;
        this.#partialBytes = this.#bodyLeft === 0 ? 0 : this.#partialBytes + taken;
        at += taken;
        continue;
      }
      const violation = this.#header(chunk[at] ?? 0);
      if (violation !== undefined) return violation;
      at += 1;
    }
    return undefined;
  }

  #header(byte: number): FrameViolation | undefined {
    if (this.#type === 0) {
      this.#type = byte >> 4;
      this.#length = 0;
      this.#lengthBytes = 0;
      this.#partialBytes = 1;
      return this.#checkType();
    }
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes += 1;
    this.#partialBytes += 1;
    if ((byte & 0x80) !== 0) return this.#lengthBytes < LENGTH_BYTES_MAX ? undefined : 'protocol';
    if (this.#length > this.#limit()) return 'packet_too_large';
    this.#type = 0;
    this.#bodyLeft = this.#length;
    if (this.#length === 0) this.#partialBytes = 0;
    return undefined;
  }

  #checkType(): FrameViolation | undefined {
    // Only the first packet may be CONNECT, and it must be.
    const valid = this.#started
      ? this.#type === PUBLISH || OTHERS.has(this.#type)
      : this.#type === CONNECT;
    this.#started = true;
    return valid ? undefined : 'protocol';
  }

  #limit(): number {
    if (this.#type === CONNECT) return CONNECT_BYTES_MAX;
    if (this.#type !== PUBLISH) return OTHER_BYTES_MAX;
    return this.#admitted ? PUBLISH_BYTES_MAX : CONNECT_BYTES_MAX;
  }
}
