/** What collector.yaml says of TLS for people and programs: `http.tls` and `clickhouse_http.tls`. */

import { dirname, resolve } from 'node:path';
import { toPair } from './config_trust.ts';
import type { Path } from './yaml_file.ts';

export interface ServedTlsConfig {
  /** Absolute; looked at again and again. Undefined: what the collector's authority issues is shown. */
  files: { certFile: string; keyFile: string } | undefined;
  /** Undefined: browsers may come by http again. */
  hstsSeconds: number | undefined;
}

export interface ServedTlsContent {
  cert_file?: string;
  key_file?: string;
  hsts_days?: number;
}

const DAY_SECONDS = 86_400;

export function toServedTls(
  file: string,
  at: Path,
  tls: ServedTlsContent | undefined,
  read: Parameters<typeof toPair>[2],
  say: Parameters<typeof toPair>[3],
): ServedTlsConfig | undefined {
  if (tls === undefined) return undefined;
  const { cert_file, key_file, hsts_days = 0 } = tls;
  const hasPair = toPair(at, tls, read, say) !== undefined;
  const absolute = (name = ''): string => resolve(dirname(file), name);
  return {
    files: hasPair ? { certFile: absolute(cert_file), keyFile: absolute(key_file) } : undefined,
    hstsSeconds: hsts_days === 0 ? undefined : Math.round(hsts_days * DAY_SECONDS),
  };
}

/** It shows a certificate of the collector's authority. */
export function isIssued(tls: ServedTlsContent | undefined): boolean {
  return tls !== undefined && tls.cert_file === undefined;
}
