/** JSON Schema pieces that several routes share. Times are UTC milliseconds everywhere. */

import { TIME_MS_MAX, TIME_MS_MIN } from '../../proto/limits.ts';
import { FINDING_CODES, Treatment } from '../findings.ts';

export type JsonSchema = Record<string, unknown>;

export const NAME = { type: 'string', minLength: 1, maxLength: 128 } as const;
export const EPOCH = { type: 'string', pattern: '^[0-9a-f]{16}$' } as const;
export const TIME_MS = { type: 'integer', minimum: TIME_MS_MIN, maximum: TIME_MS_MAX } as const;
/** Who decides something. */
export const BY = {
  type: 'string',
  minLength: 1,
  maxLength: 128,
  default: 'operator',
  description:
    'Who decides it, for the records. Of users and tokens it is their name, whatever stands here.',
} as const;
export const NOTE = { type: 'string', maxLength: 500, default: '' } as const;
export const COUNT = { type: 'integer', minimum: 0 } as const;
export const CURSOR = {
  type: 'string',
  maxLength: 1_024,
  description: 'The `next` of the page before.',
} as const;

export const LIST_LIMIT_MAX = 1_000;

/** `limit` parameter of a list. */
export function limitSchema(preset: number, maximum: number): JsonSchema {
  return { type: 'integer', minimum: 1, maximum, default: preset };
}

/** All keys are required and no other is sent. */
export function object(properties: Record<string, JsonSchema>, description?: string): JsonSchema {
  return {
    type: 'object',
    ...(description === undefined ? {} : { description }),
    required: Object.keys(properties),
    additionalProperties: false,
    properties,
  };
}

export function nullable(schema: JsonSchema): JsonSchema {
  return { ...schema, type: [schema.type as string, 'null'] };
}

/** Parameters of the query; only those in `required` must be there, unknown ones are refused. */
export function query(
  properties: Record<string, JsonSchema>,
  required: readonly string[] = [],
): JsonSchema {
  return { type: 'object', additionalProperties: false, required, properties };
}

/** `{items, next}`; `next` is null on the last page. */
export function page(item: JsonSchema): JsonSchema {
  return object({
    items: { type: 'array', items: item },
    next: nullable({ type: 'string' }),
  });
}

export const ERROR = object(
  {
    error: object({
      code: { type: 'string' },
      message: { type: 'string' },
      hint: { type: 'string' },
    }),
  },
  'What went wrong: a code that stays the same, words for people, and what to do.',
);

export const VALUE = { type: ['number', 'string', 'null'] } as const;

/** OPC severity and reason as numbers travel, see proto/model.ts. */
export const QUALITY = {
  type: 'integer',
  minimum: 0,
  maximum: 255,
  description: 'Bits 0-1: 0 good, 1 uncertain, 2 bad. Bits 2-6: reason. Bit 7: has no value.',
} as const;

/** Names of Treatment, by number. */
export const TREATMENT_NAMES: readonly string[] = Object.entries(Treatment)
  .sort(([, a], [, b]) => a - b)
  .map(([name]) => name.toLowerCase());

export const TREATMENT = {
  enum: TREATMENT_NAMES,
  description:
    'kept and flagged: as it came; clipped: value is the nearer bound of the range; filled: value was made up and is in no statistic; missing: what came stands for "no value".',
} as const;

export const FINDINGS = {
  type: 'array',
  items: { enum: FINDING_CODES },
  description: 'What the rules said of the reading; empty: nothing.',
} as const;

export const RAW_VALUE = {
  type: ['number', 'null'],
  description: 'What came, where the treatment is clipped, filled or missing; else null.',
} as const;
