/** What /metrics says of the broker: how it stands, and what it told. */

import type { BrokerMetrics } from '../broker/metrics.ts';
import { ACK_LATENCY_BUCKETS_SECONDS } from '../broker/metrics.ts';
import type { MetricRegistry } from './registry.ts';

export interface BrokerSources {
  /** Undefined while that part is not there. */
  broker: () => { accepting: boolean; bytesInFlight: number } | undefined;
}

/** Returns what is given to the broker, which tells rather than keeps. */
export function brokerMetrics(
  { broker }: BrokerSources,
  { gauge, countedHere, histogram }: MetricRegistry,
): BrokerMetrics {
  let connections = { open: 0, admitted: 0, admittedTls: 0 };
  gauge('mqtt_accepting', '1 while gateways may connect.', [], (set) =>
    set(broker()?.accepting ? 1 : 0),
  );
  gauge('mqtt_in_flight_bytes', 'Payloads that wait for the log.', [], (set) =>
    set(broker()?.bytesInFlight ?? 0),
  );
  gauge(
    'mqtt_connections',
    'Open connections; those with TLS once they are encrypted.',
    [],
    (set) => set(connections.open),
  );
  gauge('mqtt_gateways', 'Gateways connected.', [], (set) => set(connections.admitted));
  gauge('mqtt_tls_gateways', 'Of those, with TLS.', [], (set) => set(connections.admittedTls));
  const refused = countedHere('mqtt_refused_total', 'Connections and packets refused.', ['reason']);
  const handshakeFailed = countedHere(
    'mqtt_tls_handshakes_failed_total',
    'TLS handshakes that failed.',
    ['why'],
  );
  const takenOver = countedHere(
    'mqtt_taken_over_total',
    'Connections replaced by a newer one.',
    [],
  );
  const records = countedHere('mqtt_records_total', 'Records taken into the log.', ['kind']);
  const bytes = countedHere('mqtt_payload_bytes_total', 'Payloads taken into the log.', ['kind']);
  const latencySeconds = histogram(
    'mqtt_ack_latency_seconds',
    'From the arrival of a publish to its PUBACK.',
    ACK_LATENCY_BUCKETS_SECONDS,
  );
  return {
    connections: (open, admitted, admittedTls) => {
      connections = { open, admitted, admittedTls };
    },
    handshakeFailed: (why) => handshakeFailed({ why }),
    refused: (reason) => refused({ reason }),
    takenOver: () => takenOver({}),
    appended: (kind, size) => {
      records({ kind });
      bytes({ kind }, size);
    },
    acknowledged: (latencyMs) => latencySeconds(latencyMs / 1_000),
  };
}
