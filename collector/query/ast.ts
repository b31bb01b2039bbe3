/** The lines of EXPLAIN AST as nodes. Only shape: what may be there is the gate's. */

export interface AstNode {
  depth: number;
  /** The first word: what the node is. */
  kind: string;
  /** What stands behind it: a name, a literal; '' when there is nothing. */
  text: string;
  /** '' when it has none. */
  alias: string;
}

/** Undefined: a line that no engine that is known writes. */
export function nodesOf(lines: readonly string[]): AstNode[] | undefined {
  const nodes: AstNode[] = [];
  for (const line of lines) {
    if (line === '') continue;
    const found = /^( *)([A-Za-z:]+)(?: (.*))?$/.exec(line);
    const kind = found?.[2];
    if (found === null || kind === undefined) return undefined;
    let text = (found[3] ?? '').replace(/ ?\(children \d+\)$/, '');
    const alias = / ?\(alias (.*)\)$/.exec(text);
    if (alias !== null) text = text.slice(0, alias.index);
    nodes.push({ depth: found[1]?.length ?? 0, kind, text: text.trim(), alias: alias?.[1] ?? '' });
  }
  return nodes;
}

/** Those right below the one at `index`. */
export function childrenOf(nodes: readonly AstNode[], index: number): number[] {
  const depth = nodes[index]?.depth ?? 0;
  const children: number[] = [];
  for (let at = index + 1; at < nodes.length; at++) {
    const node = nodes[at];
    if (node === undefined || node.depth <= depth) break;
    if (node.depth === depth + 1) children.push(at);
  }
  return children;
}
