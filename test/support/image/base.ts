/**
 * What stands for the base image `node:VERSION-CODENAME-slim` where no registry of images can be reached: a minimal
 * Debian of that name by debootstrap, with the project's own Node and this machine's npm at the image's places.
 * Made once per machine: about a minute, most of it waiting for Debian's servers.
 */

import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findProgram } from '../programs.ts';
import { writableCache } from '../test-cache.ts';

const repository = join(import.meta.dirname, '../../..');
const TIMEOUT_MS = 480_000;
/** Changes with what is prepared here. */
const LAYOUT = 1;

/** The folder that is the root of it. Throws with debootstrap's words. */
export function baseRoot(image: string): string {
  const [, node = '', codename = ''] = /^node:([\d.]+)-([a-z]+)-slim$/.exec(image) ?? [];
  if (codename === '') throw new Error(`${image} is not what this knows to make`);
  if (`v${node}` !== process.version)
    throw new Error(`the image has Node ${node}, these tests run on ${process.version}`);
  const root = join(writableCache(), `image-base-${LAYOUT}-${codename}-node${node}`);
  if (existsSync(root)) return root;
  const work = `${root}.${process.pid}`;
  try {
    run('debootstrap', ['--variant=minbase', codename, work]);
    rmSync(join(work, 'var/cache/apt'), { recursive: true, force: true });
    addNode(work);
    renameSync(work, root);
  } catch (error) {
    // Another process may have been quicker.
    if (!existsSync(root)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return root;
}

function addNode(root: string): void {
  const local = join(root, 'usr/local');
  mkdirSync(join(local, 'lib/node_modules'), { recursive: true });
  cpSync(join(repository, 'node_modules/node/bin/node'), join(local, 'bin/node'), {
    dereference: true,
  });
  chmodSync(join(local, 'bin/node'), 0o755);
  const npm = execFileSync('npm', ['root', '-g'], { encoding: 'utf8' }).trim();
  cpSync(join(npm, 'npm'), join(local, 'lib/node_modules/npm'), {
    recursive: true,
    dereference: true,
  });
  for (const name of ['npm', 'npx'])
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, 'bin', name));
}

function run(program: string, args: string[]): void {
  const path = findProgram(program);
  if (path === undefined) throw new Error(`${program} is not installed`);
  mkdirSync(dirname(args.at(-1) ?? ''), { recursive: true });
  try {
    execFileSync(path, args, { stdio: 'pipe', timeout: TIMEOUT_MS });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: Buffer; stderr?: Buffer };
    throw new Error(`${program}: ${`${stdout ?? ''}${stderr ?? ''}`.slice(-2000)}`, {
      cause: error,
    });
  }
}
