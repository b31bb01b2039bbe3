/** kill -9 with messages that have not got through: they do after the next start, and what got through is not repeated. */

import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import type { AlertEntry } from '../../../collector/processor/outputs/alert.ts';
import type { FromChild } from '../../support/notify-child.ts';
import { WebhookServer } from '../../support/webhook-server.ts';

t.setTimeout(1_200_000);

const CHILD = join(import.meta.dirname, '../../support/notify-child.ts');
class Killable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fms-notify-kill-'));
  readonly #urls: readonly string[];
  #child: ChildProcess | undefined;

  constructor(t: Test, urls: readonly string[]) {
    this.#urls = urls;
    t.teardown(async () => {
      await this.kill();
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  /** Resolves when it takes alerts. */
  async start(): Promise<void> {
    this.#child = fork(CHILD, [join(this.#folder, 'log.sqlite'), ...this.#urls]);
    await this.#heard((said) => 'told' in said);
  }

  /** Resolves when it is kept that the first receiver was told of so many. */
  async kept(count: number): Promise<void> {
    await this.#heard((said) => 'told' in said && said.told === count);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Resolves when the alerts are in the log. */
  async append(...alerts: Partial<AlertEntry>[]): Promise<void> {
    for (const alert of alerts) {
      const answered = this.#heard((said) => 'appended' in said && said.appended === alert.id);
      this.#child?.send(alert);
      await answered;
    }
  }

  async #heard(isIt: (said: FromChild) => boolean): Promise<void> {
    const child = this.#child;
    if (child === undefined) throw new Error('it does not run');
    const { promise, resolve } = Promise.withResolvers<void>();
    const listen = (said: FromChild): void => {
      if (isIt(said)) resolve();
    };
    child.on('message', listen);
    await promise;
    child.off('message', listen);
  }
}

t.test('a full outbox survives, and the others are not told twice', async (t) => {
  const well = await WebhookServer.start(t);
  const down = await WebhookServer.start(t);
  down.answer = 503;
  const killable = new Killable(t, [well.url(), down.url()]);
  await killable.start();
  const ids = Array.from({ length: 20 }, (_, i) => `a${i}`);
  const kept = killable.kept(20);
  await killable.append(...ids.map((id) => ({ id, device: id })));
  await well.until(() => well.changes().length >= 20);
  await down.until(() => down.received.length > 1);
  await kept;
  await killable.kill();

  down.answer = 200;
  const tried = down.received.length;
  await killable.start();
  await down.until(() => down.received.slice(tried).length > 0);
  await killable.append({ id: 'a0', state: 'resolved', version: 2 }, { id: 'last' });
  await well.until(() => well.changes().includes('firing last/1'));
  await down.until(() => down.changes().includes('firing last/1'));
  const got = down
    .bodies()
    .slice(tried)
    .flatMap(({ alerts }) => alerts.map(({ key }) => key));
  t.same(got.sort(), [...ids.map((id) => `${id}/1`), 'a0/2', 'last/1'].sort(), 'each once');
  t.equal(new Set(well.changes()).size, well.changes().length, 'nothing twice');
  t.equal(well.changes().length, 22);
});

t.test(
  'killed at any moment: everything arrives, under keys by which a second copy is known',
  async (t) => {
    const server = await WebhookServer.start(t);
    const killable = new Killable(t, [server.url()]);
    const wanted = new Set<string>();
    for (let round = 0; round < 5; round++) {
      await killable.start();
      for (let i = 0; i < 4; i++) {
        const id = `r${round}-${i}`;
        await killable.append({ id, device: id });
        wanted.add(`firing ${id}/1`);
        // At another moment each round; which one does not matter.
        await delay(round * 60);
      }
      await killable.kill();
    }
    await killable.start();
    await server.until(() => [...wanted].every((change) => server.changes().includes(change)));
    t.same([...new Set(server.changes())].sort(), [...wanted].sort());
    const bodies = server.bodies();
    for (const { key, alerts } of bodies)
      for (const other of bodies)
        if (
          JSON.stringify(other.alerts.map((a) => a.key)) ===
          JSON.stringify(alerts.map((a) => a.key))
        )
          t.equal(other.key, key, 'the same changes have the same key');
    const copies = server.changes().length - wanted.size;
    t.comment(`${copies} of ${wanted.size} came twice through 5 kills`);
  },
);
