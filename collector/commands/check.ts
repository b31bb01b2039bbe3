/** `fms-collector check`: the whole configuration, and what it means. */

import { accessSync, constants, existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname } from 'node:path';
import type { CollectorConfig } from '../config.ts';
import { ConfigInvalid, loadConfig } from '../config.ts';
import { CollectorError } from '../errors.ts';
import type { Configuration } from '../profile.ts';
import { loadConfiguration, ProfilesInvalid, profilesSource } from '../profiles/load.ts';
import { checkData } from './check_data.ts';

export interface Output {
  log(line: string): void;
  error(line: string): void;
}

/** Prints and returns the exit code: 0, 1 when data_dir holds what cannot be opened, 2 for mistakes. */
export function check(
  file: string,
  env: Record<string, string | undefined>,
  output: Output,
): number {
  const config = configOrMistakes(file, env, output);
  if (config === undefined) return 2;
  const configuration = configurationOrMistakes(config, output);
  if (configuration === undefined) return 2;
  const unwritable = unwritableFolder(config.dataDir);
  if (unwritable !== undefined) {
    output.error(`${config.file}: data_dir ${config.dataDir}: cannot write in ${unwritable}`);
    return 2;
  }
  const { log, store, components } = config;
  const data = checkData(config);
  for (const error of data.errors) output.error(`${error.message}\n${error.hint}`);
  if (data.errors.length > 0) return 1;
  output.log(`${config.file}: no mistakes`);
  output.log(`  data     ${config.dataDir}`);
  for (const line of data.lines) output.log(`           ${line}`);
  output.log(`  runs     ${[...components].join(', ')}`);
  output.log(`  MQTT     ${mqttLine(config)}`);
  output.log(`  pages    ${pagesLine(config)}`);
  const logAt = log.kafka === undefined ? '' : `, Kafka at ${log.kafka.brokers.join(', ')}`;
  output.log(`  log      at most ${log.maxBytes} bytes, ${log.partitions} partition(s)${logAt}`);
  const storeAt = store.clickhouse === undefined ? '' : `, ClickHouse at ${store.clickhouse.url}`;
  output.log(`  store    keeps ${store.retentionDays} days${storeAt}`);
  output.log(`  profiles ${profilesLine(config, configuration)}`);
  output.log(`  alerts   ${alertsLine(config)}`);
  output.log(`  gateways ${config.gateways.length}, sites ${config.sites.size}`);
  for (const warning of [...warningsOf(config), ...data.warnings])
    output.log(`  warning: ${warning}`);
  return 0;
}

/** Undefined: the mistakes were printed. */
export function configOrMistakes(
  file: string,
  env: Record<string, string | undefined>,
  output: Output,
): CollectorConfig | undefined {
  try {
    return loadConfig(file, env);
  } catch (error) {
    if (!(error instanceof CollectorError)) throw error;
    if (error instanceof ConfigInvalid) for (const mistake of error.mistakes) output.error(mistake);
    const summary =
      error instanceof ConfigInvalid ? `${error.mistakes.length} mistake(s)` : error.message;
    output.error(`${summary}\n${error.code}: ${error.hint}`);
    return undefined;
  }
}

/** Device profiles and assignments. Undefined: the mistakes were printed. */
function configurationOrMistakes(
  config: CollectorConfig,
  output: Output,
): Configuration | undefined {
  try {
    return loadConfiguration(profilesSource(config));
  } catch (error) {
    if (!(error instanceof ProfilesInvalid)) throw error;
    for (const mistake of error.mistakes) output.error(mistake);
    output.error(`${error.mistakes.length} mistake(s)\n${error.code}: ${error.hint}`);
    return undefined;
  }
}

function mqttLine({ mqtt, components }: CollectorConfig): string {
  if (!components.has('intake')) return 'not here';
  if (mqtt.outside !== undefined) return `from ${mqtt.outside.url}`;
  const { host, port, plain, tls } = mqtt;
  return [
    ...(tls === undefined ? [] : [`${tls.host}:${tls.port} with TLS`]),
    ...(plain ? [`${host}:${port} without TLS`] : []),
  ].join(', ');
}

