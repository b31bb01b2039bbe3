/**
 * Hundreds of epochs whose chunks come out of order, twice, late, cut anew, or not at all, while the
 * collector is killed now and then. Everything that was sent is stored once; what others claim under the
 * same numbers is evidence in quarantine; what never came is a gap.
 *
 * Alone: `node test/faults/data-order.test.ts --seed N`; FMS_TEST_EPOCHS is how many epochs
 * (200, in the long form 3000).
 */

import t from 'tap';
import type { ChunkFrame, Gap, Reading } from '../../proto/model.ts';
import { GapReason, Quality } from '../../proto/model.ts';
import { CollectorProcess, QUICK_COLLECTOR } from '../support/collector-process.ts';
import { FORM_TIMEOUT_MS, ofForm, sizeOfRun } from '../support/form.ts';
import { freePort } from '../support/free-port.ts';
import { seededRandom, seedOfRun } from '../support/plant.ts';
import { dataAccount } from './support/data-account.ts';
import type { EmitterEpoch } from './support/emitter.ts';
import { Emitter } from './support/emitter.ts';

const EPOCHS = sizeOfRun('FMS_TEST_EPOCHS', { short: 200, long: 3_000 });
const KILLS = ofForm({ short: 1, long: 10 });
/** Unanswered publishes: beyond, the test waits. */
const WINDOW = 16;
/** Of one epoch: more than the collector keeps apart. */
const HOLES = 1_300;

// Also when run alone, without the runner's own limit.
t.setTimeout(FORM_TIMEOUT_MS);

