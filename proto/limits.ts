/** Limits of the wire format. Both ends enforce them; raising one is a change of the wire version. */

export const WIRE_VERSION = 1;

/** Largest MQTT payload that intake takes whole; of a larger one it keeps the head and the reason. */
export const PAYLOAD_BYTES_MAX = 1024 * 1024;
/** Largest batch after decompression, and largest zstd window (a zip bomb stops here). */
export const BATCH_BYTES_MAX = 8 * 1024 * 1024;
export const CHUNKS_PER_BATCH_MAX = 4_096;
export const GAPS_PER_BATCH_MAX = 256;
export const CORRECTIONS_PER_BATCH_MAX = 16;
export const CHUNK_BYTES_MAX = 512 * 1024;
/** Readings plus rejects of one chunk. */
export const READINGS_PER_CHUNK_MAX = 8_192;
export const SERIES_PER_CHUNK_MAX = 4_096;
export const REJECTS_PER_CHUNK_MAX = 256;
export const REJECT_HEAD_BYTES = 1_024;
export const REJECT_DETAIL_BYTES = 256;
/**
 * Latest minus earliest time of one chunk's readings. It fits an sint32, so every time delta within a
 * chunk, and within any slice of it, does.
 */
export const CHUNK_SPAN_MS_MAX = 2_147_483_647;
/** UTF-8 bytes of a reject's or gap's reason, of a reader's name and status, of a version. */
export const WORD_BYTES_MAX = 64;
/** UTF-8 bytes of a device or channel name. */
export const NAME_BYTES_MAX = 128;
/** UTF-8 bytes of a text value; longer ones are cut and marked. */
export const TEXT_BYTES_MAX = 4_096;
export const READERS_PER_STATE_MAX = 1_024;
/** UTF-8 bytes of a reader's last error in the state. */
export const LAST_ERROR_BYTES_MAX = 512;

/** A command to a gateway, with its envelope. */
export const COMMAND_BYTES_MAX = 64 * 1024;
/** Digests of one Acked, and bytes of each. */
export const ACKED_DIGESTS_MAX = 1_024;
export const DIGEST_BYTES = 16;

/** seq and counts stay exact in a double. */
export const SEQ_MAX = Number.MAX_SAFE_INTEGER;
/** Times outside are refused by the decoder: 0000-01-01 .. 9999-12-31. */
export const TIME_MS_MIN = -62_167_219_200_000;
export const TIME_MS_MAX = 253_402_300_799_999;
