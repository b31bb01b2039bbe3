/** Folders for an engine that runs in the test's own process. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A new folder, removed at the end of the test, after all teardowns that come later in it. The threads of an
 * engine that was closed may still write there for a moment, which is waited for.
 */
export function engineFolder(t: { teardown(handler: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'fms-engine-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
  return path;
}
