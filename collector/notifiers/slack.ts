/**
 * Incoming webhooks as Slack, Mattermost and Rocket.Chat take them: text, and an attachment an alert.
 * Names are escaped, so that a device's name can mention nobody and link nowhere.
 */

import { request } from './http.ts';
import type { Language, Message, Notice, Notifier, NotifierContext } from './notifier.ts';
import {
  headline,
  historyOf,
  kindText,
  leftOutText,
  moreText,
  placeOf,
  severityText,
  subjectOf,
  summaryOf,
  titleOf,
} from './texts.ts';

export interface SlackSettings {
  url: string;
  language: Language;
}

/** More than so many make a message that nobody reads. */
const ATTACHMENTS_MAX = 20;
const COLOURS = { INFO: '#4a7fb5', WARNING: '#d9a300', ERROR: '#d9640d', CRITICAL: '#c4232b' };
const RESOLVED_COLOUR = '#2e8b57';

export function makeSlack(
  { url, language }: SlackSettings,
  context: Pick<NotifierContext, 'timeZoneOf'>,
): Notifier {
  return {
    send: async (message, signal) => {
      const body = slackBody(message, language, context.timeZoneOf(message.site));
      const headers = { 'content-type': 'application/json; charset=utf-8' };
      await request({ url, headers, body: JSON.stringify(body), signal });
      return undefined;
    },
  };
}

export function slackBody(message: Message, language: Language, timeZone: string): object {
  const { notices } = message;
  const shown = notices.slice(0, ATTACHMENTS_MAX);
  const lines = [
    headline(message, language),
    moreText(notices.length - shown.length, language),
    leftOutText(message.leftOut, language),
  ];
  return {
    text: escapeSlack(lines.filter((line) => line !== '').join('\n')),
    attachments: shown.map((notice) => attachment(notice, language, timeZone)),
  };
}

function attachment(notice: Notice, language: Language, timeZone: string): object {
  const { kind, alert } = notice;
  const severity = severityText(alert.severity, language);
  const title = `${severity} · ${subjectOf(alert)}: ${titleOf(alert, language)}`;
  const text = [summaryOf(alert, language), historyOf(notice, timeZone, language)];
  return {
    color: kind === 'resolved' ? RESOLVED_COLOUR : COLOURS[alert.severity],
    fallback: escapeSlack(`${title} (${kindText(kind, language)})`),
    title: escapeSlack(`${title} (${kindText(kind, language)})`),
    text: escapeSlack(text.filter((line) => line !== '').join('\n')),
    footer: escapeSlack(placeOf(alert)),
    ts: Math.floor(alert.updatedMs / 1_000),
    mrkdwn_in: [],
  };
}

/**
 * `&`, `<` and `>` are Slack's own escapes, and keep `<!channel>` and `<http://…|…>` from meaning anything.
 * Mattermost also knows `@channel`, bare addresses and `[…](…)`: a space of no width goes between.
 */
export function escapeSlack(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('@', '@\u200b')
    .replaceAll('](', ']\u200b(')
    .replaceAll('://', ':\u200b//');
}
