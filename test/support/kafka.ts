/**
 * A real Apache Kafka for tests, on 127.0.0.1: one node or three, each broker and controller in one. About
 * 2 s a start and 250 MB of memory a node. Where `kafkaMissing()` says why there is none, tests skip.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { KafkaConfig } from '../../collector/config.ts';
import { freePort } from './free-port.ts';
import { KafkaAdmin } from './kafka/admin.ts';
import { KAFKA_PASSWORD, KAFKA_USER } from './kafka/cache.ts';
import type { Certificates } from './kafka/certificates.ts';
import { makeCertificates } from './kafka/certificates.ts';
import { KafkaNode } from './kafka/node.ts';
import type { KafkaListener, NodePorts } from './kafka/settings.ts';

/** Another process may take a port between the asking and the start. */
const START_TRIES = 3;
const PORT_TAKEN = /Address already in use|BindException/;

export interface KafkaOptions {
  /** Default 1. With 3: replication 3, min.insync 2, and one may be away. */
  brokers?: 1 | 3;
  /** How clients connect; default `plain`. */
  listener?: KafkaListener;
  /** One a node: where its data are, such as a small disk. Default: a folder of the cluster. */
  dataFolders?: readonly string[];
  /** Of server.properties, added to kafka/settings.ts or instead of it. */
  properties?: Record<string, string>;
}

/** What the tests vary of the collector's configuration. */
export interface KafkaConfigOptions {
  mechanism?: 'plain' | 'scram-sha-256' | 'scram-sha-512';
}

export class KafkaCluster {
  /** `host:port` of the clients' listeners. */
  readonly bootstrap: string[];
  readonly nodes: readonly KafkaNode[];
  /** As an operator without any restriction. */
  readonly admin: KafkaAdmin;
  readonly folder: string;
  readonly #listener: KafkaListener;
  readonly #certificates: Certificates | undefined;

  /** Resolves when all nodes serve; rejects with the end of their log. Ended by `close`. */
  static async start(options: KafkaOptions = {}): Promise<KafkaCluster> {
    for (let tries = 1; ; tries++) {
      const cluster = new KafkaCluster(options, await portsFor(options.brokers ?? 1));
      try {
        for (const node of cluster.nodes) node.launch();
        await Promise.all(cluster.nodes.map((node) => node.answers(cluster.nodes.length)));
        return cluster;
      } catch (error) {
        await cluster.close();
        if (tries === START_TRIES || !PORT_TAKEN.test(String(error))) throw error;
      }
    }
  }

  private constructor(options: KafkaOptions, ports: readonly NodePorts[]) {
    const listener = options.listener ?? 'plain';
    this.folder = mkdtempSync(join(tmpdir(), 'fms-kafka-'));
    mkdirSync(join(this.folder, 'certificates'));
    const secured = listener !== 'plain' && listener !== 'sasl_plain';
    this.#listener = listener;
    this.#certificates = secured ? makeCertificates(join(this.folder, 'certificates')) : undefined;
    this.nodes = ports.map((_, i) => {
      const own = join(this.folder, `node-${i + 1}`);
      return new KafkaNode(own, {
        id: i + 1,
        nodes: ports,
        listener,
        dataFolder: join(options.dataFolders?.[i] ?? own, 'data'),
        keyStore: this.#certificates?.keyStore ?? '',
        trustStore: this.#certificates?.trustStore ?? '',
        more: options.properties ?? {},
      });
    });
    this.bootstrap = ports.map((port) => `127.0.0.1:${port.client}`);
    this.admin = new KafkaAdmin(this.nodes.map((node) => node.internal));
  }

  /** What the collector's configuration says to use this cluster. */
  config(topicPrefix: string, options: KafkaConfigOptions = {}): KafkaConfig {
    const certificates = this.#certificates;
    const byCertificate = this.#listener === 'mtls';
    return {
      brokers: this.bootstrap,
      topicPrefix,
      replication: this.nodes.length,
      minInsync: this.nodes.length > 1 ? 2 : 1,
      tls: certificates && {
        ca: certificates.ca,
        cert: byCertificate ? certificates.clientCert : undefined,
        key: byCertificate ? certificates.clientKey : undefined,
      },
      sasl: this.#listener.startsWith('sasl')
        ? {
            mechanism: options.mechanism ?? 'plain',
            username: KAFKA_USER,
            password: KAFKA_PASSWORD,
          }
        : undefined,
    };
  }

  /** Nodes are counted from 0 here. */
  kill(i: number): Promise<void> {
    return this.#node(i).kill();
  }

  stop(i: number): Promise<void> {
    return this.#node(i).stop();
  }

  /** Starts a node that ended. Resolves when it serves; `until`: how many brokers it sees by then. */
  async restart(i: number, until = this.#running() + 1): Promise<void> {
    const node = this.#node(i);
    node.launch();
    await node.answers(until);
  }

  freeze(i: number): void {
    this.#node(i).freeze();
  }

  thaw(i: number): void {
    this.#node(i).thaw();
  }

  /** Ends all nodes at once and removes their folders. */
  async close(keepFolder = false): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    await this.admin.close();
    if (!keepFolder) rmSync(this.folder, { recursive: true, force: true });
  }

  #node(i: number): KafkaNode {
    const node = this.nodes[i];
    if (node === undefined) throw new Error(`no node ${i}`);
    return node;
  }

  #running(): number {
    return this.nodes.filter((node) => node.pid !== undefined).length;
  }
}

/** A cluster for a test; it ends with the test. A failing test shows the end of each node's log. */
export async function kafkaForTests(t: Test, options: KafkaOptions = {}): Promise<KafkaCluster> {
  const cluster = await KafkaCluster.start(options);
  t.teardown(async () => {
    if (!t.passing())
      for (const node of cluster.nodes) t.comment(`Kafka node ${node.id}:\n${node.tail()}`);
    await cluster.close();
  });
  return cluster;
}

async function portsFor(nodes: number): Promise<NodePorts[]> {
  const ports = new Set<number>();
  while (ports.size < nodes * 3) ports.add(await freePort());
  const all = [...ports];
  return Array.from({ length: nodes }, (_, i) => ({
    client: all[i * 3] ?? 0,
    internal: all[i * 3 + 1] ?? 0,
    controller: all[i * 3 + 2] ?? 0,
  }));
}
