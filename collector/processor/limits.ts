/** Bounds of the processor's state. Changing one changes outputs of a replay: note it in a decision. */

/** Open gaps of an epoch that are kept apart; beyond it the smallest is closed, counted by reason. */
export const OPEN_GAPS_MAX = 1_024;
/** Damaged ranges of an epoch that an intact copy may still replace. */
export const DAMAGED_RANGES_MAX = 256;
/** Ranges of an epoch that carry a gap's reason. */
export const LABELLED_RANGES_MAX = 2_048;
/** Ranges of an epoch whose readings may still be released; beyond it the smallest stay in quarantine. */
export const RELEASABLE_RANGES_MAX = 1_024;
/** Different gap reasons of an epoch; further ones count as `other`. */
export const GAP_REASONS_MAX = 16;
/** Chunks of an epoch whose CRC is remembered, newest. */
export const REMEMBERED_CHUNKS_MAX = 64;
/** Epochs remembered per gateway; beyond it the oldest is forgotten (its ledger row stays). */
export const EPOCHS_PER_GATEWAY_MAX = 4_096;
/** Boots per gateway whose clock correction is remembered, newest. */
export const CORRECTIONS_PER_GATEWAY_MAX = 32;
/** UTF-16 units of readers' JSON in a gateway row. */
export const READERS_JSON_MAX = 64 * 1_024;

/** Ledger and gateway rows of what changed are put out at most this often, in log time. */
export const REPORT_INTERVAL_MS = 1_000;
/** Gateways with rows in one report; the others come with the next ones, each in its turn. */
export const REPORT_GATEWAYS_MAX = 500;
/**
 * What a superseded epoch still misses counts as lost on the gateway when nothing of it came for this
 * long. Gateways drain oldest first over one connection, so nothing can come any more; the wait only
 * absorbs a takeover of the connection.
 */
export const LOST_AFTER_MS = 5_000;
/** A superseded epoch with nothing in flight gives up its remembered chunks after this. */
export const SETTLE_AFTER_MS = 60_000;

/** Devices remembered per gateway; beyond it those that were not seen for longest are forgotten. */
export const DEVICES_PER_GATEWAY_MAX = 4_096;
/** Channels in a device's entry. */
export const DEVICE_CHANNELS_MAX = 256;
/** A device without a profile is late, then silent, without a reading for so long. */
export const UNPROFILED_LATE_AFTER_MS = 10 * 60_000;
export const UNPROFILED_SILENT_AFTER_MS = 60 * 60_000;
/** States come every 10 s; a gateway that is online and says nothing for so long is silent. */
export const GATEWAY_SILENT_AFTER_MS = 35_000;
/** Ticks come every second: after a longer pause the collector was not running, and nobody is blamed for it. */
export const PAUSE_MS = 10_000;
/** After a cold start devices that show up are not announced as new for so long. */
export const COLD_QUIET_MS = 60 * 60_000;

/** Entries in one output record. */
export const ENTRIES_PER_RECORD_MAX = 256;
/** Chunk bytes in one readings record that had to be encoded again. */
export const RECORD_CHUNK_BYTES_MAX = 4 * 1024 * 1024;
/**
 * Up to so many chunk bytes a readings record is not compressed: it is read more than once, and opening
 * a small one would cost more than all else that is done with it.
 */
export const RECORD_PLAIN_BYTES_MAX = 8 * 1024;
/** Readings in one readings record: the writer holds the rows of one whole, and compression hides them. */
export const RECORD_READINGS_MAX = 65_536;
/** Bytes of a chunk or payload that quarantine keeps. */
export const HEAD_BYTES = 1_024;
