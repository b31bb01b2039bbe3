/** Formats that an answer may have: none of them reads a file or needs a schema. */

import { GateRefusal } from '../query/refusal.ts';

const JSON_TYPE = 'application/json; charset=UTF-8';
const LINES_TYPE = 'application/x-ndjson; charset=UTF-8';
const TEXT_TYPE = 'text/plain; charset=UTF-8';
const BYTES_TYPE = 'application/octet-stream';

const FAMILIES: readonly [type: string, names: string][] = [
  [
    JSON_TYPE,
    'JSON JSONStrings JSONColumns JSONColumnsWithMetadata JSONCompact JSONCompactStrings JSONCompactColumns JSONObjectEachRow GeoJSON',
  ],
  [
    LINES_TYPE,
    `JSONEachRow JSONLines NDJSON JSONL PrettyJSONEachRow JSONStringsEachRow JSONCompactEachRow JSONCompactEachRowWithNames
     JSONCompactEachRowWithNamesAndTypes JSONCompactStringsEachRow JSONCompactStringsEachRowWithNames
     JSONCompactStringsEachRowWithNamesAndTypes JSONEachRowWithProgress JSONStringsEachRowWithProgress
     JSONCompactEachRowWithProgress JSONCompactStringsEachRowWithProgress`,
  ],
  ['text/csv; charset=UTF-8; header=absent', 'CSV'],
  ['text/csv; charset=UTF-8; header=present', 'CSVWithNames CSVWithNamesAndTypes'],
  [
    'text/tab-separated-values; charset=UTF-8',
    `TabSeparated TabSeparatedRaw TabSeparatedWithNames TabSeparatedWithNamesAndTypes TabSeparatedRawWithNames
     TabSeparatedRawWithNamesAndTypes TSV TSVRaw TSVWithNames TSVWithNamesAndTypes TSVRawWithNames
     TSVRawWithNamesAndTypes Raw`,
  ],
  [
    TEXT_TYPE,
    `Pretty PrettyCompact PrettyCompactMonoBlock PrettyNoEscapes PrettyCompactNoEscapes PrettyMonoBlock PrettySpace
     Values Vertical TSKV Markdown CustomSeparated CustomSeparatedWithNames SQLInsert Null LineAsString`,
  ],
  ['application/xml; charset=UTF-8', 'XML'],
  [
    BYTES_TYPE,
    'Native RowBinary RowBinaryWithNames RowBinaryWithNamesAndTypes Parquet Arrow ArrowStream ORC Avro MsgPack BSONEachRow Npy RawBLOB Hash',
  ],
];

const TYPES = new Map(
  FAMILIES.flatMap(([type, names]) => names.split(/\s+/).map((name) => [name, type] as const)),
);

export const FORMAT_DEFAULT = 'TabSeparated';

/** Throws a GateRefusal. */
export function allowedFormat(name: string): string {
  if (!TYPES.has(name))
    throw new GateRefusal(`Unknown format ${name.slice(0, 64)} here.`, 'format');
  return name;
}

export function contentTypeOf(format: string): string {
  return TYPES.get(format) ?? BYTES_TYPE;
}
