/** Broker, TLS, enrolment and registry of one process, with a clock that tests set; no store and no pages. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IClientOptions, MqttClient } from 'mqtt';
import mqtt from 'mqtt';
import type { Test } from 'tap';
import type { AuditEntry } from '../../collector/access/audit.ts';
import type { BrokerLimits } from '../../collector/broker.ts';
import { ControlView } from '../../collector/control.ts';
import type { Control } from '../../collector/log/log.ts';
import { AttemptThrottle } from '../../collector/trust/attempts.ts';
import type { Authority } from '../../collector/trust/authority.ts';
import { openAuthority } from '../../collector/trust/authority.ts';
import { AuthorityFiles } from '../../collector/trust/authority_files.ts';
import { EnrolmentEndpoint } from '../../collector/trust/endpoint.ts';
import { GatewayAdmin } from '../../collector/trust/gateway_admin.ts';
import { GatewayDoor } from '../../collector/trust/gateway_door.ts';
import { IssuedIdentity } from '../../collector/trust/issued_identity.ts';
import { Trust } from '../../collector/trust/trust.ts';
import type { GatewayId } from '../../proto/topics.ts';
import type { TestBroker } from './broker.ts';
import { authenticateTest, startTestBroker } from './broker.ts';
import { silentLogger } from './silent-logger.ts';
import type { EnrolledGateway } from './trust.ts';
import { enrolWithToken } from './trust.ts';
import { MemoryControl } from './users.ts';

const GATEWAY_DAYS = 90;
const GRACE_DAYS = 30;
export const INSTALL = '0123456789abcdef';

export interface TrustPlant {
  clock: { nowMs: number };
  test: TestBroker;
  /** Of the authority's files. */
  folder: string;
  trust: Trust;
  authority: Authority;
  admin: GatewayAdmin;
  door: GatewayDoor;
  deeds: AuditEntry[];
  port: number;
  plainPort: number;
  /** A token of a new gateway. */
  token(id: GatewayId, validHours?: number): Promise<string>;
  enrol(id: GatewayId): Promise<EnrolledGateway>;
}

export interface PlantOptions {
  /** Shared by several: processes of one log. */
  control?: Control;
  clock?: { nowMs: number };
  /** PEM texts. */
  trusted?: string[];
  authority?: Authority;
  limits?: Partial<BrokerLimits>;
}

/** Tokens of test/support/broker.ts count, too: gateways of site `s`. */
export async function startTrustPlant(t: Test, options: PlantOptions = {}): Promise<TrustPlant> {
  const { control = new MemoryControl(), clock: at = { nowMs: Date.now() } } = options;
  const { trusted = [], limits = {} } = options;
  const clock = { wallMs: () => at.nowMs };
  const logger = silentLogger;
  const folder = mkdtempSync(join(tmpdir(), 'fms-trust-'));
  const files = new AuthorityFiles(folder);
  const authority = options.authority ?? (await openAuthority({ given: undefined, files, clock }));
  const names = ['localhost', '127.0.0.1'];
  const issued = await IssuedIdentity.open({ authority, files, names, clock, logger });
  const view = new ControlView(control);
  const followed = new AbortController();
  await view.start(followed.signal, logger);
  const deeds: AuditEntry[] = [];
  let broker: TestBroker['broker'] | undefined;
  const trust = new Trust({
    authority,
    trusted,
    gatewayDays: GATEWAY_DAYS,
    graceDays: GRACE_DAYS,
    audit: { record: async (entry) => void deeds.push(entry) },
    clock,
    logger,
    connected: (key) => broker?.connectionOf(key),
    conflict: (...between) => broker?.noteConflict(...between),
  });
  const { registry, peers, enrolment } = trust.open(view);
  if (peers === undefined || enrolment === undefined) throw new Error('there is no authority');
  const { graceMs } = trust;
  const tokens = { authenticate: authenticateTest, mayGoWithoutTls: () => false };
  const door = new GatewayDoor({ tokens, registry, peers, graceMs, clock, logger });
  const attempts = new AttemptThrottle(clock);
  const http = new EnrolmentEndpoint({ enrolment, peers, attempts, clock, logger });
  const at127 = { host: '127.0.0.1', port: 0 };
  const { identity } = issued;
  const { clientAuthoritiesPem } = trust;
  const test = await startTestBroker(t, {
    door,
    tls: { ...at127, identity, clientAuthoritiesPem, http },
    limits,
  });
  broker = test.broker;
  const address = () => ({ mqttPort: test.broker.tlsPort, names });
  const admin = new GatewayAdmin({ trust, configured: [], address, clock });
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true });
    issued.close();
    trust.close();
    followed.abort();
  });
  const token = async (id: GatewayId, validHours = 24): Promise<string> => {
    const [made] = await admin.add([id], validHours, 'test');
    return made?.token ?? '';
  };
  const port = test.broker.tlsPort;
  return {
    clock: at,
    test,
    folder,
    trust,
    authority,
    admin,
    door,
    deeds,
    port,
    plainPort: test.broker.port,
    token,
    enrol: async (id) => await enrolWithToken(port, await token(id)),
  };
}

/** Connects once. Rejects with what the collector answered: `code` is that of its CONNACK. */
export async function connectGateway(
  t: Test,
  port: number,
  gateway: Pick<EnrolledGateway, 'site' | 'gateway' | 'ca'> & Partial<EnrolledGateway>,
  more: IClientOptions & { installId?: string } = {},
): Promise<MqttClient> {
  const { site, gateway: name, ca, cert, key } = gateway;
  const { installId = INSTALL, protocol = 'mqtts', ...others } = more;
  const options: IClientOptions = {
    protocolVersion: 4,
    reconnectPeriod: 0,
    connectTimeout: 60_000,
    clientId: `${site}/${name}/${installId}`,
    ca,
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...others,
  };
  const client = await mqtt.connectAsync(`${protocol}://127.0.0.1:${port}`, options, false);
  client.on('error', () => undefined);
  t.teardown(() => client.endAsync(true));
  return client;
}

/** Resolves when the connection has ended. */
export function ended(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once('close', () => resolve()));
}
