/**
 * collector.yaml. Read whole and checked whole before anything connects: every mistake is said at once,
 * with its line. Environment variables override single values: FMS_COLLECTOR_ + the path of the key in
 * capitals, joined by __ (mqtt.max_connections → FMS_COLLECTOR_MQTT__MAX_CONNECTIONS). Of the lists only
 * `components` has one, with commas; maps have none.
 */

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { isTopicName } from '../proto/topics.ts';
import type { AccessPolicy } from './access/access.ts';
import schema from './config.schema.json' with { type: 'json' };
import { applyEnv } from './config_env.ts';
import type { GatewayConfig, GatewayContent } from './config_gateways.ts';
import { toGateways } from './config_gateways.ts';
import type { ServedTlsConfig, ServedTlsContent } from './config_served.ts';
import { isIssued, toServedTls } from './config_served.ts';
import type {
  AuthorityConfig,
  AuthorityContent,
  MqttTlsConfig,
  MqttTlsContent,
} from './config_trust.ts';
import { checkTrust, isServerName, toAuthority, toMqttTls } from './config_trust.ts';
import { CollectorError } from './errors.ts';
import type { NotifyConfig, NotifyContent } from './notify_config.ts';
import { toNotify } from './notify_config.ts';
import type { Path } from './yaml_file.ts';
import { checkSchema, readYaml } from './yaml_file.ts';

const HOUR_MS = 3_600_000;

export interface SiteConfig {
  /** IANA name. */
  timeZone: string;
  /** Local `HH:MM` at which the site's day starts. */
  dayStart: string;
}

/** How a channel is shown. Values are stored as they come. */
export interface ChannelConfig {
  unit: string;
  /** Undefined: as the gateway sends them. */
  decimals: number | undefined;
  /** Undefined: as the gateway says. */
  kind: 'number' | 'boolean' | undefined;
  /** The value that needs a person; booleans as 0 and 1. */
  attentionWhen: number | undefined;
}

export const COMPONENTS = ['intake', 'process', 'write', 'serve'] as const;
export type Component = (typeof COMPONENTS)[number];

/** PEM texts. */
export interface TlsConfig {
  ca: string | undefined;
  cert: string | undefined;
  key: string | undefined;
}

export interface OutsideBrokerConfig {
  url: string;
  username: string | undefined;
  password: string | undefined;
  clientId: string | undefined;
  shareGroup: string | undefined;
  tls: TlsConfig | undefined;
}

export interface KafkaConfig {
  brokers: string[];
  topicPrefix: string;
  replication: number;
  minInsync: number;
  tls: TlsConfig | undefined;
  sasl:
    | { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string }
    | undefined;
}

export interface ClickHouseConfig {
  url: string;
  database: string;
  username: string;
  password: string;
  tls: TlsConfig | undefined;
}

export interface CollectorConfig {
  /** Absolute. */
  file: string;
  /** Absolute. */
  dataDir: string;
  /** Absolute. Undefined: the built-in profile. */
  profilesDir: string | undefined;
  components: ReadonlySet<Component>;
  mqtt: {
    host: string;
    port: number;
    /** False: only `tls` listens. */
    plain: boolean;
    maxConnections: number;
    tls: MqttTlsConfig | undefined;
    /** Subscribes there instead of listening. */
    outside: OutsideBrokerConfig | undefined;
  };
  authority: AuthorityConfig;
  http: {
    host: string;
    port: number;
    allowedHosts: string[];
    /** Undefined: http.host, or the name of this machine. */
    advertisedHost: string | undefined;
    /** Addresses and networks (CIDR) whose X-Forwarded-For and -Proto count. */
    trustedProxies: string[];
    /** Undefined: it speaks http. */
    tls: ServedTlsConfig | undefined;
  };
  access: AccessPolicy;
  /** Undefined: there is none. */
  clickhouseHttp: { host: string; port: number; tls: ServedTlsConfig | undefined } | undefined;
  log: {
    partitions: number;
    maxBytes: number;
    retentionBytes: number;
    retentionHours: number;
    /** Undefined: a file in data_dir. */
    kafka: KafkaConfig | undefined;
  };
  store: {
    retentionDays: number;
    maxBytes: number;
    minFreeBytes: number;
    /** Undefined: a folder in data_dir. */
    clickhouse: ClickHouseConfig | undefined;
  };
  logging: { level: string };
  notify: NotifyConfig;
  sites: Map<string, SiteConfig>;
  channels: Map<string, ChannelConfig>;
  gateways: GatewayConfig[];
}