function pagesLine({ http: { host, port, tls } }: CollectorConfig): string {
  if (tls === undefined) return `http://${host}:${port}`;
  const shows = tls.files?.certFile ?? "a certificate of the collector's authority";
  return `https://${host}:${port}, ${shows}`;
}

function profilesLine(config: CollectorConfig, { profiles, assignments }: Configuration): string {
  const names = Object.keys(profiles);
  const shown = names.length > 8 ? [...names.slice(0, 8), '…'] : names;
  const where = config.profilesDir ?? 'built in';
  return `${names.length} (${shown.join(', ')}; ${where}), ${assignments.length} assignment(s)`;
}

function alertsLine({ notify }: CollectorConfig): string {
  const { receivers, routes, heartbeat } = notify;
  if (receivers.length === 0) return 'nobody is told of them (notify.receivers)';
  const names = receivers.map(({ name, way }) => `${name} (${way.type})`).join(', ');
  return `to ${names}; ${routes.length} route(s)${heartbeat === undefined ? '' : ', heartbeat'}`;
}

/** What is allowed, and worth a second thought. */
export function warningsOf(config: CollectorConfig): string[] {
  const warnings: string[] = [];
  const { components, log, mqtt, store } = config;
  const takesIn = components.has('intake');
  if (mqtt.outside !== undefined && !takesIn)
    warnings.push('mqtt.outside does not count: this process has no component intake.');
  if (log.kafka !== undefined && store.clickhouse === undefined && components.has('write'))
    warnings.push(
      'log.kafka without store.clickhouse: only one process may have write and serve, and its data_dir holds the store.',
    );
  if (!isLoopback(config.http.host) && config.http.tls === undefined)
    warnings.push(
      `http.host is ${config.http.host}: passwords, tokens and answers cross the network unencrypted. Use http.tls, or 127.0.0.1 behind a proxy with TLS.`,
    );
  if (!isLoopback(config.http.host) && config.access.anonymous === 'viewer')
    warnings.push(
      'access.anonymous is viewer: everybody who reaches http.host can read everything without login.',
    );
  const { clickhouseHttp } = config;
  if (
    clickhouseHttp !== undefined &&
    clickhouseHttp.tls === undefined &&
    !isLoopback(clickhouseHttp.host)
  )
    warnings.push(
      `clickhouse_http.host is ${clickhouseHttp.host}: passwords, tokens and answers cross the network unencrypted. Use clickhouse_http.tls, or 127.0.0.1 behind a proxy with TLS.`,
    );
  const listensPlain = takesIn && mqtt.outside === undefined && mqtt.plain;
  if (listensPlain && !isLoopback(mqtt.host))
    warnings.push(
      `mqtt.host is ${mqtt.host}: there tokens and readings cross the network unencrypted, and only gateways with without_tls are let in. Use mqtt.tls, and plain: false.`,
    );
  warnings.push(...notifyWarnings(config));
  if (listensPlain && mqtt.tls === undefined && config.gateways.length === 0)
    warnings.push('no gateway is configured: nobody may connect.');
  return warnings;
}

function notifyWarnings({ notify: { receivers, routes } }: CollectorConfig): string[] {
  const warnings: string[] = [];
  const routed = new Set(routes.flatMap((route) => route.receivers));
  for (const { name, way } of receivers) {
    if (routes.length > 0 && !routed.has(name))
      warnings.push(`notify: no route names receiver ${name}: it hears of nothing.`);
    if (way.type === 'email' && way.settings.tls === 'none' && !isLoopback(way.settings.host))
      warnings.push(`notify: receiver ${name} sends mail, and its password, unencrypted.`);
    if (way.type === 'webhook' && way.settings.secret === undefined)
      warnings.push(`notify: receiver ${name} gets messages that are not signed.`);
  }
  return warnings;
}

export function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host === 'localhost';
  return host === '::1' || host.startsWith('127.');
}

/** The folder, or its nearest parent that exists, if it must not be written. */
function unwritableFolder(folder: string): string | undefined {
  let nearest = folder;
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  try {
    accessSync(nearest, constants.W_OK | constants.X_OK);
    return undefined;
  } catch {
    return nearest;
  }
}
