/** Keeps the service manager informed of a running agent: alive, and in one line how it is. */

import type { ServiceManager } from '../../proto/systemd.ts';
import type { Scheduler } from '../scheduler.ts';
import type { AgentSnapshot } from '../status/snapshot.ts';

const EVERY_MS = 5_000;

/**
 * Says READY and goes on saying how the agent is. It speaks from the event loop: an agent that hangs falls
 * silent and is started anew. Answers with what ends it.
 */
export function reportToService(options: {
  service: ServiceManager;
  scheduler: Scheduler;
  snapshot: () => AgentSnapshot;
}): () => void {
  const { service, scheduler, snapshot } = options;
  const { watchdogMs } = service;
  let said = '';
  let ended = false;
  const report = (ready: boolean): void => {
    if (ended) return;
    const status = statusLine(snapshot());
    service.tell({
      ...(ready ? { READY: 1 } : {}),
      ...(status === said ? {} : { STATUS: status }),
      ...(watchdogMs === undefined ? {} : { WATCHDOG: 1 }),
    });
    said = status;
  };
  report(true);
  const everyMs = Math.min(EVERY_MS, (watchdogMs ?? EVERY_MS) / 3);
  const cancel = every(scheduler, everyMs, () => report(false));
  return () => {
    ended = true;
    cancel();
  };
}

function every(scheduler: Scheduler, ms: number, work: () => void): () => void {
  let cancel: () => void;
  const again = (): void => {
    cancel = scheduler.after(ms, () => {
      work();
      again();
    });
  };
  again();
  return () => cancel();
}

/** `online; 20 of 20 devices ok; 1,234 readings wait`. */
export function statusLine({ forwarder, readers, buffer, diskRefuses }: AgentSnapshot): string {
  const ok = readers.filter(({ state }) => state.status === 'ok').length;
  const link =
    forwarder?.connection === 'online'
      ? 'online'
      : `offline${forwarder?.lastError === undefined ? '' : ` (${forwarder.lastError.code})`}`;
  return [
    link,
    readers.length === 0 ? 'NO DEVICES are configured' : `${ok} of ${readers.length} devices ok`,
    `${buffer.readings.toLocaleString('en')} readings wait`,
    ...(diskRefuses ? ['THE DISK REFUSES'] : []),
  ].join('; ');
}
