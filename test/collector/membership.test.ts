/** Who is there and what is whose, in virtual time, over a topic `control` in memory. */

import type { Test } from 'tap';
import t from 'tap';
import type { Component } from '../../collector/config.ts';
import { COMPONENTS } from '../../collector/config.ts';
import type { ControlListener } from '../../collector/control.ts';
import { Membership } from '../../collector/membership.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { VirtualTime } from '../support/virtual-time.ts';

const PARTITIONS = 5;

/** One topic, and what each process sees of it. */
class Topic {
  readonly entries = new Map<string, Uint8Array>();
  readonly #views = new Set<View>();
  isAway = false;

  view(): View {
    const view = new View(this);
    this.#views.add(view);
    return view;
  }

  async put(key: string, value: Uint8Array | null): Promise<void> {
    if (this.isAway) throw new Error('the log is away');
    if (value === null) this.entries.delete(key);
    else this.entries.set(key, value);
    for (const view of this.#views) view.take(key, value ?? undefined);
  }
}

class View {
  readonly #topic: Topic;
  readonly #listeners: ControlListener[] = [];
  #held: [string, Uint8Array | undefined][] | undefined;

  constructor(topic: Topic) {
    this.#topic = topic;
  }

  on(_prefix: string, listener: ControlListener): void {
    for (const [key, value] of this.#topic.entries) listener(key, value);
    this.#listeners.push(listener);
  }

  put(key: string, value: Uint8Array | null): Promise<void> {
    // A process that stands still sends nothing.
    if (this.#held !== undefined) return new Promise(() => undefined);
    return this.#topic.put(key, value);
  }

  take(key: string, value: Uint8Array | undefined): void {
    if (this.#held !== undefined) this.#held.push([key, value]);
    else for (const listener of this.#listeners) listener(key, value);
  }

  freeze(): void {
    this.#held = [];
  }

  thaw(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const [key, value] of held) this.take(key, value);
  }
}

/** A process whose timers do not run while it is frozen. */
class Process {
  readonly view: View;
  readonly membership: Membership;
  /** Of its certificate. */
  keys: string[] = [];
  #frozen = false;
  #late: (() => void)[] = [];

  constructor(topic: Topic, time: VirtualTime, components: readonly Component[] = COMPONENTS) {
    this.view = topic.view();
    this.membership = new Membership({
      control: this.view,
      components: new Set(components),
      startedMs: time.clock.wallMs(),
      address: 'http://127.0.0.1:1',
      keys: () => this.keys,
      partitionCount: PARTITIONS,
      logger: silentLogger,
      after: (delayMs, run) =>
        time.scheduler.after(delayMs, () => {
          if (this.#frozen) this.#late.push(run);
          else run();
        }),
    });
    this.membership.start();
  }

  owned(component: Component = 'process'): number[] {
    return [...this.membership.share(component).owned()];
  }

  freeze(): void {
    this.#frozen = true;
    this.view.freeze();
  }

  thaw(): void {
    this.#frozen = false;
    this.view.thaw();
    for (const run of this.#late.splice(0)) run();
  }
}

/** Each partition is one process', and who they are. */
function checkShared(t: Test, what: string, ...processes: Process[]): void {
  const all = processes.flatMap((one) => one.owned()).sort();
  t.same(all, [0, 1, 2, 3, 4], `${what}: ${processes.map((one) => `[${one.owned()}]`).join(' ')}`);
}

t.test('one has all; each that comes takes its part, and leaves it', async (t) => {
  const time = new VirtualTime(1e12);
  const topic = new Topic();
  const first = new Process(topic, time);
  await time.advance(0);
  t.same(first.owned(), [0, 1, 2, 3, 4], 'at once');
  t.ok(first.membership.joined);
  await time.advance(1_000);
  const second = new Process(topic, time);
  t.same(second.owned(), []);
  await time.advance(5_000);
  checkShared(t, 'two', first, second);
  t.equal(first.membership.members()[0]?.id, first.membership.id, 'who began first is first');
  const third = new Process(topic, time);
  await time.advance(5_000);
  checkShared(t, 'three', first, second, third);
  await second.membership.leave();
  checkShared(t, 'one left, without a wait', first, third);
  t.same(second.owned(), []);
});

t.test('who begins knows within two words who is alive, and disturbs nobody', async (t) => {
  const time = new VirtualTime(1e12);
  const topic = new Topic();
  const first = new Process(topic, time);
  await time.advance(1_000);
  let changes = 0;
  let before = '';
  first.membership.share('process').onChange(() => {
    const now = first.owned().join();
    if (now !== before) changes++;
    before = now;
  });
  const second = new Process(topic, time);
  await time.advance(20_000);
  checkShared(t, 'two', first, second);
  t.equal(changes, 2, 'one change beside the first look');
});

t.test(
  'who is killed is taken for dead after ten seconds, and forgotten after a minute',
  async (t) => {
    const time = new VirtualTime(1e12);
    const topic = new Topic();
    const first = new Process(topic, time);
    await time.advance(0);
    const second = new Process(topic, time);
    await time.advance(5_000);
    checkShared(t, 'two', first, second);
    second.freeze();
    await time.advance(8_000);
    t.equal(first.owned().length < PARTITIONS, true, 'not yet');
    await time.advance(6_000);
    t.same(first.owned(), [0, 1, 2, 3, 4]);
    t.equal(topic.entries.size, 2);
    await time.advance(60_000);
    t.equal(topic.entries.size, 1);
  },
);

t.test('what a former run left does not count', async (t) => {
  const time = new VirtualTime(1e12);
  const topic = new Topic();
  const dead = new Process(topic, time);
  await time.advance(3_000);
  dead.freeze();
  const first = new Process(topic, time);
  await time.advance(1_000);
  t.same(first.owned(), [], 'it may be alive');
  await time.advance(5_000);
  t.same(first.owned(), [0, 1, 2, 3, 4]);
});

t.test(
  'frozen and woken: the others are not taken for dead, and it gets its part again',
  async (t) => {
    const time = new VirtualTime(1e12);
    const topic = new Topic();
    const first = new Process(topic, time);
    await time.advance(0);
    const second = new Process(topic, time);
    await time.advance(5_000);
    const before = first.owned();
    first.freeze();
    await time.advance(30_000);
    t.same(second.owned(), [0, 1, 2, 3, 4]);
    t.same(first.owned(), before, 'it knows of nothing: the log fences it');
    first.thaw();
    await time.advance(0);
    t.equal(first.membership.members().length, 2);
    await time.advance(5_000);
    checkShared(t, 'two again', first, second);
  },
);

t.test('while the log is away nobody dies', async (t) => {
  const time = new VirtualTime(1e12);
  const topic = new Topic();
  const first = new Process(topic, time);
  await time.advance(0);
  const second = new Process(topic, time);
  await time.advance(5_000);
  const before = [first.owned(), second.owned()];
  topic.isAway = true;
  await time.advance(600_000);
  topic.isAway = false;
  await time.advance(10_000);
  t.same([first.owned(), second.owned()], before);
});

t.test('each component is shared among those that run it', async (t) => {
  const time = new VirtualTime(1e12);
  const topic = new Topic();
  const intake = new Process(topic, time, ['intake']);
  await time.advance(0);
  t.same(intake.membership.absent(), ['process', 'write', 'serve']);
  const one = new Process(topic, time, ['process', 'write']);
  await time.advance(5_000);
  const two = new Process(topic, time, ['write', 'serve']);
  await time.advance(5_000);
  t.same(one.owned('process'), [0, 1, 2, 3, 4]);
  t.same(two.owned('process'), []);
  t.same([...one.owned('write'), ...two.owned('write')].sort(), [0, 1, 2, 3, 4]);
  t.same(intake.membership.absent(), []);
  await two.membership.leave();
  t.same(intake.membership.absent(), ['serve']);
});

t.test('words that another version said are no members', async (t) => {
  const time = new VirtualTime(1e12);
  const topic = new Topic();
  await topic.put('member/x', Buffer.from('not JSON'));
  await topic.put('member/y', Buffer.from('{"components":["cook"]}'));
  await topic.put('member/z', Buffer.from('{"components":17}'));
  const first = new Process(topic, time);
  await time.advance(5_000);
  t.same(first.owned(), [0, 1, 2, 3, 4]);
});

t.test('what each shows at https is known to the others, also once it is another', async (t) => {
  const time = new VirtualTime(1e12);
  const topic = new Topic();
  const first = new Process(topic, time);
  const second = new Process(topic, time);
  const keysOfFirst = () =>
    second.membership.members().find(({ id }) => id === first.membership.id)?.keys;
  await time.advance(5_000);
  t.same(keysOfFirst(), []);
  first.keys = ['ab'];
  await time.advance(2_000);
  t.same(keysOfFirst(), ['ab']);
  // One of before, and what nobody should write.
  for (const keys of [undefined, 'x', [1]]) {
    const entry = { components: ['serve'], started_ms: 1, address: '', secret: 's', keys };
    await topic.put('member/0-old', Buffer.from(JSON.stringify(entry)));
    const old = second.membership.members().find(({ id }) => id === '0-old');
    t.same(old?.keys, Array.isArray(keys) ? ['1'] : []);
  }
});
