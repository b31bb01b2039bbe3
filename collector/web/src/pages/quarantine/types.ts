/** What the API answers about the quarantine. Times are UTC milliseconds. */

export interface Entry {
  id: string;
  site: string;
  gateway: string;
  /** '': a whole payload or chunk. */
  device: string;
  reason: string;
  /** Of the reason `rule` it begins with the code of the finding. */
  detail: string;
  time_ms: number;
  received_ms: number;
  epoch: string;
  /** 0: the whole payload could not be read. */
  seq: number;
  count: number;
  head_base64: string;
  reading: {
    device: string;
    channel: string;
    time_ms: number;
    value: number | string | null;
    kind: 'number' | 'boolean' | 'text';
    quality: number;
  } | null;
  releasable: boolean;
  released_ms: number | null;
  released_by: string | null;
  log_partition: number;
  log_offset: number;
}

export interface EntryWhole extends Entry {
  head_text: string;
  decoded: { format: 'json' | 'batch' | 'state'; text: string } | null;
}

export type SummaryBy = 'reason' | 'device' | 'day';

export interface Group {
  site: string;
  device: string;
  reason: string;
  day: string;
  from_ms: number | null;
  to_ms: number | null;
  entries: number;
  readings: number;
  releasable: number;
}
