/** Both languages of the pages say the same things. */

import { globSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Words } from '../../../collector/web/src/i18n/words.ts';

const SOURCES = join(import.meta.dirname, '../../../collector/web/src');

/** Every `words.ts` of the pages, and what it exports. */
async function allWords(): Promise<[string, Words][]> {
  const files = globSync('**/*words.ts', { cwd: SOURCES });
  const all: [string, Words][] = [];
  for (const file of files) {
    const exported = (await import(join(SOURCES, file))) as Record<string, unknown>;
    for (const [name, value] of Object.entries(exported))
      if (typeof value === 'object' && value !== null && 'en' in value && 'ko' in value)
        all.push([`${file} ${name}`, value as Words]);
  }
  return all;
}

const places = (text: string): string[] =>
  [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? ''))].sort();

t.test('the same keys with the same places to fill', async (t) => {
  const all = await allWords();
  t.ok(all.length > 0);
  for (const [where, { en, ko }] of all) {
    t.same(Object.keys(ko), Object.keys(en), where);
    for (const [key, text] of Object.entries(en)) {
      t.same(places(ko[key] ?? ''), places(text), `${where}: ${key}`);
      t.not(ko[key], '', `${where}: ${key}`);
    }
  }
});
