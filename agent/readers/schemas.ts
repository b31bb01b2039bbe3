/** Pieces of JSON Schema that several readers use. */

import type { JsonSchema } from './spec.ts';

export const channelTypeSchema: JsonSchema = {
  title: 'Type',
  description: 'What the channel measures. A value of another type is marked bad (wrong type).',
  enum: ['number', 'string', 'boolean'],
  default: 'number',
};

export const coerceSchema: JsonSchema = {
  title: 'Coerce',
  description:
    'Take "23.7" in a number channel, 0, 1, "true" and "false" in a boolean one, and any scalar in a string one, instead of marking it bad.',
  type: 'boolean',
  default: false,
};

export const timeFormatSchema: JsonSchema = {
  title: 'Time format',
  description:
    'auto: text is ISO 8601, a number below 1e11 is epoch seconds, above it epoch milliseconds.',
  enum: ['auto', 'iso', 'epoch_s', 'epoch_ms'],
  default: 'auto',
};

export const timeZoneSchema: JsonSchema = {
  title: 'Time zone',
  description: 'IANA name (Asia/Seoul) for times that name no offset.',
  type: 'string',
  minLength: 1,
  default: 'UTC',
};
