/** Section notify of collector.yaml: what it means, every mistake with its line, and secrets that stay secret. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { check } from '../../../collector/commands/check.ts';
import { notifyTest } from '../../../collector/commands/notify.ts';
import type { CollectorConfig } from '../../../collector/config.ts';
import { ConfigInvalid, loadConfig } from '../../../collector/config.ts';
import { startSmtp } from '../../support/smtp-server.ts';
import { WebhookServer } from '../../support/webhook-server.ts';

const SECRET = 'the-signing-secret-of-all';
const SLACK = 'https://hooks.example/services/T0/B0/XXXXXXXXXXXX';

class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'fms-notify-config-'));

  constructor(t: Test) {
    t.teardown(() => rmSync(this.path, { recursive: true, force: true }));
  }

  write(name: string, text: string): string {
    const file = join(this.path, name);
    writeFileSync(file, text);
    return file;
  }

  load(yaml: string, env = {}): CollectorConfig {
    return loadConfig(this.write('collector.yaml', yaml), env);
  }

  /** `line: text` of each mistake. */
  mistakes(yaml: string, env = {}): string[] {
    try {
      this.load(yaml, env);
    } catch (error) {
      if (!(error instanceof ConfigInvalid)) throw error;
      return error.mistakes.map((one) => one.replace(/^.*collector\.yaml:/, ''));
    }
    return [];
  }
}

const WHOLE = `
notify:
  group_seconds: 20
  receivers:
    - {name: office, type: email, host: mail.example, username: fms, password_env: SMTP_PASSWORD,
       from: FMS <fms@plant.example>, to: [kim@plant.example], language: ko, acknowledged: true}
    - {name: chat, type: slack, url_file: slack.url}
    - {name: ticket, type: webhook, url: "https://tickets.example/fms", secret_file: secret,
       token_env: TICKET_TOKEN, group_seconds: 0, resolved: false}
    - {name: am, type: alertmanager, url: "http://alertmanager:9093"}
  routes:
    - {receivers: [am], continue: true}
    - {receivers: [ticket], min_severity: ERROR, sites: [plant], devices: ["press-*"], continue: true}
    - receivers: [chat]
      schedule: {days: [mon, fri], from: "08:00", to: "18:30", time_zone: Asia/Seoul}
    - {receivers: [office]}
  heartbeat: {url: "https://hc.example/ping/abcdef", interval_seconds: 30}
`;

t.test('the whole section', async (t) => {
  const folder = new Folder(t);
  folder.write('slack.url', `${SLACK}\n`);
  folder.write('secret', `${SECRET}\n`);
  const env = { SMTP_PASSWORD: 'pass-word-123', TICKET_TOKEN: 'token-0123456789' };
  const { notify } = folder.load(WHOLE, env);
  const [office, chat, ticket, am] = notify.receivers;
  t.match(office, {
    way: { settings: { port: 587, tls: 'starttls', password: 'pass-word-123', language: 'ko' } },
    wants: { acknowledged: true, resolved: true, lowered: false },
    groupMs: 20_000,
  });
  t.match(chat, { way: { settings: { url: SLACK, language: 'en' } } });
  t.match(ticket, {
    way: { settings: { secret: SECRET, token: 'token-0123456789' } },
    wants: { resolved: false },
    groupMs: 0,
  });
  t.match(am, { wants: { acknowledged: true, resolved: true, lowered: true }, groupMs: 0 });
  const schedule = notify.routes[2]?.schedule;
  t.match(schedule, { fromMinute: 480, toMinute: 1_110, timeZone: 'Asia/Seoul' });
  t.same([...(schedule?.days ?? [])], ['mon', 'fri']);
  t.match(notify.heartbeat, { intervalMs: 30_000 });
  t.same(folder.load('').notify, {
    receivers: [],
    routes: [],
    waitingMax: 1_000,
    waitingMaxMs: 86_400_000,
    heartbeat: undefined,
  });
});

t.test('every mistake with its line, and no secret in any', async (t) => {
  const folder = new Folder(t);
  folder.write('short', 'tooshort');
  const mistakes = folder.mistakes(
    `notify:
  receivers:
    - {name: a, type: email, host: "mail example", from: "x\\r\\ny", to: ["kim@plant.example", "no address"]}
    - {name: a, type: slack}
    - {name: b, type: slack, url: "ftp://hooks.example/SECRETPATH", host: mail.example}
    - {name: c, type: webhook, url: "https://user:SECRETWORD@hooks.example/", secret_file: short}
    - {name: d, type: webhook, url_file: missing, secret_env: NOT_SET}
    - {name: e, type: alertmanager, url: "http://am:9093", username: fms}
    - {name: f, type: webhook, url: "not a SECRETURL", secret_env: FMS_COLLECTOR_SECRET}
  routes:
    - {receivers: [a, nobody]}
  heartbeat: {interval_seconds: 5}
`,
  );
  t.same(
    mistakes.map((one) => one.replace(/ENOENT.*$/, 'ENOENT')).sort(),
    [
      '3: receiver a: host is not a host name',
      '3: receiver a: from is not an address, nor NAME <ADDRESS>',
      '3: receiver a: to: not an address (entry 2)',
      '4: receiver a is listed twice',
      '4: receiver a: exactly one of url, url_file and url_env is needed',
      '5: receiver b: slack has no host; it has language, url, url_file, url_env',
      '5: receiver b: url: only http and https',
      '6: receiver c: the secret is shorter than 16 characters',
      '6: receiver c: url: no user and password in a URL: they have keys of their own',
      '7: notify.receivers.4.url_file cannot be read: ENOENT',
      '7: notify.receivers.4.secret_env: the environment has no NOT_SET',
      '8: receiver e: username needs password_file or password_env',
      '9: receiver f: url: a URL has no white space',
      '9: notify.receivers.6.secret_env: names that begin with FMS_COLLECTOR_ are overrides; choose another',
      '11: no receiver is called nobody; known: a, b, c, d, e, f',
      '12: notify.heartbeat: exactly one of url, url_file and url_env is needed',
    ].sort(),
  );
  t.notMatch(mistakes.join('\n'), /SECRET[PWU]|tooshort/);
});

