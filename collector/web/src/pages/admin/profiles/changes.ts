/** Changes as people read them. Pure. */

import type { Mistake, ProfileChange, ProfileFiles } from './types.ts';

const VALUE_CHARS_MAX = 300;

/** By profile; the assignments last. */
export function groupsOf(changes: readonly ProfileChange[]): [string, ProfileChange[]][] {
  return [...Map.groupBy(changes, ({ profile }) => profile)].toSorted(([a], [b]) =>
    a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1,
  );
}

export function pathText(path: readonly string[]): string {
  return path.join(' › ');
}

/** As YAML would have it on one line. */
export function valueText(value: unknown): string {
  const text = flow(value);
  return text.length <= VALUE_CHARS_MAX ? text : `${text.slice(0, VALUE_CHARS_MAX)}…`;
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'object' && value !== null)
    return `{ ${Object.entries(value)
      .map(([key, one]) => `${key}: ${flow(one)}`)
      .join(', ')} }`;
  return String(value);
}

/** Those of the file that is looked at, and those of others. */
export function splitMistakes(
  mistakes: readonly Mistake[],
  file: string,
): { here: Mistake[]; elsewhere: Mistake[] } {
  return {
    here: mistakes.filter((mistake) => mistake.file === file),
    elsewhere: mistakes.filter((mistake) => mistake.file !== file),
  };
}

/** Undefined: the collector takes the name. As it says itself. */
export function nameProblem(
  name: string,
  taken: readonly string[],
): 'name_wrong' | 'name_taken' | undefined {
  if (!/^[\p{L}\p{N}_][\p{L}\p{N}_. -]{0,59}\.ya?ml$/u.test(name)) return 'name_wrong';
  return taken.includes(name) ? 'name_taken' : undefined;
}

/** What a new file begins as. */
export function templateFor(name: string): string {
  if (/^devices\.ya?ml$/.test(name))
    return '# Where devices stand and which profile they have. The first entry that matches a device holds.\ndevices:\n  - { device: "P*", area: Press shop, line: L1 }\n';
  const profile = name.replace(/\.ya?ml$/, '');
  return `# What is expected of these devices.
name: ${JSON.stringify(profile)}
match: [{ device: "P*" }]
interval_seconds: 10
channels:
  temperature: { unit: °C, min: 0, max: 100 }
`;
}

/** The list as it is after a change, until it has been asked for again. `file` null: gone. */
export function withFile(
  files: ProfileFiles,
  name: string,
  file: { text: string; etag: string } | null,
): ProfileFiles {
  const others = files.items.filter((item) => item.name !== name);
  const removed = files.removed.filter((one) => one !== name);
  if (file === null) return { ...files, items: others, removed: [...removed, name].toSorted() };
  const bytes = new TextEncoder().encode(file.text).length;
  const items = [...others, { name, ...file, bytes }].toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  return { ...files, items, removed };
}
