/** SHA256SUMS, as `sha256sum --check` reads it. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NAME = 'SHA256SUMS';

/** Of all files that lie in the folder, in the order of their names. Answers with the path of the list. */
export function writeSums(folder: string): string {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== NAME)
    .map((entry) => entry.name)
    .sort();
  const lines = names.map((name) => `${sha256(join(folder, name))}  ${name}\n`);
  const path = join(folder, NAME);
  writeFileSync(path, lines.join(''));
  return path;
}

export function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
