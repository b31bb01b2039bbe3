/** What is known of a running agent: the status page, the metrics and `status` show parts of it. */

import type { ReaderState } from '../../proto/model.ts';
import type { ClockComparison } from '../clock.ts';
import type { ForwarderStatus } from '../forwarder/contract.ts';
import type { IdentityStatus } from '../identity/keeper.ts';
import type { RunnerStats } from '../runner/contract.ts';
import type { BufferStats, ClockState, EpochInfo } from '../types.ts';

/** Everything that can be asked of a running agent, at one moment. */
export interface AgentSnapshot {
  version: string;
  site: string;
  gateway: string;
  installId: string;
  collectorUrl: string;
  pid: number;
  nowMs: number;
  startedMs: number;
  buffer: BufferStats;
  epoch: EpochInfo | undefined;
  gapsPending: number;
  /** Commits fail at present; readings wait in memory. */
  diskRefuses: boolean;
  /** Undefined while it is being started. */
  forwarder: ForwarderStatus | undefined;
  clock: ClockState;
  clocks: ClockComparison;
  /** Undefined: not enrolled, or still being started. */
  identity: IdentityStatus | undefined;
  readers: { state: ReaderState; stats: RunnerStats; suppressedTotal: number }[];
  process: { rssBytes: number; cpuSeconds: number };
}
