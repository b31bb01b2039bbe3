/**
 * The packaged fms-agent, as `npm run package` makes it but compressed less. Built when a source has changed
 * since, else found in .cache/: some ten seconds against none. test/setup.ts builds it before the suite.
 */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { hashOfSources, PACKAGE_CACHE, PACKAGE_MAIN, runToEnd } from './package-builds.ts';

const ROOT = join(import.meta.dirname, '../..');
const CACHE = PACKAGE_CACHE;
/** Where Debian's packages libc6-arm64-cross and others put what an arm64 program loads. */
export const ARM64_LIBRARIES = '/usr/aarch64-linux-gnu';
const OLD_MS = 6 * 3_600_000;

export interface PackagedAgent {
  /** fms-agent; its addon lies beside it. */
  program: string;
  deb: string;
  tarball: string;
  /** The bill of materials. */
  bill: string;
}

export interface PackagedOptions {
  /** Default: that of package.json. */
  version?: string;
  architecture?: 'x64' | 'arm64';
}

/** Needs dpkg-deb. Throws with what the build said. Files of a build stay where they are; change none. */
export function packagedAgent(options: PackagedOptions = {}): PackagedAgent {
  const own = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const { version = own.version, architecture = hostArchitecture() } = options;
  const folder = join(
    CACHE,
    `built-agent-${version}-${architecture}-${hashOfSources(['agent/**', 'packaging/agent/**'])}`,
  );
  if (!existsSync(folder)) build(folder, version, architecture);
  const debian = architecture === 'x64' ? 'amd64' : architecture;
  return {
    program: join(folder, 'root/usr/lib/fms-agent/fms-agent'),
    deb: join(folder, `fms-agent_${version.replace('-', '~')}_${debian}.deb`),
    tarball: join(folder, `fms-agent-${version}-linux-${architecture}.tar.gz`),
    bill: join(folder, `fms-agent-${version}.cdx.json`),
  };
}

function hostArchitecture(): 'x64' | 'arm64' {
  return process.arch === 'arm64' ? 'arm64' : 'x64';
}

function build(folder: string, version: string, architecture: string): void {
  mkdirSync(CACHE, { recursive: true });
  removeOld();
  const work = mkdtempSync(join(CACHE, 'building-'));
  try {
    const asked = ['agent', '--quick', '--version', version, '--arch', architecture, '--out', work];
    runToEnd(process.execPath, [PACKAGE_MAIN, ...asked]);
    const deb = readdirSync(work).find((name) => name.endsWith('.deb'));
    runToEnd('dpkg-deb', ['-x', join(work, deb ?? ''), join(work, 'root')]);
    renameSync(work, folder);
  } catch (error) {
    // Another process was quicker with the same.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function removeOld(): void {
  for (const name of readdirSync(CACHE)) {
    if (!/^(built|building)-/.test(name)) continue;
    const path = join(CACHE, name);
    const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (Date.now() - mtimeMs > OLD_MS) rmSync(path, { recursive: true, force: true });
  }
}