/** The file's own shape, after the schema has passed. */
interface FileContent {
  data_dir: string;
  profiles_dir?: string;
  components: Component[];
  mqtt: {
    host: string;
    port: number;
    plain: boolean;
    max_connections: number;
    tls?: MqttTlsContent;
    outside?: OutsideContent;
  };
  ca: AuthorityContent;
  http: {
    host: string;
    port: number;
    allowed_hosts: string[];
    advertised_host?: string;
    trusted_proxies: string[];
    tls?: ServedTlsContent;
  };
  access: AccessContent;
  clickhouse_http?: { host: string; port: number; tls?: ServedTlsContent };
  log: {
    partitions: number;
    max_bytes: number;
    retention_bytes: number;
    retention_hours: number;
    kafka?: KafkaContent;
  };
  store: {
    retention_days: number;
    max_bytes: number;
    min_free_bytes: number;
    clickhouse?: ClickHouseContent;
  };
  logging: { level: string };
  notify: NotifyContent;
  sites: Record<string, { time_zone: string; day_start: string }>;
  channels: Record<string, ChannelContent>;
  gateways: GatewayContent[];
}

interface AccessContent {
  this_machine: AccessPolicy['thisMachine'];
  anonymous: AccessPolicy['anonymous'];
  metrics: AccessPolicy['metrics'];
  session_idle_hours: number;
  session_hours: number;
}

interface TlsContent {
  ca_file?: string;
  cert_file?: string;
  key_file?: string;
}

interface OutsideContent {
  url: string;
  username?: string;
  password_file?: string;
  client_id?: string;
  share_group?: string;
  tls?: TlsContent;
}

interface KafkaContent {
  brokers: string[];
  topic_prefix: string;
  replication: number;
  min_insync: number;
  tls?: TlsContent;
  sasl?: {
    mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    username: string;
    password_file: string;
  };
}

interface ClickHouseContent {
  url: string;
  database: string;
  username: string;
  password_file?: string;
  tls?: TlsContent;
}

interface ChannelContent {
  unit: string;
  decimals?: number;
  kind?: 'number' | 'boolean';
  attention_when?: number | boolean;
}

/** Carries every mistake, each `file:line: what`. */
export class ConfigInvalid extends CollectorError {
  readonly mistakes: readonly string[];
  constructor(mistakes: readonly string[]) {
    super('COLLECTOR_CONFIG_INVALID', mistakes.join('\n'));
    this.mistakes = mistakes;
  }
}

/**
 * Reads, overrides, checks. Throws ConfigInvalid with all mistakes, or CollectorError
 * COLLECTOR_CONFIG_UNREADABLE.
 */
