/** Headings of a page of docs/, by the anchors that links use. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export function headingsOf(root: string, page: string): Set<string> {
  const text = readFileSync(join(root, page), 'utf8');
  return new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
