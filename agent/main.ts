#!/usr/bin/env node
/**
 * fms-agent, run from its sources. This file only prepares the process; start.ts begins, and is where the
 * single binary of packaging/ begins too.
 *
 * The agent runs from its sources, and a gateway is small: the transformer that strips types would keep
 * 18 MB for good, and V8 grows its heap as if memory were free. So `run` replaces itself (execve: same
 * process id, same streams) by a process that finds all code compiled in a cache and collects garbage
 * earlier. The first time of all it fills that cache before.
 */

import { existsSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { enableCompileCache, flushCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENGINE_FLAGS as FLAGS } from './engine-flags.ts';

const STAGE = 'FMS_AGENT_STAGE';
/** For glibc: memory of finished work goes back to the system. */
const ALLOCATOR = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072' };

/**
 * The folder of compiled code: FMS_AGENT_COMPILE_CACHE, systemd's CacheDirectory, or one of this user in
 * the temporary folder. Code is loaded from it, so it must belong to this user alone. Undefined: none.
 */
function cacheFolder(): string | undefined {
  const { FMS_AGENT_COMPILE_CACHE: given, CACHE_DIRECTORY: service } = process.env;
  const user = process.getuid?.();
  const folder = given ?? service?.split(':')[0] ?? join(tmpdir(), `fms-agent-cache-${user}`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(folder);
    const isPrivate = user === undefined || (uid === user && (mode & 0o022) === 0);
    return isPrivate && lstatSync(folder).isDirectory() ? folder : undefined;
  } catch {
    return undefined;
  }
}

function replaceProcess(folder: string, stage: string): void {
  const own = process.execArgv.filter((arg) => !FLAGS.includes(arg));
  const args = [process.execPath, ...FLAGS, ...own, ...process.argv.slice(1)];
  const env = { ...ALLOCATOR, ...process.env, [STAGE]: stage, NODE_COMPILE_CACHE: folder };
  try {
    process.execve?.(process.execPath, args, env);
  } catch {
    // The agent works without it, only larger.
  }
}

/** Loads what an agent loads, once for each version of agent and node. */
async function fillCache(folder: string): Promise<boolean> {
  const { default: own } = await import('../package.json', { with: { type: 'json' } });
  const stamp = join(folder, `filled-${own.version}-${process.version}`);
  if (existsSync(stamp)) return false;
  try {
    await Promise.all([
      import('./commands/commands.ts'),
      import('./run.ts'),
      import('./forwarder/forwarder.ts'),
      import('./status/status.ts'),
      import('./identity/keeper.ts'),
      import('./identity/ask.ts'),
    ]);
    flushCompileCache();
    writeFileSync(stamp, '');
    return true;
  } catch {
    return false;
  }
}

const stage = process.env[STAGE];
// Not on Windows.
if (process.argv[2] === 'run' && process.execve !== undefined) {
  const folder = cacheFolder();
  if (folder !== undefined && stage === undefined) replaceProcess(folder, 'fill');
  if (folder !== undefined && stage === 'fill' && (await fillCache(folder))) {
    replaceProcess(folder, 'run');
  }
} else {
  const folder = cacheFolder();
  if (folder !== undefined) enableCompileCache(folder);
}
// All of this is the agent's own, not for programs that it starts.
if (stage !== undefined) {
  for (const name of [STAGE, 'NODE_COMPILE_CACHE', ...Object.keys(ALLOCATOR)]) {
    delete process.env[name];
  }
}

const { start } = await import('./start.ts');
await start(process.argv);
