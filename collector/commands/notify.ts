/** `fms-collector notify test`: does a message get through to each receiver? Needs no running collector. */

import { randomUUID } from 'node:crypto';
import { CollectorError } from '../errors.ts';
import type { Message } from '../notifiers/notifier.ts';
import { asNotifyError, NotifyError } from '../notifiers/notifier.ts';
import type { Receiver } from '../notifiers/registry.ts';
import { makeNotifier } from '../notifiers/registry.ts';
import type { Output } from './check.ts';
import { configOrMistakes } from './check.ts';

const TIMEOUT_MS = 30_000;

export interface NotifyTestOptions {
  config: string;
  receiver?: string;
}

/** Prints how it went for each. Exit code: 0, 1 when one failed, 2 for mistakes in the configuration. */
export async function notifyTest(
  { config: file, receiver }: NotifyTestOptions,
  env: Record<string, string | undefined>,
  output: Output,
): Promise<number> {
  const config = configOrMistakes(file, env, output);
  if (config === undefined) return 2;
  const all = config.notify.receivers;
  const chosen = all.filter(({ name }) => receiver === undefined || name === receiver);
  if (chosen.length === 0 && receiver !== undefined) {
    const known = all.map(({ name }) => name).join(', ') || 'none';
    const error = new CollectorError('NOTIFY_RECEIVER_UNKNOWN', `${receiver}; known: ${known}`);
    output.error(`${error.message}\n${error.hint}`);
    return 1;
  }
  if (chosen.length === 0) output.log('no receivers are configured: nobody is told of alerts');
  const timeZoneOf = (site: string): string => config.sites.get(site)?.timeZone ?? 'UTC';
  const site = [...config.sites.keys()][0] ?? config.gateways[0]?.site ?? 'test';
  const tests = chosen.map((one) => test(one, site, timeZoneOf, output));
  return (await Promise.all(tests)).every((passed) => passed) ? 0 : 1;
}

async function test(
  receiver: Receiver,
  site: string,
  timeZoneOf: (site: string) => string,
  output: Output,
): Promise<boolean> {
  const { name, way } = receiver;
  const notifier = makeNotifier(receiver, { timeZoneOf, wallMs: () => Date.now() });
  const beganMs = performance.now();
  try {
    const message = testMessage(site, Date.now());
    const problem = await notifier.send(message, AbortSignal.timeout(TIMEOUT_MS));
    if (problem !== undefined) throw new NotifyError('NOTIFY_REFUSED', `in part: ${problem}`);
  } catch (error) {
    const { message, hint } = asNotifyError(error);
    output.error(`${name} (${way.type}): FAILED: ${message}\n  ${hint}`);
    return false;
  }
  output.log(`${name} (${way.type}): sent in ${Math.round(performance.now() - beganMs)} ms`);
  return true;
}

export function testMessage(site: string, nowMs: number): Message {
  const id = randomUUID().replaceAll('-', '');
  const alert = {
    id: id.slice(0, 16),
    site,
    gateway: 'test',
    device: '',
    area: '',
    line: '',
    rule: 'notify_test',
    severity: 'INFO',
    state: 'firing',
    title: 'Test message of the FMS collector',
    titleKo: 'FMS 수집기의 시험 메시지',
    summary: 'Nothing has happened. Alerts will look like this.',
    summaryKo: '실제로 발생한 일이 없습니다. 경보는 이런 모습으로 전달됩니다.',
    values: {},
    startedMs: nowMs,
    firedMs: nowMs,
    acknowledgedMs: 0,
    acknowledgedBy: '',
    acknowledgedNote: '',
    resolvedMs: 0,
    resolvedBy: '',
    silence: '',
    inhibitedBy: '',
    version: 1,
    receivedMs: nowMs,
    updatedMs: nowMs,
  } as const;
  const notice = { kind: 'firing', alert, toldSeverity: undefined } as const;
  return { key: id, site, notices: [notice], leftOut: 0, sentMs: nowMs, test: true };
}
