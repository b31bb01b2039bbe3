/** From alerts in a real log to a real receiver: once each, grouped, through restarts and receivers that are away. */

import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import type { AlertEntry } from '../../../collector/processor/outputs/alert.ts';
import { wholeShare } from '../../../collector/shares.ts';
import { appendAlert } from '../../support/alerts.ts';
import { NotifyScene, notifyConfig, webhook } from '../../support/notify-scene.ts';
import { WebhookServer } from '../../support/webhook-server.ts';

t.setTimeout(1_200_000);

interface Setting {
  scene: NotifyScene;
  server: WebhookServer;
  alert: (id: string, fields?: Partial<AlertEntry>, partition?: number) => Promise<AlertEntry>;
}

async function setting(t: Test, partitions = 1): Promise<Setting> {
  const scene = await NotifyScene.open(t, partitions);
  const server = await WebhookServer.start(t);
  const alert: Setting['alert'] = (id, fields = {}, partition = 0) =>
    appendAlert(scene.log, { id, ...fields }, partition);
  return { scene, server, alert };
}

/** A last alert of its own: when it has come, so has all that came before it and was to come. */
async function settled({ server, alert }: Setting, id = 'last'): Promise<void> {
  await alert(id);
  await server.until(() => server.changes().includes(`firing ${id}/1`));
}

t.test('one message for each change of state, none for the rest', async (t) => {
  const all = await setting(t);
  const { scene, server, alert } = all;
  scene.start(notifyConfig([webhook('ops', server.url())]));
  await alert('a', { state: 'pending' });
  await alert('a', { version: 2 });
  await server.until(() => server.received.length === 1);
  await alert('a', { version: 3, values: { sensor1: 94 } });
  await alert('a', { version: 4, state: 'acknowledged' });
  await alert('a', { version: 5, state: 'acknowledged', severity: 'CRITICAL' });
  await server.until(() => server.received.length === 2);
  await alert('a', { version: 6, state: 'resolved', severity: 'CRITICAL' });
  await server.until(() => server.received.length === 3);
  await settled(all);
  t.same(server.changes(), ['firing a/2', 'raised a/5', 'resolved a/6', 'firing last/1']);
  t.equal(server.bodies()[1]?.alerts[0]?.told_severity, 'WARNING');
});

t.test('acknowledgements for those who want them, no ends for those who do not', async (t) => {
  const all = await setting(t);
  const { scene, server, alert } = all;
  const wants = { acknowledged: true, resolved: false, lowered: false };
  scene.start(notifyConfig([webhook('ops', server.url(), { wants })]));
  await alert('a');
  await server.until(() => server.received.length === 1);
  await alert('a', { version: 2, state: 'acknowledged' });
  await server.until(() => server.received.length === 2);
  await alert('a', { version: 3, state: 'resolved' });
  await settled(all);
  t.same(server.changes(), ['firing a/1', 'acknowledged a/2', 'firing last/1']);
});

t.test('50 that fire in the same moment are one message, what follows another', async (t) => {
  const { scene, server, alert } = await setting(t);
  const ids = Array.from({ length: 50 }, (_, i) => `burst-${i}`);
  // All in the log before the first is read, however slow the machine is.
  await Promise.all(ids.map((id) => alert(id, { device: id })));
  scene.start(notifyConfig([webhook('ops', server.url(), { groupMs: 3_000 })]));
  await server.until(() => server.received.length === 1);
  for (const id of ['b1', 'b2', 'b3']) await alert(id);
  await alert('elsewhere', { site: 'other' });
  await server.until(() => server.changes().length === 54);
  const sizes = server.bodies().map(({ site, alerts }) => `${site} ${alerts.length}`);
  t.same(sizes, ['plant 50', 'other 1', 'plant 3'], 'another site does not wait');
  const [first, , third] = server.received;
  t.ok(third!.atMs - first!.atMs >= 2_900, `${third!.atMs - first!.atMs} ms apart`);
});

t.test('silenced: nothing, and what still fires at its end is told then', async (t) => {
  const all = await setting(t);
  const { scene, server, alert } = all;
  scene.start(notifyConfig([webhook('ops', server.url())]));
  await alert('a', { silence: 's1' });
  await alert('b', { silence: 's1' });
  await alert('c', { inhibitedBy: 'gateway_down' });
  await alert('b', { silence: 's1', state: 'resolved', version: 2 });
  await alert('c', { version: 2, state: 'resolved' });
  await settled(all, 'first');
  await alert('a', { version: 2 });
  await settled(all);
  t.same(server.changes().sort(), ['firing a/2', 'firing first/1', 'firing last/1']);
});

