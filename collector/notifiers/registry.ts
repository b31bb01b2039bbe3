/** All notifiers: one line each. */

import type { AlertmanagerSettings } from './alertmanager.ts';
import { makeAlertmanager } from './alertmanager.ts';
import type { EmailSettings } from './email.ts';
import { makeEmail } from './email.ts';
import type { Preferences } from './notice.ts';
import type { Notifier, NotifierContext } from './notifier.ts';
import type { SlackSettings } from './slack.ts';
import { makeSlack } from './slack.ts';
import type { WebhookSettings } from './webhook.ts';
import { makeWebhook } from './webhook.ts';

export type Way =
  | { type: 'email'; settings: EmailSettings }
  | { type: 'slack'; settings: SlackSettings }
  | { type: 'webhook'; settings: WebhookSettings }
  | { type: 'alertmanager'; settings: AlertmanagerSettings };

/** Somebody who hears of alerts, as configured. */
export interface Receiver {
  name: string;
  way: Way;
  wants: Preferences;
  /** Changes of a site that come within this time after a message are one message. */
  groupMs: number;
}

export function makeNotifier({ name, way }: Receiver, context: NotifierContext): Notifier {
  switch (way.type) {
    case 'email':
      return makeEmail(way.settings, context);
    case 'slack':
      return makeSlack(way.settings, context);
    case 'webhook':
      return makeWebhook(way.settings, name, context);
    case 'alertmanager':
      return makeAlertmanager(way.settings, context);
  }
}
