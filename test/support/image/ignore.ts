/** A .dockerignore, as BuildKit reads it: the last pattern that matches a path or a folder above it decides. */

import { readFileSync } from 'node:fs';
import { matchesGlob } from 'node:path';

export interface IgnoreRule {
  pattern: string;
  /** Of a line with `!`. */
  takesBack: boolean;
}

export function readIgnoreFile(file: string): IgnoreRule[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ pattern: line.replace(/^!/, ''), takesBack: line.startsWith('!') }));
}

export function isIgnored(rules: readonly IgnoreRule[], path: string): boolean {
  const parts = path.split('/');
  const above = parts.map((_, i) => parts.slice(0, i + 1).join('/'));
  let ignored = false;
  for (const { pattern, takesBack } of rules)
    if (above.some((name) => matches(pattern, name))) ignored = !takesBack;
  return ignored;
}

function matches(pattern: string, name: string): boolean {
  if (pattern === '*') return !name.includes('/');
  if (pattern === '**/.*') return /(^|\/)\.[^/]*$/.test(name);
  return matchesGlob(name, pattern);
}
