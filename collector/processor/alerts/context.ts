/** What alerts are judged by. */

import type { ChunkColumns } from '../../../proto/model.ts';
import type { SilenceValue } from '../../types.ts';
import type { AnomalyChange } from '../anomaly/detection.ts';
import type { GatewayEntry } from '../outputs/gateway.ts';
import type { Interval } from '../ranges.ts';
import type { CompiledConfiguration } from '../validation/compile.ts';
import type { DeviceSeen } from '../validation/judgement.ts';
import type { Sheet } from '../validation/run.ts';

/** What holds while alerts are judged. */
export interface AlertContext {
  site: string;
  gateway: string;
  /** As its last state said; undefined before the first. */
  entry: GatewayEntry | undefined;
  /** It is online by its last word, and says nothing. */
  isGatewaySilent: boolean;
  configuration: CompiledConfiguration;
  /** Those that have not ended. */
  silences: readonly SilenceValue[];
  /** When the record at hand became durable in raw. */
  receivedMs: number;
  /** Log time. */
  nowMs: number;
  /** When records came again after a pause of the collector: nobody is blamed for what was before. */
  resumedMs: number;
}

/** Fresh readings of a chunk, after rules and detectors. */
export interface AlertInput {
  columns: ChunkColumns;
  firstSeq: number;
  fresh: readonly Interval[];
  /** Valid during the call. */
  sheet: Sheet;
  devices: readonly DeviceSeen[];
  anomalies: readonly AnomalyChange[];
  /** Joined score of a device's last row, 0 to 1. */
  scoreOf: (device: string) => number;
}