export function loadConfig(
  path: string,
  env: Record<string, string | undefined> = {},
): CollectorConfig {
  const file = resolve(path);
  const yaml = readYaml(file);
  const said = yaml.mistakes.map((m) => ({
    line: m.line,
    text: `${file}:${m.line}: ${m.message}`,
  }));
  if (yaml.value === undefined) throw new ConfigInvalid(said.map((s) => s.text));

  const overrides = new Map<string, string>();
  const lost: string[] = [];
  applyEnv(yaml.value, env, overrides, lost);
  const say = (path: Path, message: string): void => {
    const variable = path
      .map((_, i) => overrides.get(path.slice(0, i + 1).join('.')))
      .find((name) => name !== undefined);
    const line = variable === undefined ? yaml.lineOf(path) : 0;
    const where = variable === undefined ? `${file}:${line}` : `environment ${variable}`;
    said.push({ line, text: `${where}: ${message}` });
  };
  const formats = {
    topic_name: isTopicName,
    time_zone: isTimeZone,
    network: isNetwork,
    server_name: isServerName,
  };
  for (const mistake of checkSchema(schema, yaml.value, formats))
    say(mistake.path, mistake.message);
  const config =
    said.length === 0 ? toConfig(file, yaml.value as FileContent, env, say) : undefined;

  said.sort((a, b) => a.line - b.line);
  const mistakes = [...said.map((s) => s.text), ...lost];
  if (config === undefined || mistakes.length > 0) throw new ConfigInvalid(mistakes);
  return config;
}

function toConfig(
  file: string,
  content: FileContent,
  env: Record<string, string | undefined>,
  say: (path: Path, message: string) => void,
): CollectorConfig {
  const { mqtt, http, log } = content;
  if (mqtt.port !== 0 && mqtt.port === http.port && mqtt.host === http.host)
    say(['http', 'port'], `http.port: ${http.port} is mqtt.port too`);
  checkClickHouseHttp(content, say);
  if (log.retention_bytes > log.max_bytes)
    say(['log', 'retention_bytes'], 'log.retention_bytes must not exceed log.max_bytes');
  const read = fileReader(file, say);
  const { kafka } = log;
  const { clickhouse } = content.store;
  const { outside } = mqtt;
  checkComponents(content, say);
  // Files of one's own need no authority.
  const issued = [http.tls, content.clickhouse_http?.tls].find(isIssued);
  checkTrust({ ...content, http: issued === undefined ? {} : { tls: issued } }, say);
  if (kafka !== undefined && kafka.min_insync > kafka.replication)
    say(['log', 'kafka', 'min_insync'], 'log.kafka.min_insync must not exceed replication');
  return {
    file,
    dataDir: resolve(dirname(file), content.data_dir),
    profilesDir: content.profiles_dir && resolve(dirname(file), content.profiles_dir),
    components: new Set(content.components),
    mqtt: {
      host: mqtt.host,
      port: mqtt.port,
      plain: mqtt.plain,
      maxConnections: mqtt.max_connections,
      tls: toMqttTls(file, mqtt.tls, read, say),
      outside: outside && {
        url: outside.url,
        username: outside.username,
        password: read(['mqtt', 'outside'], 'password_file', outside.password_file),
        clientId: outside.client_id,
        shareGroup: outside.share_group,
        tls: toTls(['mqtt', 'outside', 'tls'], outside.tls, read),
      },
    },
    authority: toAuthority(content.ca, read, say),
    http: {
      host: http.host,
      port: http.port,
      allowedHosts: http.allowed_hosts,
      advertisedHost: http.advertised_host,
      trustedProxies: http.trusted_proxies,
      tls: toServedTls(file, ['http', 'tls'], http.tls, read, say),
    },
    clickhouseHttp: content.clickhouse_http && {
      host: content.clickhouse_http.host,
      port: content.clickhouse_http.port,
      tls: toServedTls(file, ['clickhouse_http', 'tls'], content.clickhouse_http.tls, read, say),
    },
    access: toAccess(content.access),
    log: {
      partitions: log.partitions,
      maxBytes: log.max_bytes,
      retentionBytes: log.retention_bytes,
      retentionHours: log.retention_hours,
      kafka: kafka && {
        brokers: kafka.brokers,
        topicPrefix: kafka.topic_prefix,
        replication: kafka.replication,
        minInsync: kafka.min_insync,
        tls: toTls(['log', 'kafka', 'tls'], kafka.tls, read),
        sasl: kafka.sasl && {
          mechanism: kafka.sasl.mechanism,
          username: kafka.sasl.username,
          password: read(['log', 'kafka', 'sasl'], 'password_file', kafka.sasl.password_file) ?? '',
        },
      },
    },
    store: {
      retentionDays: content.store.retention_days,
      maxBytes: content.store.max_bytes,
      minFreeBytes: content.store.min_free_bytes,
      clickhouse: clickhouse && {
        url: clickhouse.url,
        database: clickhouse.database,
        username: clickhouse.username,
        password: read(['store', 'clickhouse'], 'password_file', clickhouse.password_file) ?? '',
        tls: toTls(['store', 'clickhouse', 'tls'], clickhouse.tls, read),
      },
    },
    logging: content.logging,
    notify: toNotify(content.notify, { env, read, say }),
    sites: new Map(
      Object.entries(content.sites).map(([name, site]) => [
        name,
        { timeZone: site.time_zone, dayStart: site.day_start },
      ]),
    ),
    channels: new Map(
      Object.entries(content.channels).map(([name, channel]) => [
        name,
        {
          unit: channel.unit,
          decimals: channel.decimals,
          kind: channel.kind,
          attentionWhen:
            channel.attention_when === undefined ? undefined : Number(channel.attention_when),
        },
      ]),
    ),
    gateways: toGateways(file, content.gateways, say),
  };
}

