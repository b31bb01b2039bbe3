/** Notifiers inside a whole collector: a reading over MQTT becomes one message; nothing secret shows anywhere. */

import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CollectorProcess } from '../../support/collector-process.ts';
import { fmsRow } from '../../support/publisher.ts';
import { WebhookServer } from '../../support/webhook-server.ts';

t.setTimeout(1_200_000);

const SECRET = 'the-signing-secret-of-all';

t.test(
  'from a failing device to the webhook, over a restart, and what /metrics says',
  async (t) => {
    const hook = await WebhookServer.start(t);
    const down = await WebhookServer.start(t);
    const beats = await WebhookServer.start(t);
    down.answer = (response, { path, headers }) =>
      response.writeHead(503).end(`${path} ${headers['x-fms-signature']} ${SECRET}`);
    const collector = new CollectorProcess(t);
    mkdirSync(collector.folder, { recursive: true });
    writeFileSync(join(collector.folder, 'secret'), SECRET);
    writeFileSync(join(collector.folder, 'url'), down.url('/services/SECRETPATH'));
    collector.configure({
      notify: {
        receivers: [
          { name: 'ops', type: 'webhook', url: hook.url(), secret_file: 'secret' },
          { name: 'away', type: 'webhook', url_file: 'url', secret_file: 'secret' },
        ],
        heartbeat: { url: beats.url('/ping/SECRETPING'), interval_seconds: 1 },
      },
    });
    await collector.start();
    const publisher = await collector.publisher('gw1');
    const row = fmsRow('D01', Date.now());
    await publisher.readings(
      row.map((one) => (one.channel === 'isFail' ? { ...one, value: true } : one)),
    );
    await hook.until(() => hook.received.length === 1);
    t.match(hook.bodies()[0], {
      receiver: 'ops',
      site: 'demo',
      alerts: [{ change: 'firing', severity: 'CRITICAL' }],
    });
    await down.until(() => down.received.length >= 1);
    await beats.until(() => beats.received.length >= 1);

    let metrics = '';
    const own = async (): Promise<string> => {
      metrics = await (await fetch(`${collector.base}/metrics`)).text();
      return metrics;
    };
    await collector.until('metrics say so', async () =>
      /notifications_total\{receiver="ops",outcome="sent"\} [1-9]/.test(await own()),
    );
    t.match(metrics, /fms_collector_notifications_total\{receiver="away",outcome="failed"\} [1-9]/);
    t.match(metrics, /fms_collector_notify_waiting\{receiver="away"\} [1-9]/);
    t.match(metrics, /fms_collector_notify_lag_seconds\{receiver="ops"\} 0/);
    t.match(
      metrics,
      /fms_collector_notifications_total\{receiver="heartbeat",outcome="sent"\} [1-9]/,
    );
    await publisher.close();
    const said = collector.output;
    t.match(said, 'NOTIFY_UNREACHABLE');
    await collector.stop('SIGTERM');

    down.answer = 200;
    const tried = down.received.length;
    await collector.start();
    await down.until(() => down.received.length > tried);
    const again = down.bodies()[tried];
    t.match(again, { receiver: 'away', alerts: [{ severity: 'CRITICAL' }] });
    t.equal(new Set(hook.changes()).size, hook.changes().length, 'nothing twice');
    const all = `${said}${collector.output}${metrics}${await own()}`;
    const signature = createHash('sha256').update(SECRET).digest('hex');
    for (const secret of [SECRET, 'SECRETPATH', 'SECRETPING', signature])
      t.notOk(all.includes(secret), `${secret} is in no output`);
  },
);
