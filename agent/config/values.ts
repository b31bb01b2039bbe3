/** The configuration as the program uses it, and how it is made of checked YAML data. */

import { resolve } from 'node:path';
import type { LogLevel } from '../log.ts';
import type { ReaderSpec } from '../readers/spec.ts';
import type { ReportRule } from '../report.ts';

/** agent.yaml as it is used: paths absolute, secrets read, units in the names, defaults filled in. */
export interface AgentConfig {
  site: string;
  gateway: string;
  dataDir: string;
  collector: {
    url: string;
    token: string | undefined;
    /** PEM. */
    ca: string | undefined;
    /** A certificate from elsewhere, and its key; PEM. */
    own?: { cert: string; key: string };
    /** Authorities, certificate and key are those in data_dir/identity. */
    isEnrolled?: true;
  };
  buffer: {
    commitIntervalMs: number;
    maxBytes: number;
    maxAgeMs: number;
    minFreeBytes: number;
    /** Absolute. The keys themselves are in no configuration. */
    keyFile: string | undefined;
    /** Undefined: when there is a key. */
    encrypt: boolean | undefined;
    acceptPlain: boolean;
  };
  forwarder: {
    windowBatches: number;
    batchReadings: number;
    batchBytes: number;
    publishTimeoutMs: number;
    keepaliveS: number;
    stateIntervalMs: number;
    backoffMaxMs: number;
  };
  mqtt: { acknowledgedBy: 'broker' | 'collector'; resendAfterMs: number };
  clock: { holdMs: number };
  status: { enabled: boolean; host: string; port: number };
  log: { level: LogLevel };
  devices: DeviceConfig[];
}

export interface DeviceConfig {
  name: string;
  /** Key of the reader registry. */
  reader: string;
  /** Polled readers only. */
  intervalMs: number;
  jitterMs: number;
  retries: number;
  timeoutMs: number;
  watchdogMs: number;
  spec: ReaderSpec;
  report: ReadonlyMap<string, ReportRule>;
  /** Equal for two devices exactly when nothing of them changed. */
  fingerprint: string;
}

/** A YAML mapping, as plain data. */
export type Data = Record<string, unknown>;

export function asBlock(value: unknown): Data | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Data)
    : undefined;
}

export function toSpec(entry: Data, readerName: string, folder: string): ReaderSpec {
  return {
    device: String(entry.name),
    options: asBlock(entry[readerName]) ?? {},
    channels: (asBlock(entry.channels) ?? {}) as ReaderSpec['channels'],
    timeoutMs: Number(entry.timeout_ms),
    baseDir: resolve(folder),
  };
}

export function toDevice(
  entry: Data,
  reader: string,
  spec: ReaderSpec,
  fingerprint: string,
): DeviceConfig {
  return {
    name: spec.device,
    reader,
    intervalMs: Number(entry.interval_ms ?? 0),
    jitterMs: Number(entry.jitter_ms ?? 0),
    retries: Number(entry.retries ?? 0),
    timeoutMs: spec.timeoutMs,
    watchdogMs: Number(entry.watchdog_ms),
    spec,
    report: toRules(spec.channels),
    fingerprint,
  };
}

function toRules(channels: ReaderSpec['channels']): Map<string, ReportRule> {
  const rules = new Map<string, ReportRule>();
  for (const [channel, { report }] of Object.entries(channels)) {
    const block = asBlock(report) as Record<string, number | undefined> | undefined;
    if (block === undefined) continue;
    rules.set(channel, {
      deadband: block.deadband,
      deadbandPercent: block.deadband_percent,
      minIntervalMs: block.min_interval_ms,
      maxIntervalMs: block.max_interval_ms,
    });
  }
  return rules;
}

/** After the schema: every section is there, with its defaults. */
export function toConfig(
  data: Data,
  collector: AgentConfig['collector'],
  devices: DeviceConfig[],
  { dataDir, keyFile }: { dataDir: string; keyFile: string | undefined },
): AgentConfig {
  const number = (section: string, key: string): number =>
    Number((data[section] as Record<string, unknown>)[key]);
  const buffer = data.buffer as { encrypt?: boolean; accept_plaintext: boolean };
  const mqtt = data.mqtt as { acknowledged_by: 'broker' | 'collector' };
  const status = data.status as { enabled: boolean; host: string };
  return {
    site: String(data.site),
    gateway: String(data.gateway),
    dataDir,
    collector,
    buffer: {
      commitIntervalMs: number('buffer', 'commit_interval_ms'),
      maxBytes: number('buffer', 'max_bytes'),
      maxAgeMs: number('buffer', 'max_age_hours') * 3_600_000,
      minFreeBytes: number('buffer', 'min_free_bytes'),
      keyFile,
      encrypt: buffer.encrypt,
      acceptPlain: buffer.accept_plaintext,
    },
    forwarder: {
      windowBatches: number('forwarder', 'window_batches'),
      batchReadings: number('forwarder', 'batch_readings'),
      batchBytes: number('forwarder', 'batch_bytes'),
      publishTimeoutMs: number('forwarder', 'publish_timeout_ms'),
      keepaliveS: number('forwarder', 'keepalive_s'),
      stateIntervalMs: number('forwarder', 'state_interval_ms'),
      backoffMaxMs: number('forwarder', 'backoff_max_ms'),
    },
    mqtt: {
      acknowledgedBy: mqtt.acknowledged_by,
      resendAfterMs: number('mqtt', 'resend_after_ms'),
    },
    clock: { holdMs: number('clock', 'hold_seconds') * 1000 },
    status: { enabled: status.enabled, host: status.host, port: number('status', 'port') },
    log: { level: (data.log as { level: LogLevel }).level },
    devices,
  };
}
