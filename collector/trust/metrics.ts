/** What /metrics says of certificates. */

import type { MetricRegistry } from '../metrics/registry.ts';
import type { GatewayState, Validity } from './validity.ts';

export interface TrustStatus {
  /** Undefined: there is none. */
  authorityNotAfterMs: number | undefined;
  serverNotAfterMs: number | undefined;
  /** Zeros before topic `control` has been read. */
  certificates: Record<Validity, number>;
  gateways: Record<Exclude<GatewayState, 'configured'>, number>;
  requests: number;
}

export interface TrustSources {
  /** Undefined while that part is not there. */
  trust: () => TrustStatus | undefined;
}

export function trustMetrics({ trust }: TrustSources, { gauge }: MetricRegistry): void {
  const end = (name: string, help: string, read: (status: TrustStatus) => number | undefined) =>
    gauge(name, help, [], (set) => {
      const status = trust();
      const ms = status && read(status);
      if (ms !== undefined) set(ms / 1_000);
    });
  end('ca_not_after_seconds', 'End of the authority, Unix time.', (one) => one.authorityNotAfterMs);
  end(
    'server_certificate_not_after_seconds',
    'End of the certificate that gateways are shown, Unix time.',
    (one) => one.serverNotAfterMs,
  );
  gauge(
    'gateway_certificates',
    'Certificates of gateways: valid; renew_soon (an agent that is well would have renewed it); grace (over, and let in for a while); expired (let in no more).',
    ['state'],
    (set) => {
      for (const [state, count] of Object.entries(trust()?.certificates ?? {}))
        set(count, { state });
    },
  );
  gauge(
    'enrolment_gateways',
    'Gateways of the registry: invited, enrolled, revoked.',
    ['state'],
    (set) => {
      for (const [state, count] of Object.entries(trust()?.gateways ?? {})) set(count, { state });
    },
  );
  gauge(
    'enrolment_requests',
    'Gateways that asked without a token and wait for an admin.',
    [],
    (set) => set(trust()?.requests ?? 0),
  );
}
