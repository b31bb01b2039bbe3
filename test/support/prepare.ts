/**
 * Makes what several test files want, once and before them: `node test/support/prepare.ts NAME`. Each in a process of
 * its own, so that test/setup.ts has them made side by side: some compute, others wait for servers. What is there
 * already is not made again. Ends with what its maker said on standard error, and 1, when that failed.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fetchDebianMachine } from './debian-machine.ts';
import { baseRoot } from './image/base.ts';
import { fetchKafka } from './kafka/cache.ts';
import { archiveClasses } from './kafka/classes.ts';
import { packagedAgent } from './packaged.ts';
import { packagedCollector } from './packaged-collector.ts';
import { findProgram } from './programs.ts';

const DOCKERFILE = join(import.meta.dirname, '../../packaging/image/Dockerfile');

const MAKERS: Readonly<Record<string, () => unknown>> = {
  kafka: async () => {
    if (findProgram('mvn') !== undefined) fetchKafka();
    await archiveClasses().catch((error: unknown) =>
      console.log(`test set-up: brokers start slower: ${(error as Error).message}`),
    );
  },
  agent: () => {
    packagedAgent();
    if (findProgram('aarch64-linux-gnu-strip') !== undefined)
      packagedAgent({ architecture: 'arm64' });
  },
  collector: packagedCollector,
  'debian-machine': fetchDebianMachine,
  'image-base': () => {
    const [, image = ''] = /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(DOCKERFILE, 'utf8')) ?? [];
    baseRoot(image);
  },
};

const name = process.argv[2] ?? '';
const make = MAKERS[name];
if (make === undefined) throw new Error(`usage: prepare.ts ${Object.keys(MAKERS).join('|')}`);
try {
  await make();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
