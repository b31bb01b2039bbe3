/** docs/ERRORS.md and the error tables say the same, both ways. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { agentErrors } from '../agent/errors.ts';
import { ERRORS as koreanAgentErrors } from '../agent/words/korean/errors.ts';
import { collectorErrors } from '../collector/errors.ts';
import { wireErrors } from '../proto/errors.ts';
import { simErrors } from '../simulators/errors.ts';

interface Entry {
  cause: string;
  hint: string;
}

const tables: Record<string, Record<string, Entry>> = {
  'The wire': wireErrors,
  'fms-agent': agentErrors,
  'fms-collector': collectorErrors,
  'fms-sim': simErrors,
};

function page(name: string): string {
  return readFileSync(join(import.meta.dirname, '../docs', name), 'utf8');
}

const document = page('ERRORS.md');

/** Section title → code → [cause, hint], from rows `| CODE | cause | hint |`. */
function documented(): Map<string, Map<string, [string, string]>> {
  const sections = new Map<string, Map<string, [string, string]>>();
  let current: Map<string, [string, string]> | undefined;
  for (const line of document.split('\n')) {
    const title = /^## (.+)$/.exec(line)?.[1];
    if (title !== undefined) {
      current = new Map();
      sections.set(title, current);
    }
    const row = /^\| `([A-Z_0-9]+)` \| (.+?) \| (.+?) \|$/.exec(line);
    if (row && current) current.set(row[1] as string, [row[2] as string, row[3] as string]);
  }
  return sections;
}

t.test('every code is documented with its cause and hint, and nothing else is', async (t) => {
  const sections = documented();
  for (const [title, table] of Object.entries(tables)) {
    const rows = Object.fromEntries(sections.get(title) ?? []);
    const expected = Object.fromEntries(
      Object.entries(table).map(([code, entry]) => [code, [entry.cause, entry.hint]]),
    );
    t.same(rows, expected, title);
  }
  t.same([...sections.keys()].sort(), Object.keys(tables).sort());
});

t.test('the Korean page tells the codes of the agent as its commands do', async (t) => {
  const rows = Object.entries(koreanAgentErrors).map(
    ([code, { cause, hint }]) => `| \`${code}\` | ${cause} | ${hint} |`,
  );
  const lines = page('ERRORS.ko.md').split('\n');
  t.same(
    lines.filter((line) => line.startsWith('| `')),
    rows,
  );
});

t.test('codes are unique over all programs', async (t) => {
  const codes = Object.values(tables).flatMap((table) => Object.keys(table));
  t.equal(new Set(codes).size, codes.length);
});
