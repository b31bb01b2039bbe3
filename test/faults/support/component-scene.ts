/**
 * A collector of several processes over a real Kafka and the HTTP interface of a store, and gateways that send
 * to whichever intake they find: two processes of each component and what a test does to them, one by one.
 */

import type { Test } from 'tap';
import type { ClickHouseFront } from '../../support/clickhouse-front.ts';
import { startClickHouseFront } from '../../support/clickhouse-front.ts';
import { QUICK_COLLECTOR } from '../../support/collector-process.ts';
import type { ComponentProcess } from '../../support/components.ts';
import { Components } from '../../support/components.ts';
import type { KafkaCluster } from '../../support/kafka.ts';
import { kafkaForTests } from '../../support/kafka.ts';
import { until } from '../../support/plant.ts';
import type { RovingGatewayOptions } from '../../support/roving-gateway.ts';
import { RovingGateway } from '../../support/roving-gateway.ts';
import type { Aim } from './aims.ts';
import { AIM_VARIABLE, AIMED_COLLECTOR } from './aims.ts';

const DONE_MS = 300_000;
const NAMES = {
  intake1: 'intake',
  intake2: 'intake',
  process1: 'process',
  process2: 'process',
  write1: 'write',
  write2: 'write',
  serve1: 'serve',
  serve2: 'serve',
} as const;

/** What each gateway sends. */
export type Load = Pick<RovingGatewayOptions, 'pauseMs' | 'batchReadings'>;

export type Processes = Record<keyof typeof NAMES, ComponentProcess>;

export class ComponentScene {
  readonly kafka: KafkaCluster;
  readonly front: ClickHouseFront;
  readonly components: Components;
  /** None is started. */
  readonly processes: Processes;
  readonly gateways: readonly RovingGateway[];
  /** Those that gateways know. */
  readonly intakes: ComponentProcess[] = [];
  readonly #t: Test;

  static async open(t: Test, load: Load): Promise<ComponentScene> {
    const [kafka, front] = await Promise.all([kafkaForTests(t), startClickHouseFront(t)]);
    const components = new Components(t, {
      kafka: kafka.config('components'),
      clickhouse: front.config(),
      program: QUICK_COLLECTOR,
    });
    const added = Object.entries(NAMES).map(async ([name, component]) => [
      name,
      await components.add(name, [component]),
    ]);
    const processes = Object.fromEntries(await Promise.all(added)) as Processes;
    return new ComponentScene(t, { kafka, front, components, processes, load });
  }

  private constructor(
    t: Test,
    parts: Pick<ComponentScene, 'kafka' | 'front' | 'components' | 'processes'> & {
      load: Load;
    },
  ) {
    const { kafka, front, components, processes, load } = parts;
    this.#t = t;
    this.kafka = kafka;
    this.front = front;
    this.components = components;
    this.processes = processes;
    const ports = (): number[] => this.intakes.map(({ mqttPort }) => mqttPort);
    this.gateways = components.gateways.map(
      (gateway) => new RovingGateway({ gateway, ports, ...load }),
    );
    t.teardown(() => {
      for (const gateway of this.gateways) gateway.abandon();
    });
  }

  get emitted(): number {
    return this.gateways.reduce((sum, { emitted }) => sum + emitted.length, 0);
  }

  async storedBy(serve: ComponentProcess): Promise<number> {
    const { totals } = await serve.get<{ totals: { stored: number } }>('/api/v1/ledger');
    return totals.stored;
  }

  /** What was emitted by now gets stored, as `serve` says. */
  async goesOn(after: string, serve = this.processes.serve1): Promise<void> {
    const beganMs = performance.now();
    const before = this.emitted;
    await until(`what was emitted by now to be stored after ${after}`, DONE_MS, async () => {
      return (await this.storedBy(serve)) >= before;
    });
    this.#t.comment(`${after}: went on after ${Math.round(performance.now() - beganMs)} ms`);
  }

  /** It has so many of the partitions. */
  async owns(one: ComponentProcess, count: number): Promise<void> {
    const component = one.name.replace(/\d$/, '');
    const metric = `fms_collector_owned_partitions{component="${component}"}`;
    await one.until(`it has ${count} partitions`, async () => (await one.metric(metric)) === count);
  }

  /** kill -9 of all at once, and started again. */
  async again(...killed: ComponentProcess[]): Promise<void> {
    await Promise.all(killed.map((one) => one.kill()));
    await startAll(...killed);
  }

  /** Killed, then started to kill itself at the moment; resolves when it is started again after that. */
  async killedAt(one: ComponentProcess, aim: Aim): Promise<void> {
    // One that has no partition yet gets some when the others know of it.
    await startAimed(one, aim);
    await until(`${one.name} to be killed at ${JSON.stringify(aim)}`, DONE_MS, () => !one.running);
    await one.start();
  }

  /** The same with SIGSTOP: resolves when it is frozen. */
  async frozenAt(one: ComponentProcess, aim: Aim): Promise<void> {
    await startAimed(one, { ...aim, signal: 'SIGSTOP' });
    await until(`${one.name} to freeze`, DONE_MS, () => one.output.includes('"msg":"frozen"'));
  }
}

export async function startAll(...processes: ComponentProcess[]): Promise<void> {
  await Promise.all(processes.map((one) => one.start()));
}

async function startAimed(one: ComponentProcess, aim: Aim): Promise<void> {
  await one.kill();
  const env = { [AIM_VARIABLE]: JSON.stringify(aim) };
  await one.start({ program: AIMED_COLLECTOR, env });
}
