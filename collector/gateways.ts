/** Which gateways may connect, by their token. The broker asks here; identity is the answer's. */

import { timingSafeEqual } from 'node:crypto';
import type { GatewayId } from '../proto/topics.ts';
import type { GatewayConfig } from './config_gateways.ts';
import { sha256 } from './config_gateways.ts';

export interface GatewayDirectory {
  /** The gateway whose token it is, when `username` is `site/gateway`; undefined: not let in. */
  authenticate(username: string, password: string): GatewayId | undefined;
  /** Its token may be shown without TLS from other machines, too. */
  mayGoWithoutTls(gateway: GatewayId): boolean;
  list(): readonly GatewayId[];
}

const NOBODY = Buffer.alloc(32);

/** Takes equally long whether the gateway exists or not, and whichever byte of the token is wrong. */
export function gatewayDirectory(gateways: readonly GatewayConfig[]): GatewayDirectory {
  const byKey = new Map(gateways.map((g) => [`${g.site}/${g.gateway}`, g]));
  const ids = gateways.map(({ site, gateway }) => ({ site, gateway }));
  return {
    authenticate(username, password) {
      const gateway = byKey.get(username);
      const equal = timingSafeEqual(sha256(password), gateway?.tokenSha256 ?? NOBODY);
      if (!equal || gateway === undefined) return undefined;
      return { site: gateway.site, gateway: gateway.gateway };
    },
    mayGoWithoutTls: ({ site, gateway }) => byKey.get(`${site}/${gateway}`)?.withoutTls === true,
    list: () => ids,
  };
}
