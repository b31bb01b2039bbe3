/** What the forwarder is given, tells and promises. */

import type { GatewayState } from '../../proto/model.ts';
import type { AgentError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Clock, ClockState, ReadingBuffer } from '../types.ts';
import type { CollectorAddress } from './link.ts';

export interface ForwarderSettings {
  windowBatches: number;
  batchReadings: number;
  batchBytes: number;
  publishTimeoutMs: number;
  keepaliveS: number;
  stateIntervalMs: number;
  backoffMaxMs: number;
  holdMs: number;
  /** Whose word frees the buffer: a PUBACK, or the collector's `acked` on the command topic. */
  acknowledgedBy: 'broker' | 'collector';
  /** With `collector`: a batch without its word goes again after this, then with growing pauses. */
  resendAfterMs: number;
}

export interface ForwarderOptions {
  identity: { site: string; gateway: string; installId: string };
  collector: CollectorAddress;
  settings: ForwarderSettings;
  buffer: ReadingBuffer;
  clock: Clock;
  clockState: () => ClockState;
  /** The gateway's state as it is now; the forwarder sets `online` and `cleanEnd`. */
  gatewayState: () => GatewayState;
  log: Log;
  /** In [0, 1); jitter. */
  random: () => number;
  /** Shortest ceiling of the backoff. */
  backoffBaseMs?: number;
  /** See LinkOptions; left out: said in the log. */
  onWrongTime?: ((detail: string) => void) | undefined;
  /** Why a certificate is refused, in the collector's words; undefined: it does not say. Never rejects. */
  explainRefusal?: (() => Promise<AgentError | undefined>) | undefined;
}

export interface ForwarderStatus {
  connection: 'connecting' | 'online' | 'waiting' | 'stopped';
  /** What the batches in flight wait for. `collector`: the broker has all of them. */
  waitsFor: 'nothing' | 'connection' | 'broker' | 'collector';
  onlineSinceMs: number | undefined;
  /** Of the attempt that comes, while waiting. */
  nextAttemptMs: number | undefined;
  /** What ended the last connection or attempt; undefined once a batch was acknowledged since. */
  lastError: AgentError | undefined;
  lastAckMs: number | undefined;
  inFlightBatches: number;
  inFlightReadings: number;
  inFlightBytes: number;
  heldMs: number;
  windowShare: number;
  connectionsTotal: number;
  connectFailuresTotal: number;
  publishTimeoutsTotal: number;
  sentBatchesTotal: number;
  sentBytesTotal: number;
  ackedBatchesTotal: number;
  ackedReadingsTotal: number;
  resentBatchesTotal: number;
  /** Of them, those that the collector had not acknowledged in time. */
  timeoutResendsTotal: number;
}

export interface Forwarder {
  status(): ForwarderStatus;
  /**
   * Makes the connection anew at once, with the credentials of now: an open one is first given `graceMs` to
   * finish, as close() does. Never rejects; what was not acknowledged goes again on the new one.
   */
  reconnect(graceMs: number): Promise<void>;
  /**
   * Sends what is still waiting, awaits the acknowledgements under way, publishes the state of a clean end
   * (unless another forwarder follows at once) and disconnects: all within `graceMs`. What was not
   * acknowledged stays in the buffer.
   */
  close(end: { graceMs: number; lastState: boolean }): Promise<void>;
}
