/** Alerts as the processor puts them out, for tests of what becomes of them. */

import type { Log } from '../../collector/log/log.ts';
import { keyOf } from '../../collector/notifiers/message.ts';
import type { Message, NoticeKind } from '../../collector/notifiers/notifier.ts';
import type { AlertEntry } from '../../collector/processor/outputs/alert.ts';
import { encodeAlert } from '../../collector/processor/outputs/alert.ts';
import { OutputKind } from '../../collector/types.ts';

/** A firing alert of device press-1 of gateway plant/gw1, except for what is given. */
export function alertOf(fields: Partial<AlertEntry> = {}): AlertEntry {
  const nowMs = Date.now();
  const resolved = fields.state === 'resolved';
  return {
    id: '00000000000000a1',
    site: 'plant',
    gateway: 'gw1',
    device: 'press-1',
    area: 'hall 2',
    line: 'line 7',
    rule: 'temperature_high',
    severity: 'WARNING',
    state: 'firing',
    title: 'Temperature too high',
    titleKo: '온도가 너무 높음',
    summary: 'sensor1 is 93.4 °C, expected at most 90',
    summaryKo: 'sensor1 값이 93.4 °C, 한계 90',
    values: { sensor1: 93.4 },
    startedMs: nowMs - 10_000,
    firedMs: nowMs - 5_000,
    acknowledgedMs: 0,
    acknowledgedBy: '',
    acknowledgedNote: '',
    resolvedMs: resolved ? nowMs : 0,
    resolvedBy: resolved ? 'cleared' : '',
    silence: '',
    inhibitedBy: '',
    version: 1,
    receivedMs: nowMs,
    updatedMs: nowMs,
    ...fields,
  };
}

export function messageOf(
  alerts: readonly AlertEntry[],
  kind: NoticeKind = 'firing',
  more: Partial<Message> = {},
): Message {
  const toldSeverity = kind === 'firing' ? undefined : alerts[0]?.severity;
  const notices = alerts.map((alert) => ({ kind, alert, toldSeverity }));
  const site = alerts[0]?.site ?? '';
  const key = keyOf('test', notices);
  return { key, site, notices, leftOut: 0, sentMs: Date.now(), test: false, ...more };
}

export async function appendAlert(log: Log, fields: Partial<AlertEntry>, partition = 0) {
  const alert = alertOf(fields);
  const key = `${alert.site}/${alert.gateway}`;
  await log.append('events', partition, { key, kind: OutputKind.ALERT, value: encodeAlert(alert) });
  return alert;
}

/** Everything that a name could do harm with. */
export const HOSTILE =
  '<img src=x onerror=alert(1)>\r\nBcc: victim@example.org\r\n\r\n<!channel> @here [x](http://evil.example) "\'&\u202egnp\u2028\u0000\ud800';
