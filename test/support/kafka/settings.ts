/** The settings of one node of a Kafka cluster for tests: broker and controller in one, quick to start. */

import { KAFKA_PASSWORD, KAFKA_USER } from './cache.ts';

/** How clients connect. `mtls`: by certificate. `sasl_plain`, `sasl_tls`: PLAIN and SCRAM with a name. */
export type KafkaListener = 'plain' | 'tls' | 'mtls' | 'sasl_plain' | 'sasl_tls';

export interface NodePorts {
  /** Where the tests' clients connect. */
  client: number;
  /** Without any security: brokers among themselves, and the tests' own administrator. */
  internal: number;
  controller: number;
}

export interface NodeSettings {
  /** From 1 on. */
  id: number;
  nodes: readonly NodePorts[];
  listener: KafkaListener;
  dataFolder: string;
  /** PEM files, for the listeners with TLS. */
  keyStore: string;
  trustStore: string;
  /** Added to these, or instead of them. */
  more: Record<string, string>;
}

const PROTOCOL: Record<KafkaListener, string> = {
  plain: 'PLAINTEXT',
  tls: 'SSL',
  mtls: 'SSL',
  sasl_plain: 'SASL_PLAINTEXT',
  sasl_tls: 'SASL_SSL',
};

/** The text of server.properties. */
export function nodeProperties(node: NodeSettings): string {
  const own = node.nodes[node.id - 1];
  if (own === undefined) throw new Error(`node ${node.id} has no ports`);
  const replicas = String(node.nodes.length);
  const inSync = node.nodes.length > 1 ? '2' : '1';
  const settings: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': String(node.id),
    'controller.quorum.voters': node.nodes
      .map((ports, i) => `${i + 1}@127.0.0.1:${ports.controller}`)
      .join(','),
    listeners: `CLIENT://127.0.0.1:${own.client},INTERNAL://127.0.0.1:${own.internal},CONTROLLER://127.0.0.1:${own.controller}`,
    'advertised.listeners': `CLIENT://127.0.0.1:${own.client},INTERNAL://127.0.0.1:${own.internal}`,
    'listener.security.protocol.map': `CLIENT:${PROTOCOL[node.listener]},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    'log.dirs': node.dataFolder,
    // A typing mistake in a topic's name is to be seen.
    'auto.create.topics.enable': 'false',
    // Few internal partitions: each costs files, and time at a start.
    'offsets.topic.num.partitions': '1',
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'group.initial.rebalance.delay.ms': '0',
    // Small buffers and few threads.
    'log.cleaner.dedupe.buffer.size': String(2 << 20),
    'log.cleaner.backoff.ms': '1000',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'background.threads': '2',
    'num.recovery.threads.per.data.dir': '1',
    // What was deleted gives its room back soon.
    'log.segment.delete.delay.ms': '1000',
    'log.initial.task.delay.ms': '1000',
    'log.retention.check.interval.ms': '1000',
    // A node that died is replaced in seconds (and may come back only then: its old registration holds so
    // long); one on a busy machine is not given up at once.
    'broker.heartbeat.interval.ms': '300',
    'broker.session.timeout.ms': node.nodes.length > 1 ? '4000' : '2000',
    'controlled.shutdown.max.retries': '1',
    ...tlsSettings(node),
    ...saslSettings(node),
    ...node.more,
  };
  return `${Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`;
}

function tlsSettings(node: NodeSettings): Record<string, string> {
  if (!PROTOCOL[node.listener].endsWith('SSL')) return {};
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': node.keyStore,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': node.trustStore,
    'ssl.client.auth': node.listener === 'mtls' ? 'required' : 'none',
  };
}

function saslSettings(node: NodeSettings): Record<string, string> {
  if (!PROTOCOL[node.listener].startsWith('SASL')) return {};
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
  const at = 'listener.name.client';
  return {
    [`${at}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    [`${at}.plain.sasl.jaas.config`]: `${plain} user_${KAFKA_USER}="${KAFKA_PASSWORD}";`,
    [`${at}.scram-sha-256.sasl.jaas.config`]: scram,
    [`${at}.scram-sha-512.sasl.jaas.config`]: scram,
  };
}