t.test('a clean restart repeats nothing and forgets nothing', async (t) => {
  const all = await setting(t);
  const { scene, server, alert } = all;
  const config = notifyConfig([webhook('ops', server.url())]);
  scene.start(config);
  await alert('a');
  await server.until(() => server.received.length === 1);
  await scene.restartLog();
  // While nobody is there: one that ends again, one that stays, and the end of the first.
  await alert('short');
  await alert('short', { version: 2, state: 'resolved' });
  await alert('a', { version: 2, state: 'resolved' });
  await alert('b');
  scene.start(config);
  await server.until(() => server.changes().length >= 4);
  await scene.restartLog();
  scene.start(config);
  await settled(all);
  t.same(server.changes().sort(), [
    'firing a/1',
    'firing b/1',
    'firing last/1',
    'resolved a/2',
    'resolved short/2',
  ]);
  t.equal(
    server
      .bodies()
      .flatMap(({ alerts }) => alerts)
      .find(({ id }) => id === 'short')?.told_severity,
    null,
    'begin and end at once',
  );
});

t.test(
  'a receiver that is down delays nobody, and hears how things stand when it is back',
  async (t) => {
    const all = await setting(t);
    const { scene, server, alert } = all;
    const down = await WebhookServer.start(t);
    down.answer = 503;
    scene.start(notifyConfig([webhook('down', down.url()), webhook('ops', server.url())]));
    await alert('a');
    await alert('b');
    await server.until(() => server.changes().length === 2);
    await down.until(() => down.received.length >= 2);
    await alert('a', { version: 2, state: 'resolved' });
    await alert('b', { version: 2, severity: 'CRITICAL' });
    await server.until(() => server.changes().length === 4);
    // Through a restart, too.
    await scene.restartLog();
    const before = down.received.length;
    const part = scene.start(
      notifyConfig([webhook('down', down.url()), webhook('ops', server.url())]),
    );
    await down.until(() => down.received.length > before);
    down.answer = 200;
    const failed = down.received.length;
    await down.until(() => down.received.length > failed);
    const last = down.bodies().at(-1);
    t.same(
      last?.alerts.map(({ key, change }) => `${change} ${key}`),
      ['firing b/2', 'resolved a/2'],
      'the newest of each, once, what is over last',
    );
    await settled(all);
    t.equal(server.changes().length, 5, 'the other heard everything once');
    t.ok(scene.said.some((line) => line.includes('NOTIFY_UNREACHABLE')));
    t.match(part.status().receivers[0], { name: 'down', waiting: 0, lastError: '' });
  },
);

t.test('the outbox is bounded, and the next message says what was left out', async (t) => {
  const { scene, server, alert } = await setting(t);
  server.answer = 503;
  const config = notifyConfig([webhook('ops', server.url())], { waitingMax: 3 });
  const part = scene.start(config);
  for (let i = 0; i < 8; i++) await alert(`a${i}`);
  await server.until(() => part.status().receivers[0]?.outcomes.given_up === 5);
  t.equal(part.status().receivers[0]?.waiting, 3);
  await scene.restartLog();
  const again = scene.start(config);
  server.answer = 200;
  await server.until(() => again.status().receivers[0]?.outcomes.sent === 1);
  const last = server.bodies().at(-1);
  t.equal(last?.left_out, 5, 'also after a restart');
  t.same(last?.alerts.map(({ id }) => id).sort(), ['a5', 'a6', 'a7']);
  await alert('b');
  await server.until(() => again.status().receivers[0]?.outcomes.sent === 2);
  t.equal(server.bodies().at(-1)?.left_out, 0, 'once');
  t.ok(scene.said.some((line) => line.includes('NOTIFY_LEFT_OUT')));
});

t.test(
  'a gateway with more alerts than are kept: told ones make room, then the oldest are left out',
  async (t) => {
    const { scene, server, alert } = await setting(t);
    const part = scene.start(notifyConfig([webhook('ops', server.url())], { waitingMax: 5_000 }));
    const many = (name: string) =>
      Promise.all(Array.from({ length: 1_000 }, (_, i) => alert(`${name}${i}`)));
    const status = () => part.status().receivers[0]!;
    await many('a');
    await server.until(() => server.changes().length === 1_000 && status().waiting === 0);
    server.answer = 503;
    await many('b');
    await server.until(() => status().waiting === 1_000);
    t.equal(status().outcomes.given_up, 0);
    await many('c');
    await server.until(() => status().outcomes.given_up === 1_000);
    t.equal(status().waiting, 1_000);
    const tried = server.received.length;
    server.answer = 200;
    await server.until(() => status().waiting === 0 && server.received.length > tried);
    t.equal(
      server.bodies().reduce((sum, { left_out }) => Math.max(sum, left_out), 0),
      1_000,
    );
  },
);

t.test('what waited for too long is left out', async (t) => {
  const { scene, server, alert } = await setting(t);
  server.answer = 503;
  const config = notifyConfig([webhook('ops', server.url())], { waitingMaxMs: 3_600_000 });
  scene.start(config);
  await alert('old');
  await server.until(() => server.received.length >= 1);
  await scene.restartLog();
  scene.wallMs = () => Date.now() + 7_200_000;
  server.answer = 200;
  const part = scene.start(config);
  await alert('new');
  await server.until(() => part.status().receivers[0]?.outcomes.sent === 1);
  const { left_out, alerts } = server.bodies().at(-1)!;
  t.equal(left_out, 1);
  t.same(
    alerts.map(({ id }) => id),
    ['new'],
  );
});

