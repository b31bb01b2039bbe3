/**
 * Devices that change the types of their channels under load, while the folder of profiles gets mistake
 * after mistake: each is refused with its lines, by the running program and by `check`, and what held
 * before goes on, also after a kill. Every reading is stored as it came, or is in quarantine.
 */

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { codesOf, Treatment } from '../../collector/findings.ts';
import type { Reading, Value } from '../../proto/model.ts';
import { Quality } from '../../proto/model.ts';
import { CollectorProcess, QUICK_COLLECTOR } from '../support/collector-process.ts';
import { ofForm } from '../support/form.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/plant.ts';
import { dataAccount } from './support/data-account.ts';
import { Emitter } from './support/emitter.ts';

const CASES = join(import.meta.dirname, '../cases/profiles');
const MISTAKEN = readdirSync(CASES).filter((name) =>
  readdirSync(join(CASES, name)).includes('expected.txt'),
);
const PROFILE = `match: [{ device: "D*" }]
channels:
  strict: { max: 50, on_range: clip, on_type: quarantine }
  lenient: {}
  words: { type: text }
`;
/** What a device sends in turn; the profile wants number, number and text. */
const TURNS: Record<string, Value>[] = [
  { strict: 70, lenient: 1.5, words: 'running' },
  { strict: 'seventy', lenient: 'one', words: 3 },
  { strict: true, lenient: false, words: true },
  { strict: 70, lenient: 2.5, words: 'stopped' },
];
/** Batches of a turn. */
const ROUNDS = ofForm({ short: 8, long: 15 });

// Also when run alone, without the runner's own limit.
t.setTimeout(1_200_000);

t.test('types that change, profiles with mistakes', { timeout: 900_000 }, async (t) => {
  const collector = new CollectorProcess(
    t,
    { mqtt: { port: await freePort() }, profiles_dir: './profiles' },
    QUICK_COLLECTOR,
  );
  const folder = join(collector.folder, 'profiles');
  const write = (): void => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    writeFileSync(join(folder, 'sensors.yaml'), PROFILE);
  };
  const plain = (output: string): string => output.replaceAll(`${folder}/`, '');
  write();
  await collector.start();
  const emitter = await Emitter.connect(collector.login('gw1'));
  t.teardown(() => emitter.close());
  const epoch = emitter.epoch();
  const startMs = Date.now() - 600_000;
  let sent = 0;
  const turnOf: number[] = [];
  /** D01 has the profile, X01 has none. */
  const send = async (turn: number): Promise<void> => {
    const readings = Object.entries(TURNS[turn]!).flatMap(([channel, value]): Reading[] =>
      ['D01', 'X01'].map((device) => {
        const timeMs = startMs + sent * 100;
        return { device, channel, timeMs, value, quality: Quality.GOOD };
      }),
    );
    sent++;
    for (const frame of epoch.number(readings)) await emitter.send(epoch, [frame]);
    while (turnOf.length < epoch.lastSeq) turnOf.push(turn);
  };
  const mistakes = async (count: number): Promise<void> => {
    await until(`${count} mistakes`, 300_000, async () => {
      const text = await (await fetch(`${collector.base}/metrics`)).text();
      const line = /^fms_collector_configuration_mistakes (\d+)$/m.exec(text);
      return Number(line?.[1]) === count;
    });
  };

  const rest = [...MISTAKEN];
  for (const turn of TURNS.keys()) {
    for (let i = 0; i < ROUNDS; i++) await send(turn);
    const name = rest.shift();
    if (name === undefined) continue;
    // All of it while readings come in.
    rmSync(folder, { recursive: true });
    cpSync(join(CASES, name), folder, { recursive: true });
    const expected = readFileSync(join(CASES, name, 'expected.txt'), 'utf8')
      .trim()
      .split('\n');
    let isNoted = false;
    const noted = mistakes(expected.length).finally(() => {
      isNoted = true;
    });
    while (!isNoted) {
      await send(turn);
      // Readings all the while, not as many as the machine can make.
      await delay(20);
    }
    await noted;
    const checked = await collector.command('check');
    t.equal(checked.code, 2, `${name}: check refuses it`);
    for (const line of expected) {
      t.ok(plain(checked.output).includes(line), `check says: ${line}`);
      t.ok(
        plain(collector.output).includes(JSON.stringify(line).slice(1, -1)),
        `so does the program`,
      );
    }
    if (turn === 1) {
      await collector.stop('SIGKILL');
      await collector.start();
      await mistakes(expected.length);
    }
    for (let i = 0; i < ROUNDS; i++) await send(turn);
  }
  write();
  await mistakes(0);
  await send(0);

  const events = await collector.get<{ items: { device: string; detail: { channel: string } }[] }>(
    '/api/v1/events?kind=channel_type&limit=1000',
  );
  t.same(
    events.items.map(({ device, detail }) => `${device} ${detail.channel}`).sort(),
    ['D01 lenient', 'D01 words', 'X01 lenient', 'X01 strict', 'X01 words', 'D01 strict'].sort(),
    'each channel that changed its type is told, once for all its changes',
  );
  const seen = new Set<string>();
  const held = new Set<string>();
  const result = await dataAccount(collector, emitter.epochs, {
    onReading: ({ device, channel, seq, findings, treatment, value }) => {
      const codes = codesOf(findings).filter(
        (code) => code === 'wrong_type' || code === 'out_of_range',
      );
      const cleaned = treatment === Treatment.CLIPPED ? ` ${value}` : '';
      seen.add(`${device} ${channel} ${turnOf[seq - 1]} ${codes.join()} ${treatment}${cleaned}`);
    },
    onQuarantine: ({ device, seq, reason }) => held.add(`${device} ${turnOf[seq - 1]} ${reason}`),
  });
  t.same(result.problems, []);
  t.same([...held].sort(), ['D01 1 rule', 'D01 2 rule'], 'only the strict channel in another type');
  const ofProfile = [...seen].filter((line) => line.startsWith('D01'));
  t.comment(ofProfile.sort().join('\n'));
  t.ok(
    ofProfile
      .filter((line) => line.startsWith('D01 strict'))
      .every((line) => line.includes('out_of_range 2 50')),
    'the strict channel is clipped throughout: no mistake ever held',
  );
  for (const turn of [1, 2])
    for (const channel of ['lenient', 'words'])
      t.ok(
        ofProfile
          .filter((line) => line.startsWith(`D01 ${channel} ${turn}`))
          .every((line) => line.includes('wrong_type 1')),
        `${channel} is flagged in turn ${turn}`,
      );
  t.notOk(
    [...seen].some((line) => line.startsWith('X01') && /wrong_type|out_of_range/.test(line)),
    'without a profile no type is wrong',
  );
});
