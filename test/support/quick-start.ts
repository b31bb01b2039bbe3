/**
 * Loaded into each test process before the test (.taprc): compiled code is kept from one process to the next,
 * and what the runner loads into test processes stays out of the programs that tests start. Half a second of
 * a start goes into both, and tests start some hundred programs.
 */

import { enableCompileCache, getCompileCacheDir } from 'node:module';

enableCompileCache();
const folder = getCompileCacheDir();
if (folder !== undefined) process.env.NODE_COMPILE_CACHE ??= folder;
delete process.env.NODE_OPTIONS;
