/** The `command:` block of a device and its channels. */

import { channelTypeSchema, coerceSchema, timeFormatSchema, timeZoneSchema } from '../schemas.ts';
import type { JsonSchema } from '../spec.ts';

const NAME = { type: 'string', minLength: 1 };

export const deviceSchema: JsonSchema = {
  title: 'Command',
  description: 'A program that prints one JSON object a line.',
  type: 'object',
  additionalProperties: false,
  required: ['argv'],
  properties: {
    argv: {
      title: 'Program and arguments',
      description: 'Started as it stands, without a shell.',
      type: 'array',
      items: { type: 'string' },
      minItems: 1,
    },
    cwd: {
      ...NAME,
      title: 'Working directory',
      description: 'Default: the folder of the configuration file.',
    },
    env: {
      title: 'Environment',
      description: "Added to the agent's own, without its FMS_AGENT_* variables.",
      type: 'object',
      additionalProperties: { type: 'string' },
      default: {},
    },
    device_id: {
      ...NAME,
      title: 'Device id',
      description: "What a line's device must say if it says one; default: the device's name.",
    },
    time_format: timeFormatSchema,
    time_zone: timeZoneSchema,
    max_line_bytes: {
      title: 'Longest line',
      description: 'A longer one is skipped and rejected.',
      type: 'integer',
      minimum: 64,
      maximum: 1_048_576,
      default: 65_536,
    },
    restart: {
      title: 'Restart',
      description:
        'always: start the program again when it ends. on_failure: an exit with code 0 is the end of the source.',
      enum: ['always', 'on_failure'],
      default: 'always',
    },
    stop_ms: {
      title: 'Time to stop',
      description:
        'How long the program may take to end after SIGTERM; then its process group is killed.',
      type: 'integer',
      minimum: 0,
      maximum: 1_000,
      default: 800,
    },
  },
};

export const channelSchema: JsonSchema = {
  title: 'Command channel',
  type: 'object',
  additionalProperties: false,
  properties: {
    field: {
      ...NAME,
      title: 'Field',
      description: "The key in `values`; default: the channel's name.",
    },
    type: channelTypeSchema,
    coerce: coerceSchema,
  },
};
