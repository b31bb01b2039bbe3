/**
 * Prometheus Alertmanager, API v2. It forgets what it does not hear of again: all that is open is repeated
 * every minute with an end that lies ahead, so that a collector that is gone lets its alerts end, and
 * its Watchdog alert, too.
 */

import type { AlertEntry } from '../processor/outputs/alert.ts';
import type { AlertSeverity } from '../profile.ts';
import { request } from './http.ts';
import type { Message, Notifier, NotifierContext } from './notifier.ts';
import { summaryOf, titleOf } from './texts.ts';

export interface AlertmanagerSettings {
  /** Without /api/v2. */
  url: string;
  username: string | undefined;
  password: string | undefined;
  token: string | undefined;
}

const REPEAT_MS = 60_000;
/** Five repeats may fail before an alert ends there. */
const AHEAD_MS = 5 * REPEAT_MS + 30_000;
/** Alerts of one request. */
const REQUEST_ALERTS_MAX = 500;

interface PostedAlert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt: string;
  endsAt: string;
}

export function makeAlertmanager(
  settings: AlertmanagerSettings,
  context: Pick<NotifierContext, 'wallMs'>,
): Notifier {
  const { username, password = '', token } = settings;
  const url = `${settings.url.replace(/\/+$/, '')}/api/v2/alerts`;
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  else if (username !== undefined)
    headers.authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const secrets = [headers.authorization ?? '', token ?? '', password];
  const post = async (alerts: readonly PostedAlert[], signal: AbortSignal): Promise<void> => {
    for (let from = 0; from < alerts.length; from += REQUEST_ALERTS_MAX) {
      const body = JSON.stringify(alerts.slice(from, from + REQUEST_ALERTS_MAX));
      await request({ url, headers, body, secrets, signal });
    }
  };
  return {
    send: async (message, signal) => {
      await post(alertsOf(message, context.wallMs()), signal);
      return undefined;
    },
    repeat: {
      intervalMs: REPEAT_MS,
      send: (open, isWell, signal) => {
        const nowMs = context.wallMs();
        const alerts = open.map((alert) => posted(alert, alert.severity, nowMs + AHEAD_MS));
        if (isWell) alerts.push(watchdog(nowMs));
        return post(alerts, signal);
      },
    },
  };
}

/** Severity is a label there, so an alert of another severity is another alert, and the one before it ends. */
export function alertsOf({ notices, test, sentMs }: Message, nowMs: number): PostedAlert[] {
  if (test) return notices.map(({ alert }) => posted(alert, alert.severity, sentMs + 60_000));
  return notices.flatMap(({ kind, alert, toldSeverity }) => {
    if (kind === 'resolved')
      return [posted(alert, toldSeverity ?? alert.severity, Math.min(nowMs, alert.resolvedMs))];
    const now = posted(alert, alert.severity, nowMs + AHEAD_MS);
    if (toldSeverity === undefined || toldSeverity === alert.severity) return [now];
    return [posted(alert, toldSeverity, nowMs), now];
  });
}

function posted(alert: AlertEntry, severity: AlertSeverity, endsMs: number): PostedAlert {
  const { site, gateway, device, area, line, rule } = alert;
  const labels = { alertname: rule, severity, site, gateway, device, area, line, rule };
  const annotations = {
    id: alert.id,
    title: titleOf(alert, 'en'),
    title_ko: titleOf(alert, 'ko'),
    summary: summaryOf(alert, 'en'),
    summary_ko: summaryOf(alert, 'ko'),
    acknowledged_by: alert.acknowledgedBy,
  };
  // A reading's time may lie ahead or, of a device with a wrong clock, far away: an end before the start is refused.
  const startsMs = Math.min(alert.startedMs, endsMs - 1);
  return {
    labels: present(labels),
    annotations: present(annotations),
    startsAt: new Date(startsMs).toISOString(),
    endsAt: new Date(endsMs).toISOString(),
  };
}

/** Fires for ever: whoever misses it knows that the collector is gone or not well. */
function watchdog(nowMs: number): PostedAlert {
  return {
    labels: { alertname: 'FmsWatchdog', severity: 'none', job: 'fms-collector' },
    annotations: {
      summary:
        'Log, processor and store of the collector work. Raise an alarm when this is missing.',
      summary_ko:
        '수집기의 로그, 처리기, 저장소가 동작 중입니다. 이 경보가 없으면 이상이 있는 것입니다.',
    },
    startsAt: new Date(nowMs).toISOString(),
    endsAt: new Date(nowMs + AHEAD_MS).toISOString(),
  };
}

/** Empty labels are none to Alertmanager, and it refuses what is not UTF-8. */
function present(texts: Record<string, string>): Record<string, string> {
  const kept = Object.entries(texts).filter(([, text]) => text !== '');
  return Object.fromEntries(kept.map(([name, text]) => [name, text.toWellFormed()]));
}
