/** What every agent loads at its start holds nothing of enrolment: that comes when it is needed. */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';

const ROOT = join(import.meta.dirname, '../../..');
const STATIC_IMPORT = /(?:^|\n)(?:import|export)\s(?!type\s)[^'";]*?['"](\.[^'"]+)['"]/g;

/** All files that loading this one loads at once. */
function loadedBy(entry: string, seen = new Set<string>()): Set<string> {
  const path = join(ROOT, entry);
  if (seen.has(entry) || !existsSync(path)) return seen;
  seen.add(entry);
  for (const [, target = ''] of readFileSync(path, 'utf8').matchAll(STATIC_IMPORT)) {
    loadedBy(normalize(join(dirname(entry), target)), seen);
  }
  return seen;
}

t.test('run, forwarder and status page', async (t) => {
  const loaded = ['agent/run.ts', 'agent/forwarder/forwarder.ts', 'agent/status/status.ts'].flatMap(
    (entry) => [...loadedBy(entry)],
  );
  t.ok(loaded.includes('agent/buffer/buffer.ts'), 'the scan follows imports');
  const identity = new Set(loaded.filter((file) => file.startsWith('agent/identity/')));
  t.same(
    [...identity].sort(),
    ['agent/identity/files.ts', 'agent/identity/tls.ts', 'agent/identity/verify.ts'],
    'the files of an enrolment, and the judgement of a TLS connection',
  );
  t.notOk(loaded.includes('agent/commands/enrol.ts'));
});
