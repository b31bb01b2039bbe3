/** Alerts in a real Alertmanager: fire, get worse, end; silenced ones do not; a restart tells it again. */

import t from 'tap';
import { makeAlertmanager } from '../../../collector/notifiers/alertmanager.ts';
import type { Receiver } from '../../../collector/notifiers/registry.ts';
import type { SeenAlert } from '../../support/alertmanager.ts';
import { startAlertmanager } from '../../support/alertmanager.ts';
import { alertOf, appendAlert, HOSTILE, messageOf } from '../../support/alerts.ts';
import { NotifyScene, notifyConfig } from '../../support/notify-scene.ts';
import { whyNotWithout } from '../../support/programs.ts';
import { WebhookServer } from '../../support/webhook-server.ts';

t.setTimeout(1_200_000);
const skip = whyNotWithout('prometheus-alertmanager');
const never = new AbortController().signal;
const NO_ACCESS = { username: undefined, password: undefined, token: undefined };

function receiver(url: string): Receiver {
  return {
    name: 'am',
    way: { type: 'alertmanager', settings: { url, ...NO_ACCESS } },
    wants: { acknowledged: true, resolved: true, lowered: true },
    groupMs: 0,
  };
}

function names(alerts: readonly SeenAlert[]): string[] {
  return alerts
    .map(({ labels }) => `${labels.severity} ${labels.device ?? labels.alertname}`)
    .sort();
}

t.test('the life of alerts in a real Alertmanager', { skip }, async (t) => {
  const hook = await WebhookServer.start(t);
  const alertmanager = await startAlertmanager(t, hook.url());
  const scene = await NotifyScene.open(t);
  const config = notifyConfig([receiver(alertmanager.url)]);
  scene.start(config);
  await appendAlert(scene.log, { id: 'a' });
  await appendAlert(scene.log, { id: 'b', device: 'press-2' });
  await appendAlert(scene.log, { id: 's', device: 'silent', silence: 's1' });
  const [first] = await alertmanager.until(
    (alerts) => names(alerts).join() === 'WARNING press-1,WARNING press-2,none FmsWatchdog',
  );
  t.ok(first);
  const press = (await alertmanager.active()).find(({ labels }) => labels.device === 'press-1');
  t.same(press?.labels, {
    alertname: 'temperature_high',
    severity: 'WARNING',
    site: 'plant',
    gateway: 'gw1',
    device: 'press-1',
    area: 'hall 2',
    line: 'line 7',
    rule: 'temperature_high',
  });
  t.match(press?.annotations, { title: 'Temperature too high', title_ko: '온도가 너무 높음' });
  t.ok(Date.parse(press?.endsAt ?? '') > Date.now() + 120_000, 'ends ahead');

  await appendAlert(scene.log, { id: 'a', version: 2, severity: 'CRITICAL' });
  await alertmanager.until((alerts) => names(alerts).includes('CRITICAL press-1'));
  await alertmanager.until((alerts) => !names(alerts).includes('WARNING press-1'));
  await appendAlert(scene.log, { id: 'a', version: 3, severity: 'CRITICAL', state: 'resolved' });
  await alertmanager.until((alerts) => names(alerts).join() === 'WARNING press-2,none FmsWatchdog');
  await hook.until(() => hook.received.some(({ body }) => body.includes('"resolved"')));

  // One that has forgotten everything hears of what is open when the collector begins again.
  const other = await startAlertmanager(t, hook.url());
  await scene.restartLog();
  scene.start(notifyConfig([receiver(other.url)]));
  await other.until((alerts) => names(alerts).join() === 'WARNING press-2,none FmsWatchdog');
});

t.test('not well: no watchdog, but alerts', { skip }, async (t) => {
  const hook = await WebhookServer.start(t);
  const alertmanager = await startAlertmanager(t, hook.url());
  const scene = await NotifyScene.open(t);
  scene.start(notifyConfig([receiver(alertmanager.url)]), { isWell: () => false });
  await appendAlert(scene.log, { id: 'a' });
  await alertmanager.until((alerts) => names(alerts).join() === 'WARNING press-1');
  t.pass('only the alert');
});

t.test('hostile names, odd times and many alerts are taken', { skip }, async (t) => {
  const hook = await WebhookServer.start(t);
  const alertmanager = await startAlertmanager(t, hook.url());
  const notifier = makeAlertmanager(
    { url: `${alertmanager.url}/`, ...NO_ACCESS },
    { wallMs: () => Date.now() },
  );
  const odd = alertOf({
    device: HOSTILE,
    title: HOSTILE,
    area: '',
    startedMs: Date.now() + 9e9,
    values: { [HOSTILE]: HOSTILE },
  });
  await notifier.send(messageOf([odd]), never);
  const many = Array.from({ length: 1_200 }, (_, i) => alertOf({ id: `${i}`, device: `d${i}` }));
  await notifier.repeat?.send(many, true, never);
  const seen = await alertmanager.until((alerts) => alerts.length === 1_202);
  t.notOk(
    seen.some(({ labels }) => 'area' in labels && labels.area === ''),
    'no empty labels',
  );
});

t.test('requests: authorised, and without secrets in errors', async (t) => {
  const server = await WebhookServer.start(t);
  const settings = {
    url: server.url('/am'),
    username: 'fms',
    password: 'pass-word-123',
    token: undefined,
  };
  const notifier = makeAlertmanager(settings, { wallMs: () => Date.now() });
  await notifier.send(messageOf([alertOf()]), never);
  const { path, headers } = server.received[0]!;
  t.equal(path, '/am/api/v2/alerts');
  t.equal(headers.authorization, `Basic ${Buffer.from('fms:pass-word-123').toString('base64')}`);
  server.answer = (response, received) =>
    response.writeHead(401).end(`${received.headers.authorization} pass-word-123`);
  await t.rejects(notifier.send(messageOf([alertOf()]), never), {
    code: 'NOTIFY_NOT_AUTHORISED',
    message: /answered 401: \*\*\* \*\*\*$/,
  });
});
