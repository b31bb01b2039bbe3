/**
 * Keeps the classes that a broker loads as Java has them in memory, beside the jars: each of the two dozen
 * starts of brokers in the tests then takes two thirds of its CPU.
 */

import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from '../free-port.ts';
import { kafkaFiles } from './cache.ts';
import { KafkaNode } from './node.ts';

/** It is written when Java ends, which takes seconds on an idle machine. */
const WRITTEN_MS = 120_000;

/** Once per machine, by a broker that starts and stops. Brokers start without it, too. */
export async function archiveClasses(): Promise<void> {
  const files = kafkaFiles();
  if (files === undefined || existsSync(files.classes)) return;
  const work = mkdtempSync(join(dirname(files.classes), 'classes-'));
  const data = mkdtempSync(join(tmpdir(), 'fms-kafka-classes-'));
  const [client, internal, controller] = [await freePort(), await freePort(), await freePort()];
  const node = new KafkaNode(data, {
    id: 1,
    nodes: [{ client, internal, controller }],
    listener: 'plain',
    dataFolder: join(data, 'data'),
    keyStore: '',
    trustStore: '',
    more: {},
  });
  try {
    const archive = join(work, 'classes.jsa');
    node.launch([`-XX:ArchiveClassesAtExit=${archive}`]);
    await node.answers(1);
    await node.stop(WRITTEN_MS);
    // Another process may have been as quick: both are whole.
    if (existsSync(archive)) renameSync(archive, files.classes);
  } finally {
    await node.kill();
    for (const folder of [work, data]) rmSync(folder, { recursive: true, force: true });
  }
}
