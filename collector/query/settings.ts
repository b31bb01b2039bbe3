/** Which settings may come with a statement of a person, and how far. */

import type { AskLimits } from '../store/asking.ts';

/** Of our own limits: a statement may ask for less. */
const LIMITED = new Set([
  'max_execution_time',
  'max_memory_usage',
  'max_result_bytes',
  'max_threads',
]);

/** Numbers that only make a statement smaller or its answer come in other pieces. */
const NUMBERS = new Set([
  'max_result_rows',
  'max_rows_to_read',
  'max_bytes_to_read',
  'max_block_size',
  'limit',
  'offset',
  'extremes',
  'final',
  'join_use_nulls',
  'group_by_use_nulls',
  'aggregate_functions_null_for_empty',
  'cast_keep_nullable',
  'prefer_column_name_to_alias',
  'output_format_json_quote_64bit_integers',
  'output_format_json_quote_64bit_floats',
  'output_format_json_quote_denormals',
  'output_format_json_quote_decimals',
  'output_format_json_named_tuples_as_objects',
  'output_format_json_array_of_rows',
  'output_format_json_escape_forward_slashes',
  'output_format_json_skip_null_value_in_named_tuples',
  'output_format_decimal_trailing_zeros',
  'output_format_csv_crlf_end_of_line',
  'output_format_tsv_crlf_end_of_line',
  'output_format_pretty_max_rows',
  'output_format_pretty_row_numbers',
  'output_format_pretty_color',
  'output_format_write_statistics',
  'output_format_parquet_string_as_string',
  'output_format_arrow_string_as_string',
  'output_format_native_encode_types_in_binary_format',
  'output_format_native_use_flattened_dynamic_and_json_serialization',
  'output_format_binary_encode_types_in_binary_format',
  'output_format_binary_write_json_as_string',
]);

/** Words out of a list. */
const WORDS: Readonly<Record<string, RegExp>> = {
  date_time_output_format: /^(simple|iso|unix_timestamp)$/,
  session_timezone: /^[A-Za-z0-9_+/-]{0,64}$/,
  union_default_mode: /^(ALL|DISTINCT|)$/,
  read_overflow_mode: /^(throw|break)$/,
  join_algorithm: /^(default|auto|hash|parallel_hash|full_sorting_merge|direct)$/,
  output_format_parquet_compression_method: /^(none|snappy|zstd|lz4|gzip|brotli)$/,
  output_format_arrow_compression_method: /^(none|zstd|lz4_frame)$/,
  format_csv_delimiter: /^[^\\'\n\r]$/,
  format_csv_null_representation: /^[^\\'\n\r]{0,16}$/,
  format_tsv_null_representation: /^(\\N|[^\\'\n\r]{0,16})$/,
};

/** Of a server's transport, its logs or its caches: they change nothing here, and clients send them. */
const IGNORED = new Set([
  'readonly',
  'wait_end_of_query',
  'buffer_size',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'http_response_buffer_size',
  'http_write_exception_in_output_format',
  'http_zlib_compression_level',
  'http_make_head_request',
  'cancel_http_readonly_queries_on_client_close',
  'enable_http_compression',
  'client_protocol_version',
  'timeout_overflow_mode',
  'result_overflow_mode',
  'log_queries',
  'log_comment',
  'query_cache_ttl',
  'use_query_cache',
  'allow_experimental_analyzer',
  'enable_analyzer',
  'connect_timeout',
  'receive_timeout',
  'send_timeout',
]);

const NUMBER = /^\d{1,19}(\.\d{1,9})?$/;

export interface FittingSettings {
  /** Beside the limits. */
  settings: Map<string, string>;
  limits: AskLimits;
}

/** A setting that may not come with a statement. */
export interface Unfit {
  name: string;
  why: 'unknown' | 'value';
}

export function fitSettings(
  asked: ReadonlyMap<string, string>,
  limits: AskLimits,
): FittingSettings | Unfit {
  const settings = new Map<string, string>();
  const own = { ...limits };
  for (const [name, value] of asked) {
    if (IGNORED.has(name)) continue;
    const words = Object.hasOwn(WORDS, name) ? WORDS[name] : undefined;
    if (words?.test(value)) settings.set(name, value);
    else if (words !== undefined) return { name, why: 'value' };
    else if (LIMITED.has(name) || NUMBERS.has(name)) {
      const number = numberOf(value);
      if (number === undefined) return { name, why: 'value' };
      if (LIMITED.has(name)) lower(own, name, number);
      else settings.set(name, number);
    } else return { name, why: 'unknown' };
  }
  return { settings, limits: own };
}

function numberOf(value: string): string | undefined {
  if (value === 'true') return '1';
  if (value === 'false') return '0';
  return NUMBER.test(value) ? value : undefined;
}

/** 0 is the engine's word for no limit: ours holds then. */
function lower(limits: AskLimits, name: string, text: string): void {
  const value = Number(text);
  if (value === 0) return;
  if (name === 'max_execution_time')
    limits.timeoutMs = Math.min(limits.timeoutMs, Math.max(1, value * 1_000));
  else if (name === 'max_memory_usage')
    limits.maxMemoryBytes = Math.min(limits.maxMemoryBytes, Math.ceil(value));
  else if (name === 'max_result_bytes')
    limits.maxResultBytes = Math.min(limits.maxResultBytes, Math.ceil(value));
  else limits.maxThreads = Math.min(limits.maxThreads, Math.ceil(value));
}