t.test('a message that is refused is left out and does not block', async (t) => {
  const { scene, server, alert } = await setting(t);
  server.answer = (response, { body }) =>
    response.writeHead(body.includes('poison') ? 422 : 200).end('no such field');
  const part = scene.start(notifyConfig([webhook('ops', server.url())]));
  await alert('poison');
  await server.until(() => part.status().receivers[0]?.outcomes.refused === 1);
  await alert('good');
  await server.until(() => part.status().receivers[0]?.outcomes.sent === 1);
  t.equal(server.received.length, 2);
  t.equal(server.bodies()[1]?.left_out, 1);
  t.ok(
    scene.said.some((line) => line.includes('NOTIFY_REFUSED') && line.includes('no such field')),
  );
});

t.test('Retry-After is heeded', async (t) => {
  const { scene, server, alert } = await setting(t);
  server.answer = (response) => response.writeHead(429, { 'retry-after': '2' }).end();
  scene.start(notifyConfig([webhook('ops', server.url())]));
  await alert('a');
  await server.until(() => server.received.length === 1);
  server.answer = 200;
  await server.until(() => server.received.length === 2);
  t.ok(server.received[1]!.atMs - server.received[0]!.atMs >= 1_900);
});

t.test('routes by hour: nobody at night, told when the day begins', async (t) => {
  const { scene, server, alert } = await setting(t);
  const friday = Date.parse('2026-11-27T03:00:00+09:00');
  scene.wallMs = () => friday;
  const schedule = {
    days: new Set(['mon', 'tue', 'wed', 'thu', 'fri'] as const),
    fromMinute: 480,
    toMinute: 1_080,
    timeZone: undefined,
  };
  const any = { severities: [], minSeverity: undefined, sites: [], areas: [], lines: [] };
  const rest = { devices: [], rules: [], goesOn: false };
  const routes = [{ ...any, ...rest, receivers: ['ops'], schedule }];
  const config = notifyConfig([webhook('ops', server.url())], { routes });
  scene.start(config);
  await alert('a');
  const { next } = await scene.log.bounds('events', 0);
  await consumed(scene, next);
  await scene.restartLog();
  scene.wallMs = () => friday + 6 * 3_600_000;
  scene.start(config, { routeAgainMs: 50 });
  await server.until(() => server.received.length === 1);
  t.same(server.changes(), ['firing a/1']);
});

t.test('what an upgrade finds in the log is told of only when it is new', async (t) => {
  const { scene, server, alert } = await setting(t);
  for (let i = 0; i < 40; i++) await alert(`old${i}`);
  scene.wallMs = () => Date.now() + 3_700_000;
  const part = scene.start(notifyConfig([webhook('ops', server.url())]));
  await consumed(scene, 40);
  await part.stop();
  t.same(server.changes(), []);
  // Not so at any later start.
  await alert('new');
  scene.start(notifyConfig([webhook('ops', server.url())]));
  await server.until(() => server.received.length === 1);
  t.same(server.changes(), ['firing new/1']);
});

t.test('without receivers the position moves on all the same', async (t) => {
  const { scene, alert } = await setting(t);
  for (let i = 0; i < 10; i++) await alert(`a${i}`);
  scene.start(notifyConfig([]));
  await consumed(scene, 10);
  t.equal(scene.log.stats().consumerLagRecords.notify, 0);
});

t.test('a partition that goes to another process is told of once', async (t) => {
  const all = await setting(t, 2);
  const { scene, server, alert } = all;
  const config = notifyConfig([webhook('ops', server.url())]);
  let owner = 'one';
  const listeners = new Set<() => void>();
  const shareOf = (name: string) => ({
    exclusive: false,
    owned: () => (owner === name ? wholeShare(2).owned() : new Set<number>()),
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
  scene.start(config, { share: shareOf('one') });
  scene.start(config, { share: shareOf('two') });
  await alert('a', {}, 0);
  await alert('b', { gateway: 'gw2' }, 1);
  await server.until(() => server.changes().length === 2);
  owner = 'two';
  for (const listener of listeners) listener();
  await alert('a', { version: 2, state: 'resolved' }, 0);
  await alert('b', { gateway: 'gw2', version: 2, severity: 'CRITICAL' }, 1);
  await server.until(() => server.changes().length === 4);
  await settled(all);
  t.same(server.changes().sort(), [
    'firing a/1',
    'firing b/1',
    'firing last/1',
    'raised b/2',
    'resolved a/2',
  ]);
});

/** Resolves when the notifiers have read and kept all below `offset`. */
async function consumed(scene: NotifyScene, offset: number): Promise<void> {
  const { next } = await scene.log.bounds('events', 0);
  const endMs = performance.now() + 120_000;
  for (;;) {
    const lag = scene.log.stats().consumerLagRecords.notify;
    if (lag !== undefined && next - lag >= offset) return;
    if (performance.now() > endMs) throw new Error(`not read up to ${offset}: ${lag}`);
    await delay(20);
  }
}
