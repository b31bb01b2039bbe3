/**
 * The shape of agent.yaml and of conf.d/*.yaml. The readers bring the parts that are theirs;
 * agent/config.schema.json is this as a file for editors (a test keeps it equal).
 */

import { isTopicName } from '../../proto/topics.ts';
import { logLevels } from '../log.ts';
import type { JsonSchema, ReaderType } from '../readers/spec.ts';

export type ReaderTypes = Readonly<Record<string, ReaderType>>;

/** An alias, not an interface: it has to pass for a plain JsonSchema. */
type ObjectSchema = {
  type: 'object';
  description?: string;
  default?: Record<string, never>;
  additionalProperties: false;
  required?: readonly string[];
  properties: Readonly<Record<string, JsonSchema>>;
};

export const DATA_DIR = './agent-data';
const KIB = 1024;
const DAY_MS = 86_400_000;

function integer(range: {
  minimum: number;
  maximum: number;
  default?: number;
  description: string;
}): JsonSchema {
  return { type: 'integer', ...range };
}

function section(
  description: string,
  properties: Readonly<Record<string, JsonSchema>>,
): ObjectSchema {
  return { type: 'object', description, default: {}, additionalProperties: false, properties };
}

const topicName: JsonSchema = {
  type: 'string',
  minLength: 1,
  maxLength: 128,
  pattern: '^[\\p{L}\\p{N}][\\p{L}\\p{N}._-]*$',
  $comment: 'a letter or digit of any script, then also . _ -',
};

/** Names of devices and channels: anything printable; the wire's limit in bytes is checked apart. */
const name: JsonSchema = {
  type: 'string',
  minLength: 1,
  maxLength: 128,
  pattern: '^[^\\p{Cc}]+$',
  $comment: 'printable characters',
};

const collector: ObjectSchema = {
  type: 'object',
  description: 'The collector that the readings go to. `fms-agent enroll` makes it unnecessary.',
  additionalProperties: false,
  properties: {
    url: {
      type: 'string',
      minLength: 1,
      description: 'mqtt://host:1883 or, encrypted, mqtts://host:8883.',
    },
    token: { type: 'string', minLength: 1, description: "This gateway's secret." },
    token_file: {
      type: 'string',
      minLength: 1,
      description: 'File that holds the token, instead of token.',
    },
    ca_file: {
      type: 'string',
      minLength: 1,
      description:
        "PEM of the authority that signed the collector's certificate (mqtts); default: the system's.",
    },
    cert_file: {
      type: 'string',
      minLength: 1,
      description:
        "PEM of this gateway's certificate, when it comes from elsewhere than `fms-agent enroll`; its common name is site/gateway.",
    },
    key_file: { type: 'string', minLength: 1, description: 'PEM of the key to cert_file.' },
  },
};

const buffer = section('Where readings wait until the collector has them.', {
  commit_interval_ms: integer({
    minimum: 0,
    maximum: 10_000,
    default: 250,
    description: 'Readings are committed to the disk this often; longer spares flash memory.',
  }),
  max_bytes: integer({
    minimum: 1024 * KIB,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 1_073_741_824,
    description: 'Largest size of the buffer; beyond it the oldest readings go, declared.',
  }),
  max_age_hours: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 87_600,
    default: 720,
    description: 'Older readings go, declared.',
  },
  min_free_bytes: integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 268_435_456,
    description: 'Free space that the buffer leaves on its disk.',
  }),
  key_file: {
    type: 'string',
    minLength: 1,
    description:
      'Keys that readings are encrypted with on the disk, one a line: 32 random bytes as 64 hex digits or base64. The first encrypts, all decrypt. Left out: the systemd credential buffer.key, when there is one.',
  },
  encrypt: {
    type: 'boolean',
    description:
      'Whether new readings are encrypted on the disk. Left out: when there is a key. true: never without one. false: the keys only decrypt what is encrypted already.',
  },
  accept_plaintext: {
    type: 'boolean',
    default: true,
    description:
      'With encryption: whether readings in a buffer from before it are taken over. false, once they are: a file that somebody put in its place is refused.',
  },
});

const forwarder = section('How readings go to the collector.', {
  window_batches: integer({
    minimum: 1,
    maximum: 256,
    default: 8,
    description: 'Batches under way at once.',
  }),
  batch_readings: integer({
    minimum: 100,
    maximum: 1_000_000,
    default: 10_000,
    description: 'Largest batch, in readings.',
  }),
  batch_bytes: integer({
    minimum: 4 * KIB,
    maximum: 512 * KIB,
    default: 262_144,
    description: 'Largest batch, in bytes before compression.',
  }),
  publish_timeout_ms: integer({
    minimum: 100,
    maximum: 3_600_000,
    default: 30_000,
    description: 'Without any acknowledgement for this long the connection is made anew.',
  }),
  keepalive_s: integer({
    minimum: 1,
    maximum: 3_600,
    default: 30,
    description: 'MQTT keepalive.',
  }),
  state_interval_ms: integer({
    minimum: 100,
    maximum: 3_600_000,
    default: 10_000,
    description: "How often the gateway's state is published.",
  }),
  backoff_max_ms: integer({
    minimum: 100,
    maximum: 3_600_000,
    default: 60_000,
    description: 'Longest pause between attempts to connect.',
  }),
});

