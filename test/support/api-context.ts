/** What the API is given, without any part behind it: tests put in what they need. */

import type { AccessPolicy } from '../../collector/access/access.ts';
import { Access } from '../../collector/access/access.ts';
import type { PasswordCost } from '../../collector/access/passwords.ts';
import type { ApiContext, Decisions } from '../../collector/api/context.ts';
import { LiveAlerts } from '../../collector/api/live/alerts.ts';
import { LiveDevices } from '../../collector/api/live/devices.ts';
import { LiveFleet } from '../../collector/api/live/fleet.ts';
import { LiveIngest } from '../../collector/api/live/ingest.ts';
import { noPeers } from '../../collector/api/peers.ts';
import { boundedQueries } from '../../collector/api/queries.ts';
import { ControlView } from '../../collector/control.ts';
import { CollectorError } from '../../collector/errors.ts';
import { ProfileFiles } from '../../collector/profiles/editing/profile_files.ts';
import { loadConfiguration } from '../../collector/profiles/load.ts';
import { PeopleQueries } from '../../collector/query/people.ts';
import type { Store } from '../../collector/store/store.ts';
import { GatewayAdmin } from '../../collector/trust/gateway_admin.ts';
import { Trust } from '../../collector/trust/trust.ts';
import { silentLogger } from './silent-logger.ts';

/** What is secure takes long. */
export const QUICK: PasswordCost = { ln: 1, r: 1, p: 1 };

/** In place of a store's. */
export const noFiles: Store['exportTo'] = async () => {
  throw new CollectorError('STORE_UNAVAILABLE', 'no files here');
};

/** Taken, and forgotten. */
export const noDecisions: Decisions = {
  release: async () => ({ partition: 0, offset: 0 }),
  acknowledge: async () => ({ partition: 0, offset: 0 }),
  mark: async () => ({ partition: 0, offset: 0 }),
  silence: async () => undefined,
};

/** Who asks from this machine may all, and there is nobody else. */
export function fakeAccess(nowMs: number, policy: Partial<AccessPolicy> = {}): Access {
  const session = { idleMs: 3_600_000, longestMs: 36_000_000 };
  return new Access({
    policy: { thisMachine: 'admin', anonymous: 'none', metrics: 'public', session, ...policy },
    clock: { wallMs: () => nowMs },
    passwordCost: QUICK,
  });
}

/** Without an authority: nobody enrols. */
function fakeEnrolment(nowMs: number): GatewayAdmin {
  const clock = { wallMs: () => nowMs };
  const trust = new Trust({
    authority: undefined,
    trusted: [],
    gatewayDays: 90,
    graceDays: 30,
    audit: { record: async () => undefined },
    clock,
    logger: silentLogger,
    connected: () => undefined,
    conflict: () => undefined,
  });
  trust.open(new ControlView({ put: async () => undefined, follow: async () => undefined }));
  const address = () => ({ mqttPort: 0, names: [] });
  return new GatewayAdmin({ trust, configured: [], address, clock });
}

export function fakeContext(nowMs: number, more: Partial<ApiContext> = {}): ApiContext {
  const configuration = loadConfiguration({ profilesDir: undefined, retentionMs: 0 });
  return {
    clock: { wallMs: () => nowMs },
    version: '1.2.3',
    startedMs: nowMs - 1_000,
    sites: new Map([['demo', { timeZone: 'Asia/Seoul', dayStart: '06:00' }]]),
    channels: new Map(),
    gateways: [
      { site: 'demo', gateway: 'gw2' },
      { site: 'demo', gateway: 'gw1' },
    ],
    devices: new LiveDevices(),
    fleet: new LiveFleet(),
    alerts: new LiveAlerts(),
    ingest: new LiveIngest(),
    queries: boundedQueries({ query: async () => [], exportTo: noFiles }, 2),
    people: new PeopleQueries({
      asking: () => {
        throw new CollectorError('STORE_UNAVAILABLE', 'no store here');
      },
      audit: { record: async () => undefined },
      clock: { wallMs: () => nowMs },
    }),
    readiness: () => [],
    configuration: () => configuration,
    configurationStatus: () => ({
      version: configuration.version,
      sinceMs: nowMs - 1_000,
      profiles: 1,
      mistakes: [],
      pending: false,
      reloads: { changed: 0, unchanged: 0, refused: 0 },
    }),
    profileFiles: new ProfileFiles({
      source: { profilesDir: undefined, retentionMs: 0 },
      clock: { wallMs: () => nowMs },
      reload: async () => 'unchanged',
      configuration: () => configuration,
      devices: () => [],
    }),
    metricsText: async () => 'a 1\n',
    live: () => undefined,
    decisions: noDecisions,
    access: fakeAccess(nowMs),
    enrolment: fakeEnrolment(nowMs),
    transportOf: () => undefined,
    auditLog: { record: async () => undefined },
    auditHead: () => undefined,
    jobs: () => undefined,
    peers: noPeers,
    reports: { list: async () => [], read: async () => undefined },
    audit: () => undefined,
    backups: {
      begin: () => Promise.reject(new CollectorError('BACKUP_REFUSED', 'not here')),
      copied: () => {
        throw new CollectorError('BACKUP_REFUSED', 'not here');
      },
    },
    ...more,
  };
}
