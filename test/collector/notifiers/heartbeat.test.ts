/** The dead man's switch is called while the collector is well, and not while it is not. */

import t from 'tap';
import { NotifyScene, notifyConfig } from '../../support/notify-scene.ts';
import { WebhookServer } from '../../support/webhook-server.ts';

t.test('beats while well, and says nothing of its address', async (t) => {
  const server = await WebhookServer.start(t);
  const scene = await NotifyScene.open(t);
  let isWell = false;
  let asked = 0;
  const heartbeat = { url: server.url('/ping/secret-path'), intervalMs: 20 };
  const part = scene.start(notifyConfig([], { heartbeat }), {
    isWell: () => {
      asked += 1;
      return isWell;
    },
  });
  await server.until(() => asked >= 5);
  t.equal(server.received.length, 0, 'not well');
  isWell = true;
  await server.until(() => server.received.length >= 3);
  t.equal(server.received[0]?.path, '/ping/secret-path');
  server.answer = 500;
  await server.until(() => (part.status().heartbeat?.failed ?? 0) >= 2);
  const said = scene.said.filter((line) => line.includes('heartbeat'));
  t.equal(said.length, 1, 'once');
  t.match(said[0], 'NOTIFY_UNREACHABLE');
  t.notMatch(scene.said.join('\n'), 'secret-path');
  server.answer = 200;
  const { sent } = part.status().heartbeat!;
  await server.until(() => (part.status().heartbeat?.sent ?? 0) > sent);
});

t.test('a process that has no partition does not beat for another one', async (t) => {
  const server = await WebhookServer.start(t);
  const other = await WebhookServer.start(t);
  const scene = await NotifyScene.open(t);
  const beatsAt = (url: string) => notifyConfig([], { heartbeat: { url, intervalMs: 20 } });
  const share = {
    exclusive: false,
    owned: () => new Set<number>(),
    onChange: () => () => undefined,
  };
  scene.start(beatsAt(server.url()), { share });
  scene.start(beatsAt(other.url()));
  await other.until(() => other.received.length >= 5);
  t.equal(server.received.length, 0);
});
