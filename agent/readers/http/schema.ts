/** The `http:` block of a device and its channels. */

import { channelTypeSchema, coerceSchema, timeFormatSchema, timeZoneSchema } from '../schemas.ts';
import type { JsonSchema } from '../spec.ts';

const NAME = { type: 'string', minLength: 1 };

export const deviceSchema: JsonSchema = {
  title: 'HTTP',
  description: 'A device that answers a GET request with a JSON object.',
  type: 'object',
  additionalProperties: false,
  required: ['url'],
  properties: {
    url: {
      title: 'URL',
      description: 'http:// or https:// address that answers with the current values.',
      type: 'string',
      pattern: '^https?://',
    },
    time_field: {
      ...NAME,
      title: 'Time field',
      description:
        'Where the answer says when it was measured. Left out: the time of arrival is taken. An answer without it is rejected.',
    },
    time_format: timeFormatSchema,
    time_zone: timeZoneSchema,
    device_field: {
      ...NAME,
      title: 'Device field',
      description:
        'Where the answer says which device it is from. An answer without it, or from another device, is rejected.',
    },
    device_id: {
      ...NAME,
      title: 'Device id',
      description: "What the device field must say; default: the device's name.",
    },
    max_bytes: {
      title: 'Largest answer',
      description: 'A longer body is cut off and rejected.',
      type: 'integer',
      minimum: 64,
      maximum: 16_777_216,
      default: 65_536,
    },
    headers: {
      title: 'Headers',
      description: 'Further request headers.',
      type: 'object',
      additionalProperties: { type: 'string' },
      default: {},
    },
    username: { ...NAME, title: 'User', description: 'For HTTP basic authentication.' },
    password: { type: 'string', title: 'Password' },
    password_file: { ...NAME, title: 'Password file', description: 'A file that holds it.' },
    password_env: { ...NAME, title: 'Password variable', description: 'An environment variable.' },
    token: { ...NAME, title: 'Bearer token' },
    token_file: { ...NAME, title: 'Token file', description: 'A file that holds it.' },
    token_env: { ...NAME, title: 'Token variable', description: 'An environment variable.' },
    ca_file: {
      ...NAME,
      title: 'CA file',
      description: 'PEM file of the authority that signed the device’s certificate.',
    },
  },
};

export const channelSchema: JsonSchema = {
  title: 'HTTP channel',
  type: 'object',
  additionalProperties: false,
  properties: {
    field: {
      ...NAME,
      title: 'Field',
      description:
        "Dotted path in the answer (data.motors.0.rpm); default: the channel's name. A key that holds the whole path goes first.",
    },
    type: channelTypeSchema,
    coerce: coerceSchema,
  },
};
