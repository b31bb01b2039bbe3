/** When batches that the collector has not acknowledged go again. */

import t from 'tap';
import { AwaitedBatches } from '../../../agent/forwarder/awaited.ts';
import type { OutgoingBatch } from '../../../agent/forwarder/outbox.ts';
import { encodeAcked, payloadDigest } from '../../../proto/command.ts';
import { VirtualTime } from '../../support/virtual-time.ts';

function rig(random = () => 0.5) {
  const time = new VirtualTime(0);
  const sent: [number, string][] = [];
  const awaited = new AwaitedBatches({
    resendAfterMs: 1_000,
    random,
    onDue: (batches) => {
      for (const batch of batches) sent.push([time.clock.monoMs(), nameOf(batch)]);
    },
    nowMs: () => time.clock.monoMs(),
    scheduler: time.scheduler,
  });
  return { time, sent, awaited };
}

function batchOf(name: string): OutgoingBatch {
  return { payload: Buffer.from(name), chunkIds: [], gapIds: [], readings: 1, afterId: 0 };
}

function nameOf(batch: OutgoingBatch): string {
  return Buffer.from(batch.payload).toString();
}

function acked(...names: string[]): Uint8Array {
  return encodeAcked(names.map((name) => payloadDigest(Buffer.from(name))));
}

t.test(
  'while the collector is silent only the oldest goes again, more and more rarely',
  async (t) => {
    const { time, sent, awaited } = rig();
    awaited.start();
    for (const name of ['a', 'b', 'c']) awaited.add(batchOf(name));
    await time.advance(16_000);
    t.same(sent, [
      [1_000, 'a'],
      [3_000, 'a'],
      [7_000, 'a'],
      [15_000, 'a'],
    ]);
    t.equal(awaited.isUnanswered, true);
    await time.advance(3_600_000);
    const pauses = sent.slice(1).map(([at], i) => at - sent[i]![0]);
    t.equal(Math.max(...pauses), 300_000, 'but never more rarely than every five minutes');
  },
);

t.test('once it speaks, the others go again soon', async (t) => {
  const { time, sent, awaited } = rig();
  awaited.start();
  for (const name of ['a', 'b', 'c']) awaited.add(batchOf(name));
  await time.advance(10_000);
  sent.length = 0;
  t.same(awaited.hear(acked('a')).map(nameOf), ['a']);
  t.equal(awaited.isUnanswered, false);
  await time.advance(900);
  t.same(sent, [], 'they may be on their way');
  t.same(awaited.hear(acked('c')).map(nameOf), ['c']);
  await time.advance(100);
  t.same(sent, [[11_000, 'b']], 'a word for another one puts nothing off');
  t.same(awaited.hear(acked('b', 'a', 'never seen')).map(nameOf), ['b'], 'each counts once');
  t.equal(time.pendingTimers, 0);
});

t.test('a single dropped batch goes again while the others are acknowledged', async (t) => {
  const { time, sent, awaited } = rig();
  awaited.start();
  awaited.add(batchOf('first'));
  awaited.add(batchOf('dropped'));
  for (let i = 0; i < 30; i++) {
    await time.advance(100);
    awaited.add(batchOf(`live ${i}`));
    awaited.hear(acked('first', `live ${i}`));
  }
  t.same(sent, [
    [1_000, 'dropped'],
    [2_000, 'dropped'],
    [3_000, 'dropped'],
  ]);
  t.equal(awaited.isUnanswered, false);
});

t.test('a new connection carries all of them again; without one nothing is due', async (t) => {
  const { time, sent, awaited } = rig();
  awaited.start();
  awaited.add(batchOf('a'));
  awaited.add(batchOf('b'));
  await time.advance(5_000);
  awaited.stop();
  sent.length = 0;
  await time.advance(3_600_000);
  t.same(sent, []);
  t.same(awaited.start().map(nameOf), ['a', 'b']);
  await time.advance(1_000);
  t.same(sent, [[3_606_000, 'a']], 'and the first pause is short again');
  t.same(awaited.hear(acked('b')).map(nameOf), ['b'], 'the word for any copy counts');
  awaited.clear();
  t.equal(time.pendingTimers, 0);
});

t.test(
  'a word without digests: the collector is there, and has acknowledged nothing',
  async (t) => {
    const { time, sent, awaited } = rig();
    awaited.start();
    for (const name of ['a', 'b']) awaited.add(batchOf(name));
    await time.advance(3_600_000);
    sent.length = 0;
    t.same(awaited.hear(acked()), []);
    t.equal(awaited.isUnanswered, false, 'not sent again since');
    await time.advance(1_000);
    t.same(
      sent.map(([, name]) => name),
      ['a', 'b'],
      'all of them, and soon',
    );
    t.equal(awaited.isUnanswered, true);
  },
);

t.test('what cannot be read changes nothing; pauses differ', async (t) => {
  const { time, sent, awaited } = rig(() => 0);
  awaited.start();
  awaited.add(batchOf('a'));
  t.same(awaited.hear(Buffer.from('garbage')), []);
  t.same(awaited.hear(new Uint8Array(0)), []);
  await time.advance(750);
  t.same(sent, [[750, 'a']], 'as early as a quarter before');
});
