/** What can be wrong with bytes from the wire. Codes are documented in docs/ERRORS.md and never reused. */
export const wireErrors = {
  WIRE_TOO_LARGE: {
    cause: 'A payload, or what it decompresses to, exceeds the limits of proto/limits.ts.',
    hint: 'Lower batch_max_bytes of the gateway; if it is unchanged, look for a foreign publisher.',
  },
  WIRE_MALFORMED: {
    cause: 'The bytes are not the protobuf message that the topic calls for.',
    hint: 'The quarantine shows the head of the payload; check what publishes on this topic.',
  },
  WIRE_VERSION: {
    cause: 'The envelope has a wire version that this program does not read.',
    hint: 'Update the older side; a collector reads its own version and the one before.',
  },
  WIRE_CODEC: {
    cause:
      'The envelope names a compression that this program does not know, or it does not decompress.',
    hint: 'Update the older side, or look for damage on the way.',
  },
  WIRE_INCONSISTENT: {
    cause:
      'The message is protobuf, but its columns contradict each other or its numbers are out of range.',
    hint: 'A defect of the sender: keep the payload from the quarantine and report it.',
  },
  WIRE_CRC: {
    cause: 'The CRC-32C of a chunk does not match its content.',
    hint: 'Damage between buffer and log: check the memory and the disk of the gateway.',
  },
} as const;

export type WireErrorCode = keyof typeof wireErrors;

/** A refusal of bytes from the wire. `detail` names the field. */
export class WireError extends Error {
  readonly code: WireErrorCode;
  constructor(code: WireErrorCode, detail: string) {
    super(`${code}: ${detail}`);
    this.name = 'WireError';
    this.code = code;
  }
}

export type Decoded<T> = { ok: true; value: T } | { ok: false; error: WireError };
