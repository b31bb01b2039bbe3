/**
 * Loaded into each test process before the test (.taprc): compiled code is kept from one process to the next,
 * and what the runner loads into test processes stays out of the programs that tests start. Half a second of
 * a start goes into both, and tests start some hundred programs.
 */

import { enableCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Types are taken out in place: there is nothing to map, but for the maps of the runner's own hundred files.
process.setSourceMapsEnabled(false);
// One folder for tests and for the programs that they start. (What getCompileCacheDir() says is a folder below
// it, which a program would take for the folder itself, and compile all anew.)
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'node-compile-cache');
enableCompileCache(process.env.NODE_COMPILE_CACHE);
delete process.env.NODE_OPTIONS;
