/**
 * A profile is changed under load again and again, once with a mistake, and the collector is killed in
 * between. Each change holds from one reading on: the judgements of a channel, in the order of its
 * readings, follow the changes, and the file with the mistake has left no trace. Nothing is lost.
 *
 * Alone: `node test/faults/profile-change.test.ts --seed N`.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { codesOf, Treatment } from '../../collector/findings.ts';
import { ofForm } from '../support/form.ts';
import { Plant, seedOfRun, until } from '../support/plant.ts';
import type { StoredQuarantine, StoredReading } from '../support/truth-comparison.ts';
import { account } from './support/account.ts';

/** Readings that must be judged before the next change. */
const READINGS_EACH = ofForm({ short: 150, long: 3_000 });
/** Ordinary values lie between: all of them are above the low bound and below the high one. */
const LOW = 5;
const HIGH = 95;

function profile(sensor1: string): string {
  return `match: [{ device: "D*" }]\nchannels:\n  sensor1: { ${sensor1} }\n  sensor2: {}\n`;
}

const PHASES = [
  { text: profile(`max: ${HIGH}`), becomes: 'plain' },
  { text: profile(`max: ${LOW}, on_range: flag`), becomes: 'flagged' },
  { text: profile(`max: ${LOW}, on_range: clip`), becomes: 'clipped' },
  { text: profile(`max: ${LOW}, on_range: quarantine`), becomes: 'quarantined' },
  { text: profile(`max: ${LOW}, on_range: fill, fill: 1`), becomes: 'filled' },
  { text: profile(`max: ${HIGH}`), becomes: 'plain' },
];
const MISTAKE = profile(`max: ${LOW}, on_range: quarantin`);

t.setTimeout(1_200_000);

t.test('profiles that change under load', { timeout: 900_000 }, async (t) => {
  const seed = seedOfRun();
  t.comment(`--seed ${seed}`);
  const plant = new Plant({
    name: 'profile-change',
    seed,
    collector: { profiles_dir: './profiles' },
  });
  t.teardown(() => plant.abandon());
  const folder = join(plant.folder, 'profiles');
  const write = (text: string): void => writeFileSync(join(folder, 'sensors.yaml'), text);
  mkdirSync(folder);
  write(PHASES[0]!.text);
  await plant.configure();
  await plant.startAll();

  const judged = async (): Promise<number> =>
    (await plant.metric('collector', 'fms_collector_processed_readings_total')) +
    (await plant.metric('collector', 'fms_collector_quarantined_readings_total'));
  const more = async (): Promise<void> => {
    const before = await judged();
    await until(`${READINGS_EACH} readings more`, 300_000, async () => {
      return (await judged()) >= before + READINGS_EACH;
    });
  };
  const reloaded = (result: string, count: number): Promise<unknown> =>
    until(`${count} reloads ${result}`, 300_000, async () => {
      const text = await (await fetch(`http://127.0.0.1:${plant.ports.http}/metrics`)).text();
      const line = new RegExp(`configuration_reloads_total\\{result="${result}"\\} (\\d+)`).exec(
        text,
      );
      const pending = await plant.metric('collector', 'fms_collector_configuration_pending');
      return Number(line?.[1] ?? 0) >= count && pending === 0;
    });

  await more();
  let changes = 0;
  for (const [i, { text }] of PHASES.entries()) {
    if (i === 0) continue;
    write(text);
    changes += 1;
    await reloaded('changed', changes);
    await more();
    if (i === 2) {
      write(MISTAKE);
      await reloaded('refused', 1);
      t.ok((await plant.metric('collector', 'fms_collector_configuration_mistakes')) > 0);
      await more();
      // Also a start anew goes on with what held before the mistake.
      await plant.kill('collector');
      await plant.start('collector');
      t.ok((await plant.metric('collector', 'fms_collector_configuration_mistakes')) > 0);
      changes = 0;
      await more();
    }
  }
  const ledger = await plant.settle();
  const { problems, summary } = await account(plant, ledger);
  t.comment(JSON.stringify(summary));
  t.same(problems, []);
  t.ok(summary.quarantined > 0);

  const expected = PHASES.map(({ becomes }) => becomes);
  const stored = await plant.dump<StoredReading>('readings');
  const quarantine = await plant.dump<StoredQuarantine>('quarantine');
  t.equal(new Set(stored.map(({ epoch }) => epoch)).size, 1, 'one run of the agent: one order');
  for (const device of new Set(stored.map((one) => one.device))) {
    const judgements = [...judgementsOf(device, stored, quarantine)];
    t.same(withoutRepeats(judgements), expected, device);
  }
  t.notOk(
    stored.some(({ channel, findings }) => channel === 'sensor2' && findings !== 0),
    'the channel beside it is judged as ever',
  );
  if (t.passing()) plant.discard();
});

/** What became of a device's ordinary values of sensor1, in their order. */
function* judgementsOf(
  device: string,
  stored: readonly StoredReading[],
  quarantine: readonly StoredQuarantine[],
): Generator<string> {
  const all: { seq: number; came: number; judgement: string }[] = [];
  for (const { seq, channel, value, raw_value, findings, treatment, ...row } of stored) {
    if (row.device !== device || channel !== 'sensor1') continue;
    const came = Number(treatment >= Treatment.CLIPPED ? raw_value : value);
    all.push({ seq, came, judgement: judgementOf(findings, treatment) });
  }
  for (const { seq, device: of, reading } of quarantine) {
    if (of !== device || reading === '') continue;
    const { channel, value } = JSON.parse(reading) as { channel: string; value: number };
    if (channel === 'sensor1') all.push({ seq, came: value, judgement: 'quarantined' });
  }
  // Outliers of the simulator and its -1 say nothing of the phases.
  for (const { came, judgement } of all.sort((a, b) => a.seq - b.seq))
    if (came > LOW && came < HIGH) yield judgement;
}

function judgementOf(findings: number, treatment: number): string {
  if (!codesOf(findings).includes('out_of_range')) return 'plain';
  if (treatment === Treatment.CLIPPED) return 'clipped';
  return treatment === Treatment.FILLED ? 'filled' : 'flagged';
}

function withoutRepeats(words: readonly string[]): string[] {
  return words.filter((word, i) => word !== words[i - 1]);
}
