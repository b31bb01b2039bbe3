/** Which lines of a text are others than those of an older one. Pure. */

export interface DiffLine {
  kind: 'same' | 'old' | 'new';
  text: string;
}

/** Lines that are compared one by one, after those that both begin and end with; beyond it all of them are others. */
const COMPARED_MAX = 1_500;

export function diffLines(before: string, after: string): DiffLine[] {
  const old = before.split('\n');
  const fresh = after.split('\n');
  let start = 0;
  while (start < Math.min(old.length, fresh.length) && old[start] === fresh[start]) start++;
  let end = 0;
  while (
    end < Math.min(old.length, fresh.length) - start &&
    old[old.length - 1 - end] === fresh[fresh.length - 1 - end]
  )
    end++;
  return [
    ...linesOf('same', old.slice(0, start)),
    ...middle(old.slice(start, old.length - end), fresh.slice(start, fresh.length - end)),
    ...linesOf('same', end === 0 ? [] : old.slice(-end)),
  ];
}

function linesOf(kind: DiffLine['kind'], lines: readonly string[]): DiffLine[] {
  return lines.map((text) => ({ kind, text }));
}

/** By the longest common subsequence. */
function middle(old: readonly string[], fresh: readonly string[]): DiffLine[] {
  if (old.length > COMPARED_MAX || fresh.length > COMPARED_MAX)
    return [...linesOf('old', old), ...linesOf('new', fresh)];
  const width = fresh.length + 1;
  const common = new Uint16Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i--)
    for (let k = fresh.length - 1; k >= 0; k--)
      common[i * width + k] =
        old[i] === fresh[k]
          ? (common[(i + 1) * width + k + 1] ?? 0) + 1
          : Math.max(common[(i + 1) * width + k] ?? 0, common[i * width + k + 1] ?? 0);
  const lines: DiffLine[] = [];
  let i = 0;
  let k = 0;
  while (i < old.length || k < fresh.length) {
    const isSame = i < old.length && k < fresh.length && old[i] === fresh[k];
    const down = common[(i + 1) * width + k] ?? 0;
    const right = common[i * width + k + 1] ?? 0;
    if (isSame) lines.push({ kind: 'same', text: old[i++] ?? '' });
    else if (k >= fresh.length || (i < old.length && down >= right))
      lines.push({ kind: 'old', text: old[i++] ?? '' });
    else lines.push({ kind: 'new', text: fresh[k] ?? '' });
    if (lines.at(-1)?.kind !== 'old') k++;
  }
  return lines;
}

/** Only what changed and some lines around it; null: lines were left out. */
export function withoutFar(lines: readonly DiffLine[], around = 2): (DiffLine | null)[] {
  const near = new Set<number>();
  for (const [i, { kind }] of lines.entries())
    if (kind !== 'same') for (let k = i - around; k <= i + around; k++) near.add(k);
  const shown: (DiffLine | null)[] = [];
  for (const [i, line] of lines.entries())
    if (near.has(i)) shown.push(line);
    else if (shown.at(-1) !== null) shown.push(null);
  return shown;
}