t.test('what the schema finds', async (t) => {
  const folder = new Folder(t);
  const mistakes = folder.mistakes(`notify:
  receivers:
    - {name: a, type: pigeon}
    - {name: b, type: webhook, password: SECRETWORD}
  routes:
    - receivers: [b]
      schedule: {from: "25:00", time_zone: Mars/Olympus, days: [someday]}
`);
  t.equal(mistakes.length, 5, mistakes.join('\n'));
  for (const [i, wanted] of [
    [0, /^3: .*type must be one of/],
    [1, /^4: unknown key "password"/],
  ] as const)
    t.match(mistakes[i], wanted);
  t.notMatch(mistakes.join('\n'), 'SECRETWORD');
});

class Heard {
  lines: string[] = [];
  readonly output = {
    log: (line: string) => this.lines.push(line),
    error: (line: string) => this.lines.push(line),
  };
  get text(): string {
    return this.lines.join('\n');
  }
}

t.test('check says who hears of alerts, and nothing secret', async (t) => {
  const folder = new Folder(t);
  folder.write('slack.url', SLACK);
  folder.write('secret', SECRET);
  const file = folder.write('collector.yaml', WHOLE);
  const heard = new Heard();
  const env = { SMTP_PASSWORD: 'pass-word-123', TICKET_TOKEN: 'token-0123456789' };
  t.equal(check(file, env, heard.output), 0, heard.text);
  t.match(
    heard.text,
    'office (email), chat (slack), ticket (webhook), am (alertmanager); 4 route(s), heartbeat',
  );
  t.notMatch(heard.text, /XXXXXXXXXXXX|signing-secret|pass-word-123|token-0123456789|ping\/abcdef/);
});

t.test('notify test: each receiver, or one; exit codes', async (t) => {
  const folder = new Folder(t);
  const server = await WebhookServer.start(t);
  const smtp = await startSmtp(t, { tls: 'none' });
  const yaml = `
notify:
  receivers:
    - {name: hook, type: webhook, url: "${server.url()}"}
    - {name: chat, type: slack, url: "${server.url('/slack')}", language: ko}
    - {name: am, type: alertmanager, url: "${server.url('/am')}"}
    - {name: office, type: email, host: 127.0.0.1, port: ${smtp.port}, tls: none,
       from: fms@plant.example, to: [kim@plant.example]}
`;
  const file = folder.write('collector.yaml', yaml);
  const heard = new Heard();
  t.equal(await notifyTest({ config: file }, {}, heard.output), 0, heard.text);
  t.equal(heard.lines.length, 4);
  t.same(server.received.map(({ path }) => path).sort(), ['/am/api/v2/alerts', '/hook', '/slack']);
  const hook = server.received.find(({ path }) => path === '/hook');
  t.match(JSON.parse(hook?.body ?? ''), { test: true, receiver: 'hook' });
  t.match(smtp.mails[0]?.raw, /Subject: \[TEST\]/);

  server.answer = 403;
  const again = new Heard();
  t.equal(await notifyTest({ config: file }, {}, again.output), 1);
  t.match(
    again.text,
    /hook \(webhook\): FAILED: NOTIFY_NOT_AUTHORISED: 127\.0\.0\.1:\d+ answered 403/,
  );
  t.match(again.text, /office \(email\): sent in \d+ ms/);

  const one = new Heard();
  t.equal(await notifyTest({ config: file, receiver: 'office' }, {}, one.output), 0);
  t.equal(one.lines.length, 1);
  const none = new Heard();
  t.equal(await notifyTest({ config: file, receiver: 'nobody' }, {}, none.output), 1);
  t.match(none.text, 'NOTIFY_RECEIVER_UNKNOWN');
  const wrong = new Heard();
  const broken = folder.write('broken.yaml', 'notify: {receivers: 3}');
  t.equal(await notifyTest({ config: broken }, {}, wrong.output), 2);
});

t.test('the sample of the manual', async (t) => {
  const manual = readFileSync(join(import.meta.dirname, '../../../docs/OPERATIONS.md'), 'utf8');
  const section = manual.slice(manual.indexOf('### Alerts and messages'));
  const sample = /```yaml\n([\s\S]*?)```/.exec(section)?.[1] ?? '';
  const folder = new Folder(t);
  mkdirSync(join(folder.path, 'secrets'));
  for (const [name, text] of [
    ['smtp', 'pass-word-123'],
    ['slack-url', SLACK],
    ['webhook', SECRET],
    ['heartbeat-url', 'https://hc.example/ping'],
  ] as const)
    folder.write(`secrets/${name}`, text);
  const { notify } = folder.load(sample);
  t.same(
    notify.receivers.map(({ name }) => name),
    ['maintenance', 'chat', 'tickets', 'alertmanager'],
  );
  t.equal(notify.routes.length, 4);
});