t.test('hundreds of epochs in any order', { timeout: FORM_TIMEOUT_MS }, async (t) => {
  const seed = seedOfRun();
  t.comment(`--seed ${seed}, ${EPOCHS} epochs`);
  const random = seededRandom(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const shuffle = <T>(list: T[]): T[] => {
    for (let i = list.length - 1; i > 0; i--) {
      const j = below(i + 1);
      [list[i], list[j]] = [list[j]!, list[i]!];
    }
    return list;
  };
  const collector = new CollectorProcess(t, { mqtt: { port: await freePort() } }, QUICK_COLLECTOR);
  await collector.start();
  const emitter = await Emitter.connect(collector.login('gw1'));
  t.teardown(() => emitter.close());

  const startMs = Date.now() - 3_600_000;
  let made = 0;
  const readings = (count: number): Reading[] =>
    Array.from({ length: count }, () => {
      made++;
      return {
        device: `D${String(1 + below(5)).padStart(2, '0')}`,
        channel: `sensor${1 + below(3)}`,
        timeMs: startMs + made * 10,
        value: Math.round(random() * 9_000) / 100,
        quality: Quality.GOOD,
      };
    });

  const waiting = new Set<Promise<void>>();
  const send = async (
    epoch: EmitterEpoch,
    frames: readonly ChunkFrame[],
    gaps: readonly Gap[] = [],
  ): Promise<void> => {
    const sent = emitter.send(epoch, frames, gaps).finally(() => waiting.delete(sent));
    waiting.add(sent);
    if (waiting.size >= WINDOW) await Promise.race(waiting);
  };
  const neverSent = new Map<EmitterEpoch, Set<number>>();
  const heldBack: { epoch: EmitterEpoch; frame: ChunkFrame }[] = [];
  let conflicts = 0;

  const oneEpoch = async (): Promise<void> => {
    const epoch = emitter.epoch();
    const frames = Array.from(
      { length: 1 + below(4) },
      () => epoch.number(readings(1 + below(12)))[0]!,
    );
    const copies: ChunkFrame[] = [...frames];
    const gaps: Gap[] = [];
    for (const frame of frames) {
      const { firstSeq, count, firstMs, lastMs } = frame;
      const lastSeq = firstSeq + count - 1;
      const fate = random();
      if (fate < 0.2) copies.push(frame);
      else if (fate < 0.3 || (fate < 0.4 && frames.length > 1)) {
        copies.splice(copies.indexOf(frame), 1);
        if (random() < 0.5) {
          const reason = GapReason.EVICTED_BYTES;
          gaps.push({ epoch: epoch.id, firstSeq, lastSeq, firstMs, lastMs, reason });
        }
        if (fate < 0.3) heldBack.push({ epoch, frame });
        else {
          const seqs = neverSent.get(epoch) ?? new Set();
          for (let seq = firstSeq; seq <= lastSeq; seq++) seqs.add(seq);
          neverSent.set(epoch, seqs);
        }
      } else if (fate < 0.5 && count > 2) {
        // The same readings again in another cut: the second half is known by then, or the first.
        const from = firstSeq + below(count - 1);
        copies.push(epoch.forge(from, epoch.emitted.slice(from - 1, lastSeq)));
      }
    }
    shuffle(copies);
    // Some as batches of their own, some together.
    while (copies.length > 0) await send(epoch, copies.splice(0, 1 + below(3)), gaps);
    if (gaps.length > 0) await send(epoch, [], gaps);
    const [known] = frames;
    const isKnown = known !== undefined && !heldBack.some(({ frame }) => frame === known);
    if (random() < 0.05 && isKnown && neverSent.get(epoch) === undefined) {
      // After all of it was acknowledged: now another chunk says that it has these numbers.
      await Promise.all(waiting);
      await send(epoch, [epoch.forge(known.firstSeq, readings(known.count))]);
      conflicts++;
    }
  };

  // More open gaps than are kept apart: the smallest are closed, and what comes then is too late.
  const holes = emitter.epoch();
  const single = readings(2 * HOLES).flatMap((one) => holes.number([one]));
  const odd = single.filter(({ firstSeq }) => firstSeq % 2 === 1);
  const even = single.filter(({ firstSeq }) => firstSeq % 2 === 0);
  for (let i = 0; i < odd.length; i += 200) await send(holes, odd.slice(i, i + 200));
  await Promise.all(waiting);
  shuffle(even);
  for (let i = 0; i < even.length; i += 200) await send(holes, even.slice(i, i + 200));

  const killAt = new Set(Array.from({ length: KILLS }, () => below(EPOCHS)));
  for (let i = 0; i < EPOCHS; i++) {
    await oneEpoch();
    if (killAt.has(i)) {
      await collector.stop('SIGKILL');
      await collector.start(false);
    }
  }
  shuffle(heldBack);
  for (const { epoch, frame } of heldBack) await send(epoch, [frame]);
  await Promise.all(waiting);
  // What is still missing is of epochs that have a successor: nothing can come of them any more.
  const last = emitter.epoch();
  await send(last, last.number(readings(3)));
  await Promise.all(waiting);

  let evidence = 0;
  const result = await dataAccount(collector, emitter.epochs, {
    mayMiss: (epoch, seq) => epoch === holes || neverSent.get(epoch)?.has(seq) === true,
    onQuarantine: ({ count, reason }) => {
      if (count === 0 && reason === 'identity_conflict') evidence++;
      else t.fail(`${reason} in quarantine`);
    },
  });
  const lines = [...result.ledger.values()];
  const duplicates = lines.reduce((sum, line) => sum + line.duplicates, 0);
  const sent = emitter.epochs.reduce((sum, { lastSeq }) => sum + lastSeq, 0);
  const { stored, missing } = result;
  t.comment(JSON.stringify({ epochs: lines.length, sent, stored, missing, duplicates, conflicts }));
  t.same(result.problems, []);
  t.ok(evidence >= conflicts && conflicts > 0, `${evidence} of ${conflicts} conflicts are kept`);
  t.ok(duplicates > 0 && heldBack.length > 0 && neverSent.size > 0, 'all of it happened');
  const closed = result.ledger.get(holes.id)?.closed ?? 0;
  t.ok(closed > 0 && closed < HOLES, `${closed} gaps were closed before they were filled`);
});
