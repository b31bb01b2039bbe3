/**
 * A process to be killed: `node append-for-ever.ts FOLDER`. Appends to the buffer there, and prints for
 * each resolved append its epoch and the last number in it, and `- EPOCH FIRST COUNT` for what it
 * acknowledged.
 */

import { bentWorld, chooseMode, numbered, openIn } from './test-buffer.ts';

const READINGS = 20;

async function appendForEver(folder: string): Promise<void> {
  const buffer = openIn(folder, bentWorld(), { commitIntervalMs: 2 });
  for (let from = 0; ; ) {
    const appends: Promise<void>[] = [];
    for (let i = 0; i < 5; i++, from += READINGS) {
      appends.push(buffer.append(numbered(from, READINGS), []));
    }
    await Promise.all(appends);
    process.stdout.write(`${buffer.currentEpoch()!.epoch} ${from}\n`);
    const [oldest] = buffer.next(0, { maxBytes: 1, maxReadings: 1, maxChunks: 1 });
    // Some of it is delivered meanwhile, so that deletions are under way, too.
    if (from % 1000 === 0 && oldest !== undefined) {
      buffer.acknowledge([oldest.id]);
      process.stdout.write(`- ${oldest.epoch} ${oldest.frame.firstSeq} ${oldest.frame.count}\n`);
    }
  }
}

chooseMode({ comment: () => {} }, 'plain');
await appendForEver(process.argv[2]!);
