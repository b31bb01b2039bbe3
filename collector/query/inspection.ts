/** Looks at every node of a statement's tree: docs/decisions/0029. */

import type { AstNode } from './ast.ts';
import { childrenOf } from './ast.ts';
import { mayCall, mayReadFrom } from './functions.ts';
import { GateRefusal, ONLY_READING } from './refusal.ts';
import { openTable } from './tables.ts';

const QUERIES = ['SelectWithUnionQuery', 'SelectIntersectExceptQuery', 'SelectQuery'];

/**
 * What a query may consist of. Not among them: Set (SETTINGS within), ColumnsApplyTransformer (the tree does not say
 * which function is applied), and all that is no query.
 */
const KINDS = new Set([
  ...QUERIES,
  'ExpressionList',
  'Subquery',
  'TablesInSelectQuery',
  'TablesInSelectQueryElement',
  'TableExpression',
  'TableJoin',
  'ArrayJoin',
  'SampleRatio',
  'WithElement',
  'WindowListElement',
  'WindowDefinition',
  'OrderByElement',
  'InterpolateElement',
  'Literal',
  'Identifier',
  'TableIdentifier',
  'Function',
  'Asterisk',
  'QualifiedAsterisk',
  'ColumnsRegexpMatcher',
  'ColumnsListMatcher',
  'QualifiedColumnsRegexpMatcher',
  'QualifiedColumnsListMatcher',
  'ColumnsTransformerList',
  'ColumnsExceptTransformer',
  'ColumnsReplaceTransformer',
  'ColumnsReplaceTransformer::Replacement',
]);
/** They name every column of what they read. */
const STARS = /^(Qualified)?(Asterisk|Columns\w*Matcher)$/;
/** Their second argument may be the name of a table. */
const IN = /^(global)?(not)?(null)?in(ignoreset)?$/i;
const EXPLAIN_KINDS = /^EXPLAIN( (AST|SYNTAX|QUERY TREE|PIPELINE|ESTIMATE))?$/;
const WORD = /^[A-Za-z_]\w*$/;
/** States of aggregate functions out of a text: engines have crashed over what they hold. */
const STATES = /AggregateFunction\s*\(/i;
/** By function: which argument is a type or columns with types, and so must be a plain text that can be looked at. */
const TYPED: Readonly<Record<string, number>> = {
  cast: 1,
  _cast: 1,
  accuratecast: 1,
  accuratecastornull: 1,
  accuratecastordefault: 1,
  reinterpret: 1,
  values: 0,
  sqlstandardvalues: 0,
};

export class Inspection {
  readonly #sql: string;
  readonly #nodes: readonly AstNode[];
  readonly #database: string;
  /** Names of the statement's own, without dots: WITH name AS (SELECT …). */
  readonly #withs: Set<string>;
  /** Of the system tables that it reads; undefined: of none. */
  #columns: Set<string> | undefined;

  /** `sql` as the engine spells it; `tables`: all of the database. */
  constructor(
    sql: string,
    nodes: readonly AstNode[],
    database: string,
    tables: ReadonlySet<string>,
  ) {
    this.#sql = sql;
    this.#nodes = nodes;
    this.#database = database;
    // Where such a name is known the tree does not say: one that is a table's must not hide what else it names.
    this.#withs = new Set([...withNames(sql)].filter((name) => !tables.has(name)));
  }

  /** Throws a GateRefusal. */
  check(): void {
    const [root] = this.#nodes;
    const below = childrenOf(this.#nodes, 0).map((at) => this.#nodes[at]?.kind ?? '');
    switch (root?.kind) {
      case 'SelectWithUnionQuery':
        this.#only(below, ['ExpressionList']);
        break;
      case 'SelectIntersectExceptQuery':
        this.#each(below, QUERIES);
        break;
      case 'Explain':
        this.#checkExplain(root, below);
        break;
      case 'DescribeQuery':
        this.#only(below, ['TableExpression']);
        break;
      case 'ShowTables':
        this.#checkShow(below);
        break;
      case 'ShowColumns':
        this.#checkShowColumns();
        break;
      case 'ExistsTableQuery':
        this.#checkExists(below);
        break;
      default:
        throw new GateRefusal(ONLY_READING, 'write');
    }
    this.#checkNodes();
    this.#checkColumns();
  }

  /** What follows is FORMAT, SETTINGS or INTO OUTFILE. */
  #only(below: readonly string[], kinds: readonly string[]): void {
    if (below.length !== kinds.length || below.some((kind, i) => kind !== kinds[i]))
      throw new GateRefusal('FORMAT and SETTINGS stand at the end, and INTO OUTFILE is not taken');
  }

  #each(below: readonly string[], kinds: readonly string[]): void {
    this.#only(
      below.filter((kind) => !kinds.includes(kind)),
      [],
    );
  }

  #checkExplain(root: AstNode, below: readonly string[]): void {
    if (!EXPLAIN_KINDS.test(root.text)) throw new GateRefusal(`${root.text} is not taken`);
    const [first, ...rest] = below;
    // The settings of EXPLAIN itself stand before what it explains.
    const isSet = first === 'Set' && /^EXPLAIN(?: [A-Z]+)* [a-z_]+ = /.test(this.#sql);
    const explained = isSet ? rest : below;
    if (explained.length !== 1 || !QUERIES.includes(explained[0] ?? ''))
      throw new GateRefusal('EXPLAIN is taken of a SELECT only');
  }

  /** The store leaves out the rows of other databases. */
  #checkShow(below: readonly string[]): void {
    if (!/^SHOW (FULL )?(TABLES|DATABASES)\b/.test(this.#sql))
      throw new GateRefusal('of SHOW only TABLES, COLUMNS and DATABASES are taken');
    this.#each(below, ['Identifier']);
  }

  #checkShowColumns(): void {
    const found =
      /^SHOW (?:EXTENDED )?(?:FULL )?COLUMNS FROM (\w+)(?: FROM (\w+))?(?: (?:NOT )?I?LIKE '[^'\\]*')?(?: LIMIT \d+)?$/.exec(
        this.#sql,
      );
    const [, table = '', database = this.#database] = found ?? [];
    if (found === null || database !== this.#database || !this.#isOpen(table))
      throw new GateRefusal('SHOW COLUMNS is taken of our tables only');
  }

  #checkExists(below: readonly string[]): void {
    const name = /^EXISTS TABLE ([\w.]+)$/.exec(this.#sql)?.[1];
    const database = name?.includes('.') ? name.split('.')[0] : this.#database;
    if (name === undefined || database !== this.#database)
      throw new GateRefusal('EXISTS TABLE is taken of our database only');
    this.#each(below, ['Identifier']);
  }

  #checkNodes(): void {
    for (const [at, node] of this.#nodes.entries()) {
      if (at === 0 && !KINDS.has(node.kind)) continue;
      const isOfExplain = at === 1 && node.kind === 'Set' && this.#nodes[0]?.kind === 'Explain';
      if (isOfExplain) continue;
      if (node.kind === 'Set')
        throw new GateRefusal('SETTINGS are taken at the end of the statement only');
      if (node.kind === 'ColumnsApplyTransformer') throw new GateRefusal('APPLY is not taken');
      if (!KINDS.has(node.kind)) throw new GateRefusal(`${node.kind} is not taken`);
      if (node.kind === 'Function') this.#checkFunction(at, node);
      else if (node.kind === 'TableIdentifier') this.#checkTable(node.text);
      else if (node.kind === 'Literal' && STATES.test(node.text))
        throw new GateRefusal('texts are not taken for states of aggregate functions');
    }
  }

  #checkFunction(at: number, { text: name }: AstNode): void {
    if (!WORD.test(name)) throw new GateRefusal(`there is no function ${name}`);
    this.#checkType(at, name.toLowerCase());
    if (this.#isTable(at)) {
      if (!mayReadFrom(name)) throw new GateRefusal(`the table function ${name} is not taken`);
      return;
    }
    if (!mayCall(name)) throw new GateRefusal(`the function ${name} is not taken`);
    if (IN.test(name)) this.#checkIn(at);
  }

  #checkType(at: number, name: string): void {
    const position = Object.hasOwn(TYPED, name) ? TYPED[name] : undefined;
    if (position === undefined) return;
    const [list] = childrenOf(this.#nodes, at);
    const argument = list === undefined ? undefined : childrenOf(this.#nodes, list)[position];
    const kind = argument === undefined ? 'Literal' : this.#nodes[argument]?.kind;
    const isRow = name.endsWith('values') && this.#nodes[argument ?? 0]?.text === 'tuple';
    if (kind !== 'Literal' && !isRow)
      throw new GateRefusal(`the type that ${name} takes must be a plain text`);
  }

  /** Right below TableExpression stand tables and table functions. */
  #isTable(at: number): boolean {
    const depth = this.#nodes[at]?.depth ?? 0;
    for (let up = at - 1; up >= 0; up--) {
      const node = this.#nodes[up];
      if (node !== undefined && node.depth < depth) return node.kind === 'TableExpression';
    }
    return false;
  }

  #checkIn(at: number): void {
    for (const list of childrenOf(this.#nodes, at))
      for (const argument of childrenOf(this.#nodes, list).slice(1)) {
        const node = this.#nodes[argument];
        if (node?.kind === 'Identifier') this.#checkTable(node.text);
      }
  }

  #isOpen(name: string): boolean {
    return openTable(name, this.#database).isOpen;
  }

  #checkTable(name: string): void {
    if (this.#withs.has(name)) return;
    const { isOpen, columns } = openTable(name, this.#database);
    if (!isOpen) throw new GateRefusal(`there is no table ${name} here`);
    if (columns === undefined) return;
    this.#columns ??= new Set();
    for (const column of columns) this.#columns.add(column);
  }

  /** A statement that reads system tables names their open columns only, and no star. */
  #checkColumns(): void {
    const columns = this.#columns;
    if (columns === undefined || this.#nodes[0]?.kind === 'DescribeQuery') return;
    for (const { kind, text } of this.#nodes) {
      if (STARS.test(kind))
        throw new GateRefusal('of system tables the columns must be named one by one');
      if (kind !== 'Identifier') continue;
      const last = text.split('.').at(-1) ?? '';
      if (!columns.has(last))
        throw new GateRefusal(`of system tables there is no column ${last} here`);
    }
  }
}

function withNames(sql: string): Set<string> {
  const names = new Set<string>();
  const before = /(?:^|[\s,])([A-Za-z_]\w*)(?: \([^()\n]*\))? AS(?: MATERIALIZED)?\s*\n\s*\(/g;
  for (const [, name] of sql.matchAll(before)) if (name !== undefined) names.add(name);
  return names;
}
