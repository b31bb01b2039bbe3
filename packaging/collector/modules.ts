/**
 * The npm packages that the collector needs when it runs: those that its sources import, and theirs. Not what
 * the agent, the pages or the tests need, nor what only people who program with a package need of it.
 */

import type { Dirent } from 'node:fs';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Architecture } from '../options.ts';
import { PackagingError } from '../options.ts';
import type { StagedEntry } from '../staging.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Where the program begins, and what it starts in threads of its own. */
const ENTRY_POINTS = [
  'collector/main.ts',
  'collector/profiles/load_worker.ts',
  'collector/profiles/editing/check_worker.ts',
];
/** Of a package's own folder. What is deeper may be loaded whatever its name is. */
const NOT_TO_RUN =
  /^(test|tests|__tests__|bench|benchmark|benchmarks|example|examples|docs|coverage|\..+)$/;
/** Types, maps and sources are for compilers and debuggers. */
const NOT_LOADED =
  /(^|\/)\.[^/]+$|\.(map|[cm]?ts|tsx|md|markdown|html|flow|gypi?|[ch]|cc|cpp|sh)$/i;
const LICENCE = /^(licen[cs]e|copying|notice)/i;

interface Manifest {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

/** Folders from the root, node_modules/yaml, in their order. Throws a PackagingError when one is not installed. */
export async function collectorModules(): Promise<string[]> {
  const found = new Set<string>();
  const waiting = [...(await importedPackages())].map((name) => needed('', name));
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    if (found.has(folder)) continue;
    found.add(folder);
    const manifest = JSON.parse(
      readFileSync(join(ROOT, folder, 'package.json'), 'utf8'),
    ) as Manifest;
    const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = manifest;
    const optional = [...Object.keys(optionalDependencies), ...Object.keys(peerDependencies)];
    for (const name of Object.keys(dependencies))
      if (!optional.includes(name) && !isTypes(name)) waiting.push(needed(folder, name));
    for (const name of Object.keys(optionalDependencies)) {
      const at = resolveFrom(folder, name);
      if (at !== undefined) waiting.push(at);
    }
  }
  return [...found].sort();
}

/** Some name as a dependency what only compilers read. */
function isTypes(name: string): boolean {
  return name.startsWith('@types/') || name === 'undici-types' || name === 'node-addon-api';
}

/** Names of packages that the sources import, types apart: those are gone before anything runs. */
async function importedPackages(): Promise<Set<string>> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ENTRY_POINTS,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    outdir: 'unused',
    write: false,
    metafile: true,
    logLevel: 'error',
  });
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
  return new Set(
    imports
      .filter(({ external, path }) => external === true && !path.startsWith('node:'))
      .map(({ path }) =>
        path
          .split('/')
          .slice(0, path.startsWith('@') ? 2 : 1)
          .join('/'),
      ),
  );
}

function needed(folder: string, name: string): string {
  const at = resolveFrom(folder, name);
  if (at !== undefined) return at;
  throw new PackagingError(
    `${name}, which ${folder || 'the collector'} needs, is not there: npm ci`,
  );
}

/** As node looks for it: in the package's own node_modules, then in those above. */
function resolveFrom(folder: string, name: string): string | undefined {
  for (let at = folder; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules') - 1))) {
    const candidate = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (existsSync(join(ROOT, candidate, 'package.json'))) return candidate;
    if (at === '') return undefined;
  }
}

/** What of a package is installed, below `lib`. `from`: where it lies when not in this checkout. */
export function moduleEntries(
  folder: string,
  lib: string,
  architecture: Architecture,
  from = join(ROOT, folder),
): StagedEntry[] {
  return filesBelow(from)
    .filter((file) => isLoaded(file) && isForMachine(folder, file, architecture))
    .map((file) => ({ path: `${lib}/${folder}/${file}`, mode: 0o644, from: join(from, file) }));
}

function isLoaded(file: string): boolean {
  const [top = '', ...below] = file.split('/');
  if (below.length > 0 && NOT_TO_RUN.test(top)) return false;
  return !NOT_LOADED.test(file) || LICENCE.test(file);
}

/** better-sqlite3 brings addons of all systems, and SQLite's sources. */
function isForMachine(folder: string, file: string, architecture: Architecture): boolean {
  if (folder !== 'node_modules/better-sqlite3') return true;
  if (file.startsWith('prebuilds/')) return file === `prebuilds/linux-${architecture}.node`;
  return !/^(deps|src)\//.test(file);
}

/** Packages inside are asked for by themselves, when something needs them. */
export function filesBelow(folder: string, isWanted = (_: Dirent): boolean => true): string[] {
  const files: string[] = [];
  const walk = (path: string): void => {
    for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
      if (entry.name === 'node_modules' || !isWanted(entry)) continue;
      const at = path === '' ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory()) walk(at);
      else if (entry.isFile()) files.push(at);
    }
  };
  walk('');
  return files.sort();
}
