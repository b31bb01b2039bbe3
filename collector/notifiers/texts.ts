/** What people read of alerts, in English and Korean. Pure. Names come from devices: none is trusted. */

import { ALERT_SEVERITIES } from '../alert.ts';
import type { AlertEntry } from '../processor/outputs/alert.ts';
import type { AlertSeverity } from '../profile.ts';
import type { Language, Message, Notice, NoticeKind } from './notifier.ts';

const SUBJECT_MAX = 160;
const NAME_MAX = 100;
const SUMMARY_MAX = 600;

const KINDS: Record<Language, Record<NoticeKind, string>> = {
  en: {
    firing: 'firing',
    raised: 'now worse',
    lowered: 'now milder',
    acknowledged: 'acknowledged',
    resolved: 'resolved',
  },
  ko: {
    firing: '발생',
    raised: '악화',
    lowered: '완화',
    acknowledged: '확인됨',
    resolved: '해제',
  },
};

const SEVERITIES: Record<Language, Record<AlertSeverity, string>> = {
  en: { INFO: 'INFO', WARNING: 'WARNING', ERROR: 'ERROR', CRITICAL: 'CRITICAL' },
  ko: { INFO: '정보', WARNING: '주의', ERROR: '오류', CRITICAL: '심각' },
};

/** On one line, without control characters and what turns the direction of text, bounded. */
export function oneLine(text: string, max: number): string {
  const clean = text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu, ' ')
    .trim();
  const letters = [...clean];
  return letters.length <= max ? clean : `${letters.slice(0, max - 1).join('')}…`;
}

export function kindText(kind: NoticeKind, language: Language): string {
  return KINDS[language][kind];
}

export function severityText(severity: AlertSeverity, language: Language): string {
  return SEVERITIES[language][severity];
}

export function titleOf(alert: AlertEntry, language: Language): string {
  const title = language === 'ko' ? alert.titleKo || alert.title : alert.title || alert.titleKo;
  return oneLine(title || alert.rule, SUBJECT_MAX);
}

export function summaryOf(alert: AlertEntry, language: Language): string {
  const text = language === 'ko' ? alert.summaryKo || alert.summary : alert.summary;
  return oneLine(text, SUMMARY_MAX);
}

/** The device, or the gateway where there is none. */
export function subjectOf(alert: AlertEntry): string {
  return oneLine(alert.device || alert.gateway, NAME_MAX);
}

/** Where it is, from large to small: `site / area / line`. */
export function placeOf(alert: AlertEntry): string {
  return [alert.site, alert.area, alert.line]
    .filter((part) => part !== '')
    .map((part) => oneLine(part, NAME_MAX))
    .join(' / ');
}

/** `2026-11-27 14:03:05` on the site's clock. */
export function timeText(atMs: number, timeZone: string): string {
  const text = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(atMs);
  return text.replace(/\s/gu, ' ');
}

/** `3 min`, rounded. */
export function durationText(ms: number, language: Language): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const [value, en, ko] =
    seconds < 120
      ? [seconds, 's', '초']
      : seconds < 7_200
        ? [Math.round(seconds / 60), 'min', '분']
        : [Math.round(seconds / 3_600), 'h', '시간'];
  return language === 'ko' ? `${value}${ko}` : `${value} ${en}`;
}

/** When it began and ended, and who cares for it. */
export function historyOf(notice: Notice, timeZone: string, language: Language): string {
  const { kind, alert, toldSeverity } = notice;
  const isKorean = language === 'ko';
  const since = timeText(alert.startedMs, timeZone);
  const parts = [isKorean ? `시작 ${since}` : `since ${since}`];
  if (kind === 'resolved') {
    const until = timeText(alert.resolvedMs, timeZone);
    const lasted = durationText(alert.resolvedMs - alert.startedMs, language);
    parts.push(isKorean ? `종료 ${until} (${lasted} 지속)` : `until ${until} (${lasted})`);
    if (toldSeverity === undefined)
      parts.push(isKorean ? '알리기 전에 해제됨' : 'over before it could be told');
  }
  if ((kind === 'raised' || kind === 'lowered') && toldSeverity !== undefined) {
    const before = severityText(toldSeverity, language);
    parts.push(isKorean ? `이전 ${before}` : `was ${before}`);
  }
  if (alert.acknowledgedMs > 0 && kind !== 'resolved') {
    const by = oneLine(alert.acknowledgedBy, NAME_MAX);
    const note = alert.acknowledgedNote === '' ? '' : `: ${oneLine(alert.acknowledgedNote, 200)}`;
    parts.push(isKorean ? `${by} 확인${note}` : `acknowledged by ${by}${note}`);
  }
  return parts.join(isKorean ? ', ' : ', ');
}

/** One line that says it all, such as a subject. */
export function headline(message: Message, language: Language): string {
  const isKorean = language === 'ko';
  const site = oneLine(message.site, NAME_MAX);
  const prefix = message.test ? (isKorean ? '[시험] ' : '[TEST] ') : '';
  const [first] = message.notices;
  if (message.notices.length === 1 && first !== undefined) {
    const { alert, kind } = first;
    const what = `${subjectOf(alert)}: ${titleOf(alert, language)}`;
    return oneLine(
      `${prefix}[${markOf(first, language)}] ${what} (${site}, ${kindText(kind, language)})`,
      SUBJECT_MAX,
    );
  }
  const mark = first === undefined ? '' : `[${markOf(first, language)}] `;
  const count = message.notices.length;
  const counts = countsOf(message.notices, language);
  const what = isKorean
    ? `${site}: 경보 ${count}건 (${counts})`
    : `${site}: ${count} alerts (${counts})`;
  return oneLine(`${prefix}${mark}${what}`, SUBJECT_MAX);
}

function markOf({ kind, alert }: Notice, language: Language): string {
  if (kind === 'resolved') return language === 'ko' ? '해제' : 'RESOLVED';
  return severityText(alert.severity, language);
}

/** `3 CRITICAL, 2 WARNING, 1 resolved`. */
function countsOf(notices: readonly Notice[], language: Language): string {
  const parts: string[] = [];
  for (const severity of [...ALERT_SEVERITIES].reverse()) {
    const count = notices.filter(
      ({ kind, alert }) => kind !== 'resolved' && alert.severity === severity,
    ).length;
    if (count > 0) parts.push(countText(count, severityText(severity, language), language));
  }
  const resolved = notices.filter(({ kind }) => kind === 'resolved').length;
  if (resolved > 0) parts.push(countText(resolved, kindText('resolved', language), language));
  return parts.join(', ');
}

function countText(count: number, what: string, language: Language): string {
  return language === 'ko' ? `${what} ${count}` : `${count} ${what}`;
}

/** '' when none was. */
export function leftOutText(leftOut: number, language: Language): string {
  if (leftOut === 0) return '';
  return language === 'ko'
    ? `이전 알림 ${leftOut}건은 전달되지 못했습니다. 수집기 화면에서 확인하십시오.`
    : `${leftOut} earlier alert(s) could not be told and were left out: look at the collector's pages.`;
}

/** '' when no more. */
export function moreText(more: number, language: Language): string {
  if (more <= 0) return '';
  return language === 'ko' ? `외 ${more}건` : `and ${more} more`;
}
