/** The registry behind /metrics, and how parts put figures into it. Who keeps and prints them is known here only. */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const PREFIX = 'fms_collector_';

type SetValue = (value: number, labels?: Record<string, string>) => void;

/**
 * Adds a metric whose figures a part keeps itself. `read` is called whenever somebody asks and sets one value
 * for each set of labels; what it does not set is not shown.
 */
type AddMetric = (
  name: string,
  help: string,
  labelNames: string[],
  read: (set: SetValue) => void,
) => void;

/** Names are without the prefix of the program. A name can be added once. */
export interface MetricRegistry {
  gauge: AddMetric;
  /** Likewise, for figures that only grow since the start. */
  counter: AddMetric;
  /** For who tells rather than keeps: each call of what it returns adds to the counter, 1 if nothing is said. */
  countedHere<L extends string>(
    name: string,
    help: string,
    labelNames: L[],
  ): (labels: Record<L, string>, by?: number) => void;
  /** Likewise: each call observes a value. `buckets` are upper bounds. */
  histogram(name: string, help: string, buckets: readonly number[]): (value: number) => void;
  /** Prometheus text, metrics in the order in which they were added. Rejects with what a `read` threw. */
  text(): Promise<string>;
}

/** Nothing is global. Memory and CPU of the process, event-loop lag and garbage collection are in it already. */
export function createRegistry(): MetricRegistry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: PREFIX });
  return {
    gauge: (name, help, labelNames, read) => {
      new Gauge({
        name: PREFIX + name,
        help,
        labelNames,
        registers,
        collect() {
          this.reset();
          read((value, labels = {}) => this.set(labels, value));
        },
      });
    },
    counter: (name, help, labelNames, read) => {
      new Counter({
        name: PREFIX + name,
        help,
        labelNames,
        registers,
        collect() {
          this.reset();
          read((value, labels = {}) => this.inc(labels, value));
        },
      });
    },
    countedHere: (name, help, labelNames) => {
      const counter = new Counter({ name: PREFIX + name, help, labelNames, registers });
      return (labels, by = 1) => counter.inc(labels, by);
    },
    histogram: (name, help, buckets) => {
      const histogram = new Histogram({
        name: PREFIX + name,
        help,
        buckets: [...buckets],
        registers,
      });
      return (value) => histogram.observe(value);
    },
    text: () => registry.metrics(),
  };
}
