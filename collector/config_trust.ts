/** What collector.yaml says of TLS for gateways and of the authority behind it: `mqtt.tls` and `ca`. */

import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { certificatesIn, pairOf } from './trust/pem.ts';
import type { Path } from './yaml_file.ts';

export interface MqttTlsConfig {
  host: string;
  port: number;
  /** Undefined: names and addresses of this machine. */
  names: string[] | undefined;
  /** Absolute. Undefined: the authority issues one. */
  files: { certFile: string; keyFile: string } | undefined;
}

export interface AuthorityConfig {
  /** PEM texts. Undefined: an own one in data_dir. */
  given: { cert: string; key: string } | undefined;
  /** PEM texts of authorities elsewhere. */
  trusted: string[];
  gatewayDays: number;
  graceDays: number;
}

export interface MqttTlsContent {
  host: string;
  port: number;
  names?: string[];
  cert_file?: string;
  key_file?: string;
}

export interface AuthorityContent {
  cert_file?: string;
  key_file?: string;
  trusted_files: string[];
  gateway_days: number;
  grace_days: number;
}

type Say = (path: Path, message: string) => void;
type Read = (at: Path, key: string, name: string | undefined) => string | undefined;

interface Pem {
  cert: string;
  key: string;
}

const TLS_AT: Path = ['mqtt', 'tls'];
const CA_AT: Path = ['ca'];

export function toMqttTls(
  file: string,
  tls: MqttTlsContent | undefined,
  read: Read,
  say: Say,
): MqttTlsConfig | undefined {
  if (tls === undefined) return undefined;
  const { host, port, names, cert_file = '', key_file = '' } = tls;
  const hasPair = toPair(TLS_AT, tls, read, say) !== undefined;
  const absolute = (name: string): string => resolve(dirname(file), name);
  const files = { certFile: absolute(cert_file), keyFile: absolute(key_file) };
  return { host, port, names, files: hasPair ? files : undefined };
}

export function toAuthority(ca: AuthorityContent, read: Read, say: Say): AuthorityConfig {
  const given = toPair(CA_AT, ca, read, say);
  const trusted = ca.trusted_files.flatMap((file, i) => {
    const at = [...CA_AT, 'trusted_files'];
    const text = read(at, String(i), file);
    if (text === undefined) return [];
    const problem = authoritiesProblem(text);
    if (problem !== undefined) say([...at, String(i)], `ca.trusted_files: ${file}: ${problem}`);
    return [text];
  });
  return { given, trusted, gatewayDays: ca.gateway_days, graceDays: ca.grace_days };
}

/** Both files or none, and they belong together. */
export function toPair(
  at: Path,
  { cert_file, key_file }: { cert_file?: string; key_file?: string },
  read: Read,
  say: Say,
): Pem | undefined {
  const name = at.join('.');
  if ((cert_file === undefined) !== (key_file === undefined)) {
    say(at, `${name} needs both cert_file and key_file, or neither`);
    return undefined;
  }
  const cert = read(at, 'cert_file', cert_file);
  const key = read(at, 'key_file', key_file);
  if (cert === undefined || key === undefined) return undefined;
  const pair = pairOf(cert, key);
  if (typeof pair !== 'string') return { cert, key };
  say([...at, 'cert_file'], `${name}: ${cert_file} and ${key_file}: ${pair}`);
  return undefined;
}

function authoritiesProblem(pem: string): string | undefined {
  try {
    const certificates = certificatesIn(pem);
    if (certificates.length === 0) return 'there is no certificate (PEM) in it';
    return certificates.every(({ ca }) => ca) ? undefined : 'it holds what is no authority';
  } catch (error) {
    return `a certificate cannot be read: ${(error as Error).message}`;
  }
}

/** What cannot be meant. */
export function checkTrust(
  content: {
    mqtt: { plain: boolean; tls?: MqttTlsContent; outside?: unknown };
    http: object;
    ca: AuthorityContent;
    log: { kafka?: unknown };
  },
  say: Say,
): void {
  const { mqtt, ca, log } = content;
  const { tls } = mqtt;
  const { tls: pages } = content.http as { tls?: { cert_file?: string } };
  const needsAuthority = tls !== undefined || (pages !== undefined && !pages.cert_file);
  if (!mqtt.plain && tls === undefined && mqtt.outside === undefined)
    say(['mqtt', 'plain'], 'mqtt.plain is false and there is no mqtt.tls: nothing would listen');
  if (tls !== undefined && mqtt.outside !== undefined)
    say(TLS_AT, 'mqtt.tls: with mqtt.outside gateways connect to another broker');
  if (needsAuthority && log.kafka !== undefined && ca.cert_file === undefined)
    say(
      tls === undefined ? ['http', 'tls'] : TLS_AT,
      'with log.kafka ca.cert_file and ca.key_file are needed: all processes need the same authority',
    );
}

/** A host name or an address, as it stands in a certificate. A star may stand for the first part. */
export function isServerName(text: string): boolean {
  if (isIP(text) !== 0) return true;
  return (
    text.length <= 253 &&
    /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*\.?$/i.test(
      text,
    )
  );
}
