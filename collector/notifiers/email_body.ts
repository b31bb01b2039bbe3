/** What stands in a mail. Pure. Nothing of it is loaded from elsewhere. */

import type { Language, Message, Notice } from './notifier.ts';
import {
  headline,
  historyOf,
  kindText,
  leftOutText,
  moreText,
  oneLine,
  placeOf,
  severityText,
  subjectOf,
  summaryOf,
  titleOf,
} from './texts.ts';

/** More than so many make a mail that nobody reads. */
const SHOWN_MAX = 100;
const VALUES_MAX = 12;
const COLOURS = { INFO: '#4a7fb5', WARNING: '#b38600', ERROR: '#c2570c', CRITICAL: '#b3202a' };
const RESOLVED_COLOUR = '#2e7d4f';

const WORDS = {
  en: {
    hello: 'This mail is a test: nothing has happened.',
    footer: 'Sent by the FMS collector. Times are those of the site',
  },
  ko: {
    hello: '이 메일은 시험입니다. 실제로 발생한 일이 없습니다.',
    footer: 'FMS 수집기가 보냈습니다. 시간은 사업장 기준입니다',
  },
};

export function emailText(message: Message, language: Language, timeZone: string): string {
  const { notices, leftOut, test } = message;
  const words = WORDS[language];
  const blocks = notices
    .slice(0, SHOWN_MAX)
    .map((notice) =>
      [
        `* ${titleLine(notice, language)}`,
        placeOf(notice.alert),
        summaryOf(notice.alert, language),
        valuesText(notice),
        historyOf(notice, timeZone, language),
      ]
        .filter((line) => line !== '')
        .join('\n  '),
    );
  const parts = [
    test ? words.hello : '',
    headline(message, language),
    leftOutText(leftOut, language),
    ...blocks,
    moreText(notices.length - SHOWN_MAX, language),
    `-- \n${words.footer} (${timeZone}).`,
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

export function emailHtml(message: Message, language: Language, timeZone: string): string {
  const { notices, leftOut, test } = message;
  const words = WORDS[language];
  const parts = [
    test ? paragraph(words.hello) : '',
    `<h1 style="font-size:18px;margin:0 0 16px">${escapeHtml(headline(message, language))}</h1>`,
    leftOut === 0 ? '' : paragraph(leftOutText(leftOut, language)),
    ...notices.slice(0, SHOWN_MAX).map((notice) => card(notice, language, timeZone)),
    notices.length > SHOWN_MAX ? paragraph(moreText(notices.length - SHOWN_MAX, language)) : '',
    `<p style="color:#666;font-size:12px">${escapeHtml(`${words.footer} (${timeZone}).`)}</p>`,
  ];
  const body = parts.filter((part) => part !== '').join('\n');
  return `<!doctype html>
<html lang="${language}"><head><meta charset="utf-8"></head>
<body style="font-family:sans-serif;font-size:14px;color:#222;max-width:640px">
${body}
</body></html>
`;
}

function card(notice: Notice, language: Language, timeZone: string): string {
  const { kind, alert } = notice;
  const colour = kind === 'resolved' ? RESOLVED_COLOUR : COLOURS[alert.severity];
  const lines = [
    summaryOf(alert, language),
    valuesText(notice),
    historyOf(notice, timeZone, language),
    placeOf(alert),
  ];
  const shown = lines.filter((line) => line !== '').map(escapeHtml);
  return `<div style="border-left:4px solid ${colour};padding:4px 12px;margin:0 0 16px">
<strong style="color:${colour}">${escapeHtml(titleLine(notice, language))}</strong><br>
${shown.join('<br>\n')}
</div>`;
}

function titleLine({ kind, alert }: Notice, language: Language): string {
  const severity = severityText(alert.severity, language);
  const title = `${subjectOf(alert)}: ${titleOf(alert, language)}`;
  return `${severity} · ${title} (${kindText(kind, language)})`;
}

function valuesText({ alert }: Notice): string {
  return Object.entries(alert.values)
    .slice(0, VALUES_MAX)
    .map(([name, value]) => `${oneLine(name, 60)} = ${oneLine(String(value), 60)}`)
    .join(', ');
}

function paragraph(text: string): string {
  return `<p>${escapeHtml(text)}</p>`;
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