const mqtt = section('What an acknowledgement is.', {
  acknowledged_by: {
    type: 'string',
    enum: ['broker', 'collector'],
    default: 'broker',
    description:
      "Whose word removes readings from the buffer. broker: the PUBACK, for the collector's own broker. collector: its message on this gateway's command topic; needed with any other broker, whose PUBACK does not mean that the collector has them.",
  },
  resend_after_ms: integer({
    minimum: 100,
    maximum: 3_600_000,
    default: 30_000,
    description:
      'With acknowledged_by collector: a batch without its word is sent again after this, then with growing pauses (up to 5 min).',
  }),
});

const clock = section("The gateway's clock.", {
  hold_seconds: integer({
    minimum: 0,
    maximum: 86_400,
    default: 900,
    description: 'How long readings timed by a wrong clock wait for its correction.',
  }),
});

const status = section('The status page and metrics, for this machine.', {
  enabled: { type: 'boolean', default: true },
  host: { type: 'string', minLength: 1, default: '127.0.0.1' },
  port: integer({
    minimum: 0,
    maximum: 65_535,
    default: 9_464,
    description: '0: any free port; data_dir/status.json names it.',
  }),
});

const log = section('The log, on stderr.', {
  level: { type: 'string', enum: logLevels, default: 'info' },
});

/**
 * All of agent.yaml but the devices, and of each file of conf.d. site, gateway and collector are needed
 * unless the gateway is enrolled, which no schema can tell.
 */
export const agentSchema: ObjectSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    site: { ...topicName, description: 'The plant. Known by itself once enrolled.' },
    gateway: {
      ...topicName,
      description: 'This machine; unique within the site. Known by itself once enrolled.',
    },
    data_dir: {
      type: 'string',
      minLength: 1,
      default: DATA_DIR,
      description: 'Folder of the buffer; relative to this file.',
    },
    collector,
    buffer,
    forwarder,
    mqtt,
    clock,
    status,
    log,
    devices: {
      type: 'array',
      default: [],
      description: 'What is read; the lists of all files add up.',
    },
  },
};

const reportSchema: JsonSchema = {
  type: 'object',
  description: 'Report by exception: only what changed enough is taken.',
  additionalProperties: false,
  properties: {
    deadband: {
      type: 'number',
      minimum: 0,
      description: 'A change must be larger than this.',
    },
    deadband_percent: {
      type: 'number',
      minimum: 0,
      description: 'A change must be larger than this part of the last reported value.',
    },
    min_interval_ms: integer({
      minimum: 0,
      maximum: DAY_MS,
      description: 'Changes sooner than this after the last reported value wait.',
    }),
    max_interval_ms: integer({
      minimum: 1,
      maximum: 365 * DAY_MS,
      description: 'After this long the value is reported even if it did not change.',
    }),
  },
};

const watchdog = integer({
  minimum: 0,
  maximum: DAY_MS,
  default: 60_000,
  description: 'Age of the last good sample at which the reader is restarted; 0: never.',
});

const timeout = integer({
  minimum: 1,
  maximum: 3_600_000,
  default: 5_000,
  description: 'How long one answer may take.',
});

const polledKeys: Readonly<Record<string, JsonSchema>> = {
  interval_ms: integer({
    minimum: 10,
    maximum: 31 * DAY_MS,
    default: 10_000,
    description: "The device is asked at the wall clock's multiples of this.",
  }),
  jitter_ms: integer({
    minimum: 0,
    maximum: DAY_MS,
    default: 0,
    description: 'Spreads the questions by up to this much.',
  }),
  retries: integer({
    minimum: 0,
    maximum: 100,
    default: 2,
    description: 'Further attempts before the next interval.',
  }),
};

/** One entry of `devices` for one kind of reader. */
export function deviceSchema(readerName: string, type: ReaderType): ObjectSchema {
  const channel = type.channelSchema as { properties?: Readonly<Record<string, JsonSchema>> };
  const required = ['name', 'reader', readerName, ...(type.channelsRequired ? ['channels'] : [])];
  return {
    type: 'object',
    description: type.title,
    additionalProperties: false,
    required,
    properties: {
      name: { ...name, description: 'Unique within the gateway; its name in the collector.' },
      reader: { const: readerName },
      ...(type.kind === 'polled' ? polledKeys : {}),
      timeout_ms: timeout,
      watchdog_ms: watchdog,
      [readerName]: type.deviceSchema,
      channels: {
        type: 'object',
        description: 'What is taken, by channel name.',
        ...(type.channelsRequired ? { minProperties: 1 } : {}),
        propertyNames: name,
        additionalProperties: {
          ...type.channelSchema,
          properties: { ...channel.properties, report: reportSchema },
        },
      },
    },
  };
}

/** The whole as one JSON Schema: what editors use. */
export function publishedSchema(readerTypes: ReaderTypes): JsonSchema {
  const names = Object.keys(readerTypes);
  const device: JsonSchema = {
    type: 'object',
    required: ['name', 'reader'],
    properties: { reader: { enum: names } },
    allOf: names.map((readerName) => ({
      if: { properties: { reader: { const: readerName } }, required: ['reader'] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: deviceSchema(readerName, readerTypes[readerName]!),
    })),
  };
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'fms-agent: agent.yaml',
    ...agentSchema,
    properties: {
      ...agentSchema.properties,
      devices: { ...agentSchema.properties.devices, items: { $ref: '#/definitions/device' } },
    },
    definitions: { device },
  };
}

/** Whether a site or gateway name may stand in a topic (its length in bytes too, which no pattern tells). */
export function fitsTopic(text: string): boolean {
  return isTopicName(text);
}
