/** What /metrics says of the fleet: devices, gateways, and the ledger of their readings. */

import { ledgerSums } from '../api/ledger.ts';
import type { LiveDevices } from '../api/live/devices.ts';
import type { LiveFleet } from '../api/live/fleet.ts';
import type { Clock } from '../types.ts';
import type { MetricRegistry } from './registry.ts';

export interface FleetSources {
  clock: Clock;
  fleet: LiveFleet;
  devices: LiveDevices;
}

export function fleetMetrics(sources: FleetSources, registry: MetricRegistry): void {
  deviceMetrics(sources, registry);
  gatewayMetrics(sources, registry);
  ledgerMetrics(sources, registry);
}

function deviceMetrics({ devices }: FleetSources, { gauge, counter }: MetricRegistry): void {
  gauge('devices', 'Devices seen.', [], (set) => set(devices.deviceCount));
  counter(
    'live_readings_left_out_total',
    'Readings beyond the bound of the live view; they are in the store.',
    [],
    (set) => set(devices.leftOutTotal),
  );
}

function gatewayMetrics({ fleet, clock }: FleetSources, { gauge }: MetricRegistry): void {
  const each = (
    name: string,
    help: string,
    read: (row: NonNullable<ReturnType<LiveFleet['gateway']>>) => number,
  ): void =>
    gauge(name, help, ['site', 'gateway'], (set) => {
      for (const row of fleet.gateways()) set(read(row), { site: row.site, gateway: row.gateway });
    });
  each('gateway_online', '1 while the gateway is connected.', (row) => (row.online ? 1 : 0));
  each(
    'gateway_state_age_seconds',
    'Since the gateway last said how it is.',
    (row) => Math.max(0, clock.wallMs() - row.updatedMs) / 1_000,
  );
  each('gateway_buffer_readings', 'Readings in the gateway’s buffer.', (row) => row.bufferReadings);
  each(
    'gateway_buffer_bytes',
    'What the gateway’s buffer takes up on disk.',
    (row) => row.bufferBytes,
  );
  each(
    'gateway_buffer_seconds_until_eviction',
    'At the present rate; +Inf while the buffer is not filling.',
    (row) =>
      row.bufferSecondsUntilEviction < 0
        ? Number.POSITIVE_INFINITY
        : row.bufferSecondsUntilEviction,
  );
  each('gateway_clock_unsynced', '1 while its clock is not right.', (row) =>
    row.clockUnsynced ? 1 : 0,
  );
  each(
    'gateway_clock_step_seconds',
    'The last step of its wall clock.',
    (row) => row.clockStepMs / 1_000,
  );
}

function ledgerMetrics({ fleet }: FleetSources, { gauge }: MetricRegistry): void {
  gauge(
    'ledger_readings',
    'Readings by what became of them; state is sent, stored, quarantined, duplicate, gap or in_flight.',
    ['site', 'gateway', 'state'],
    (set) => {
      for (const [site, gateway, sums] of ledgerByGateway(fleet)) {
        set(sums.sent, { site, gateway, state: 'sent' });
        set(sums.stored, { site, gateway, state: 'stored' });
        set(sums.quarantined, { site, gateway, state: 'quarantined' });
        set(sums.duplicates, { site, gateway, state: 'duplicate' });
        set(sums.gap_readings, { site, gateway, state: 'gap' });
        set(sums.in_flight, { site, gateway, state: 'in_flight' });
      }
    },
  );
  gauge(
    'ledger_balance_readings',
    'Readings that the ledger cannot account for: 0 is right.',
    ['site', 'gateway'],
    (set) => {
      for (const [site, gateway, sums] of ledgerByGateway(fleet))
        set(sums.balance, { site, gateway });
    },
  );
}

function* ledgerByGateway(
  fleet: LiveFleet,
): Generator<[string, string, ReturnType<typeof ledgerSums>]> {
  for (const { site, gateway } of fleet.ledgerGateways())
    yield [site, gateway, ledgerSums(fleet.ledgerOf(site, gateway))];
}
