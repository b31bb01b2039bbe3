/** The list `gateways` of collector.yaml: who may publish, by the hashes of their tokens. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Path } from './yaml_file.ts';

export interface GatewayConfig {
  site: string;
  gateway: string;
  /** 32 bytes. */
  tokenSha256: Buffer;
  /** Its token may be shown without TLS from elsewhere than this machine. */
  withoutTls: boolean;
}

/** As the file says it. */
export interface GatewayContent {
  site: string;
  gateway: string;
  token?: string;
  token_sha256?: string;
  token_file?: string;
  without_tls: boolean;
}

/** Tokens in files are read. Mistakes are told to `say`. */
export function toGateways(
  file: string,
  list: readonly GatewayContent[],
  say: (path: Path, message: string) => void,
): GatewayConfig[] {
  const seen = new Map<string, number>();
  const gateways: GatewayConfig[] = [];
  for (const [i, item] of list.entries()) {
    const key = `${item.site}/${item.gateway}`;
    const earlier = seen.get(key);
    if (earlier !== undefined) say(['gateways', i], `gateway ${key} is listed twice`);
    seen.set(key, i);
    const tokenSha256 = hashOf(file, item, (message) => say(['gateways', i], message));
    const { site, gateway, without_tls: withoutTls } = item;
    if (tokenSha256) gateways.push({ site, gateway, tokenSha256, withoutTls });
  }
  return gateways;
}

function hashOf(
  file: string,
  item: GatewayContent,
  say: (message: string) => void,
): Buffer | undefined {
  const name = `${item.site}/${item.gateway}`;
  const given = [item.token, item.token_sha256, item.token_file].filter((t) => t !== undefined);
  if (given.length !== 1) {
    say(`gateway ${name} needs exactly one of token, token_sha256 and token_file`);
    return undefined;
  }
  if (item.token_sha256 !== undefined) return Buffer.from(item.token_sha256, 'hex');
  if (item.token !== undefined) return sha256(item.token);
  try {
    const token = readFileSync(resolve(dirname(file), item.token_file ?? ''), 'utf8').trim();
    if (token.length >= 8) return sha256(token);
    say(`gateway ${name}: the token in ${item.token_file} is shorter than 8 characters`);
  } catch (error) {
    say(`gateway ${name}: token_file cannot be read: ${(error as Error).message}`);
  }
  return undefined;
}

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
