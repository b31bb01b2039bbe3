/**
 * `npm run package -- [agent] [collector] [--arch x64,arm64] [--version V] [--out FOLDER] [--quick]`: what
 * users install, from a checkout with its npm packages. One folder gets all of it, and SHA256SUMS.
 */

import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { packageAgent } from './agent/package.ts';
import { writeSums } from './checksums.ts';
import { packageCollector } from './collector/package.ts';
import { sourceEpochSeconds } from './epoch.ts';
import type { Architecture, PackageOptions } from './options.ts';
import { ARCHITECTURES, PackagingError } from './options.ts';

const ROOT = join(import.meta.dirname, '..');

/** Each makes its files in `options.out` and answers with their paths. */
const parts: Readonly<Record<string, (options: PackageOptions) => Promise<string[]>>> = {
  agent: packageAgent,
  collector: packageCollector,
};

interface Asked extends PackageOptions {
  parts: readonly string[];
}

function read(args: readonly string[]): Asked {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      arch: { type: 'string', default: ARCHITECTURES.join(',') },
      version: { type: 'string', default: ownVersion() },
      out: { type: 'string', default: join(import.meta.dirname, 'dist') },
      quick: { type: 'boolean', default: false },
    },
  });
  const wrong = positionals.find((name) => !Object.hasOwn(parts, name));
  if (wrong !== undefined) {
    throw new PackagingError(`no part "${wrong}"; there are: ${Object.keys(parts).join(', ')}`);
  }
  if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/.test(values.version)) {
    throw new PackagingError(`--version ${values.version}: write it as 1.2.3 or 1.2.3-rc.1`);
  }
  return {
    parts: positionals.length > 0 ? [...new Set(positionals)] : Object.keys(parts),
    architectures: [...new Set(values.arch.split(',').map(architecture))],
    version: values.version,
    out: resolve(values.out),
    quick: values.quick,
    epochSeconds: sourceEpochSeconds(ROOT),
    say: (line) => console.log(line),
  };
}

function architecture(name: string): Architecture {
  const found = ARCHITECTURES.find((known) => known === name);
  if (found !== undefined) return found;
  throw new PackagingError(`--arch ${name}: one or both of ${ARCHITECTURES.join(',')}`);
}

function ownVersion(): string {
  const text = readFileSync(join(ROOT, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function main(): Promise<void> {
  const asked = read(process.argv.slice(2));
  mkdirSync(asked.out, { recursive: true });
  const files: string[] = [];
  for (const part of asked.parts) files.push(...(await parts[part]!(asked)));
  files.push(writeSums(asked.out));
  for (const file of files) console.log(file);
}

try {
  await main();
} catch (error) {
  const isTold = error instanceof PackagingError || (error as Error).name === 'TypeError';
  console.error(isTold ? (error as Error).message : error);
  process.exitCode = 1;
}
