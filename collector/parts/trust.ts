/** Trust between gateways and collector, as one process has it: opened before anything listens. */

import type { CollectorConfig } from '../config.ts';
import type { Authority } from '../trust/authority.ts';
import { openAuthority } from '../trust/authority.ts';
import { AuthorityFiles } from '../trust/authority_files.ts';
import { IssuedIdentity, ownNames } from '../trust/issued_identity.ts';
import type { TrustStatus } from '../trust/metrics.ts';
import type { ServerIdentity } from '../trust/server_identity.ts';
import { HeldServerIdentity } from '../trust/server_identity.ts';
import { shownAuthority, withAuthorities } from '../trust/shown_authority.ts';
import type { TrustOptions } from '../trust/trust.ts';
import { Trust } from '../trust/trust.ts';
import type { IdentityFiles } from './identity_files.ts';
import { identityFiles } from './identity_files.ts';

export interface RunningTrust {
  trust: Trust;
  /** Undefined: there is no authority. */
  issued: ServerIdentity | undefined;
  /** What gateways are shown. Undefined: there is no TLS for them. */
  gateways: ServerIdentity | undefined;
  status(): TrustStatus;
  close(): void;
}

type Given = Pick<TrustOptions, 'audit' | 'clock' | 'logger' | 'connected' | 'conflict'>;

/** Rejects with TRUST_AUTHORITY_INVALID. */
export async function startTrust(config: CollectorConfig, given: Given): Promise<RunningTrust> {
  const { authority: ca, mqtt, dataDir } = config;
  const { trusted, gatewayDays, graceDays } = ca;
  const policy = { trusted, gatewayDays, graceDays };
  if (!needsAuthority(config)) {
    const trust = new Trust({ ...given, ...policy, authority: undefined });
    const status = () => trust.status(undefined);
    return { trust, issued: undefined, gateways: undefined, status, close: () => trust.close() };
  }
  const { clock, logger } = given;
  const files = new AuthorityFiles(dataDir);
  const authority = await openAuthority({ given: ca.given, files, clock });
  if (authority.own) files.showAuthority(authority.certificate.toString());
  const names = mqtt.tls?.names;
  const issued = await IssuedIdentity.open({ authority, files, names, clock, logger });
  const own: IdentityFiles | undefined = mqtt.tls?.files && identityFiles(mqtt.tls.files, logger);
  const gateways =
    mqtt.tls && (own === undefined ? issued.identity : whole(own.identity, authority));
  const shown = shownAuthority(authority, (gateways ?? issued.identity).current);
  const trust = new Trust({ ...given, ...policy, authority, shown });
  return {
    trust,
    issued: issued.identity,
    gateways,
    status: () => trust.status((gateways ?? issued.identity).current.notAfterMs),
    close: () => {
      own?.close();
      issued.close();
      trust.close();
    },
  };
}

/** That of the plant's files, with its authorities. */
function whole(identity: ServerIdentity, authority: Authority): ServerIdentity {
  const held = new HeldServerIdentity(withAuthorities(authority, identity.current));
  identity.onChange((now) => held.set(withAuthorities(authority, now)));
  return held;
}

/** What gateways may call the collector. */
export function serverNames({ mqtt }: CollectorConfig): readonly string[] {
  return mqtt.tls?.names ?? ownNames();
}

function needsAuthority({ mqtt, http, clickhouseHttp, authority }: CollectorConfig): boolean {
  const served = [http.tls, clickhouseHttp?.tls];
  const isIssued = served.some((tls) => tls !== undefined && tls.files === undefined);
  return mqtt.tls !== undefined || isIssued || authority.given !== undefined;
}
