/** Patterns of names: `*` is any run of characters, `?` any one; all else is itself. */

/** Time: at most the product of both lengths, whatever the pattern. */
export function matchesGlob(pattern: string, text: string): boolean {
  const wanted = [...pattern];
  const given = [...text];
  let p = 0;
  let g = 0;
  /** The last star, and up to where it reaches so far. */
  let star = -1;
  let reach = 0;
  while (g < given.length) {
    if (wanted[p] === '*') {
      star = p++;
      reach = g;
    } else if (p < wanted.length && (wanted[p] === '?' || wanted[p] === given[g])) {
      p++;
      g++;
    } else if (star >= 0) {
      p = star + 1;
      g = ++reach;
    } else {
      return false;
    }
  }
  while (wanted[p] === '*') p++;
  return p === wanted.length;
}