function toAccess(access: AccessContent): AccessPolicy {
  const longestMs = access.session_hours * HOUR_MS;
  const idleMs = Math.min(access.session_idle_hours * HOUR_MS, longestMs);
  return {
    thisMachine: access.this_machine,
    anonymous: access.anonymous,
    metrics: access.metrics,
    session: { idleMs, longestMs },
  };
}

function checkClickHouseHttp(
  { clickhouse_http: own, http, mqtt, components }: FileContent,
  say: (path: Path, message: string) => void,
): void {
  if (own === undefined) return;
  for (const [name, other] of Object.entries({ http, mqtt }))
    if (own.port !== 0 && own.port === other.port && own.host === other.host)
      say(['clickhouse_http', 'port'], `clickhouse_http.port: ${own.port} is ${name}.port too`);
  if (!components.includes('serve'))
    say(['clickhouse_http'], 'clickhouse_http: only a process with component serve answers SQL');
}

/** What one process cannot do alone, because the others could not reach what lies in its data_dir. */
function checkComponents(
  { components, log, store }: FileContent,
  say: (path: Path, message: string) => void,
): void {
  const has = new Set(components);
  const missing = COMPONENTS.filter((component) => !has.has(component));
  if (missing.length > 0 && log.kafka === undefined)
    say(
      ['components'],
      `components: ${missing.join(', ')} is missing: without log.kafka the log is a file in data_dir, and one process runs them all`,
    );
  else if (has.has('write') !== has.has('serve') && store.clickhouse === undefined)
    say(
      ['components'],
      'components: without store.clickhouse the store is a folder in data_dir, and one process runs both write and serve',
    );
}

/** Reads a file that the configuration names, without the white space at its ends; says so when it cannot. */
type FileReader = (at: Path, key: string, name: string | undefined) => string | undefined;

function fileReader(file: string, say: (path: Path, message: string) => void): FileReader {
  return (at, key, name) => {
    if (name === undefined) return undefined;
    try {
      return readFileSync(resolve(dirname(file), name), 'utf8').trim();
    } catch (error) {
      say([...at, key], `${[...at, key].join('.')} cannot be read: ${(error as Error).message}`);
      return undefined;
    }
  };
}

function toTls(at: Path, tls: TlsContent | undefined, read: FileReader): TlsConfig | undefined {
  return (
    tls && {
      ca: read(at, 'ca_file', tls.ca_file),
      cert: read(at, 'cert_file', tls.cert_file),
      key: read(at, 'key_file', tls.key_file),
    }
  );
}

/** An address, or a network such as 10.0.0.0/8. */
function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  );
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
