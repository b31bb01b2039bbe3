/**
 * The alerts of one gateway and its devices. Deterministic. Which alerts there are is hard state; what is
 * pending, baselines and counters are soft state.
 */

import type { ChunkColumns } from '../../../proto/model.ts';
import type { AcknowledgeValue, SilenceValue } from '../../types.ts';
import type { AnomalyChange } from '../anomaly/detection.ts';
import type { AlertEntry, GatewayEntry } from '../outputs.ts';
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

export class GatewayAlerts {
  /** Log time from which tick() may have something to say. */
  get dueMs(): number {
    return Number.POSITIVE_INFINITY;
  }

  /** Judges what came. Answers what changed, in order. No content makes it throw. */
  judge(_input: AlertInput, _context: AlertContext): AlertEntry[] {
    return [];
  }

  /** Rejects came of a device. */
  rejected(_device: string, _count: number): void {}

  /** Time has passed. Called at reports, when it is due. */
  tick(_context: AlertContext): AlertEntry[] {
    return [];
  }

  /** Undefined: there is no such alert, or it is over. */
  acknowledge(_value: AcknowledgeValue, _context: AlertContext): AlertEntry | undefined {
    return undefined;
  }

  /** Another configuration holds, or other silences: everything is due. */
  review(): void {}

  /** What was soft is lost; `nowMs` is the time from which silence counts. */
  beginAnew(_nowMs: number): void {}

  /** Undefined: unchanged since it was taken last. Null: nothing is left of it. */
  takeHard(): Uint8Array | null | undefined {
    return undefined;
  }

  /** Throws PROCESSOR_STATE_VERSION. */
  restoreHard(_bytes: Uint8Array): void {}

  encodeSoft(): Uint8Array {
    return new Uint8Array(0);
  }

  /** False: another version wrote it; nothing is restored then. */
  restoreSoft(_bytes: Uint8Array): boolean {
    return true;
  }
}
