/**
 * A webhook of one's own: the group as JSON, signed. A receiver checks the signature over the bytes as they
 * came, refuses timestamps that are minutes old, and ignores an alert `key` that it has had already.
 */

import { createHmac } from 'node:crypto';
import type { AlertEntry } from '../processor/outputs/alert.ts';
import { request } from './http.ts';
import type { Message, Notice, Notifier, NotifierContext } from './notifier.ts';

export interface WebhookSettings {
  url: string;
  /** Undefined: not signed. */
  secret: string | undefined;
  /** Sent as `Authorization: Bearer …`. */
  token: string | undefined;
}

export function makeWebhook(
  { url, secret, token }: WebhookSettings,
  receiver: string,
  { wallMs }: NotifierContext,
): Notifier {
  return {
    send: async (message, signal) => {
      const body = JSON.stringify(webhookBody(message, receiver));
      const timestamp = String(Math.floor(wallMs() / 1_000));
      const headers: Record<string, string> = {
        'content-type': 'application/json',
        'idempotency-key': message.key,
        'x-fms-timestamp': timestamp,
      };
      if (secret !== undefined)
        headers['x-fms-signature'] = `sha256=${signatureOf(secret, timestamp, body)}`;
      if (token !== undefined) headers.authorization = `Bearer ${token}`;
      const secrets = [secret ?? '', token ?? ''];
      await request({ url, headers, body, secrets, signal });
      return undefined;
    },
  };
}

/** HMAC-SHA-256 of `timestamp.body`, hex. */
export function signatureOf(secret: string, timestamp: string, body: string): string {
  return createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
}

export function webhookBody(message: Message, receiver: string): object {
  return {
    version: 1,
    key: message.key,
    receiver,
    site: message.site,
    test: message.test,
    left_out: message.leftOut,
    sent_ms: message.sentMs,
    alerts: message.notices.map(noticeJson),
  };
}

function noticeJson({ kind, alert, toldSeverity }: Notice): object {
  return {
    key: `${alert.id}/${alert.version}`,
    change: kind,
    told_severity: toldSeverity ?? null,
    ...alertJson(alert),
  };
}

/** As the API says it. */
function alertJson(alert: AlertEntry): object {
  return {
    id: alert.id,
    version: alert.version,
    site: alert.site,
    gateway: alert.gateway,
    device: alert.device,
    area: alert.area,
    line: alert.line,
    rule: alert.rule,
    severity: alert.severity,
    state: alert.state,
    title: alert.title,
    title_ko: alert.titleKo,
    summary: alert.summary,
    summary_ko: alert.summaryKo,
    values: alert.values,
    started_ms: alert.startedMs,
    fired_ms: alert.firedMs,
    acknowledged_ms: alert.acknowledgedMs,
    acknowledged_by: alert.acknowledgedBy,
    acknowledged_note: alert.acknowledgedNote,
    resolved_ms: alert.resolvedMs,
    resolved_by: alert.resolvedBy,
    received_ms: alert.receivedMs,
    updated_ms: alert.updatedMs,
  };
}
