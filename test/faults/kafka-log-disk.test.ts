/**
 * The disk of the only broker is full: Kafka gives up. Nothing that it acknowledged is lost, and with room
 * on the disk and Kafka started again all goes on.
 *
 * Alone: `node test/faults/kafka-log-disk.test.ts --seed N` (as root).
 */

import t from 'tap';
import { FORM_TIMEOUT_MS } from '../support/form.ts';
import { kafkaMissing } from '../support/kafka/cache.ts';
import { kafkaForTests } from '../support/kafka.ts';
import { seedOfRun } from '../support/plant.ts';
import { GO_ON_WITHIN_MS, refusedInTime, underLoad } from './support/kafka-load.ts';
import { mountSmallDisk, whyNoSmallDisk } from './support/small-disk.ts';

const DISK_BYTES = 128 << 20;

const seed = seedOfRun();
t.setTimeout(FORM_TIMEOUT_MS);
t.comment(`seed ${seed}`);

t.test(
  'the disk of Kafka is full',
  { skip: kafkaMissing() || whyNoSmallDisk(), timeout: FORM_TIMEOUT_MS },
  async (t) => {
    const disk = mountSmallDisk(`size=${DISK_BYTES}`);
    if (disk === undefined) throw new Error('no small disk');
    t.teardown(() => disk.unmount());
    const kafka = await kafkaForTests(t, { dataFolders: [disk.folder] });
    const { pipeline } = await underLoad(t, kafka, 'full', seed);
    disk.fill();
    await refusedInTime(t, pipeline);
    // Kafka gives up a folder that it cannot write, and ends, sooner or later, when it has no other.
    await kafka.kill(0);
    disk.free();
    await kafka.restart(0);
    await pipeline.more(200, GO_ON_WITHIN_MS);
    await pipeline.settle(t);
  },
);
