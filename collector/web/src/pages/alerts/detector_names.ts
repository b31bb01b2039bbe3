/** The detectors of the collector (collector/processor/anomaly/registry.ts); tests compare them. */
export const DETECTOR_NAMES: readonly string[] = [
  'failure',
  'limits',
  'rate',
  'stuck',
  'novelty',
  'drift',
  'device',
];
