/**
 * The one owner of the expression language (CEL, by @marcbachmann/cel-js). Pure: no clock, no I/O, no
 * chance, and the same answer each time.
 *
 * Only a part of CEL is let in, so that every expression is short work and cannot fail in surprising
 * ways: channel names, numbers, texts, true and false, lists, `? :`, operators, and the functions
 * below. All numbers are doubles: `1 / 2` is 0.5, and `motor1 > 5` needs no `5.0`. A channel whose name
 * is no CEL identifier stands in backticks: `` `온도-1` ``.
 *
 * A condition of an alert may also name facts (what is known of a device beside its channels) and call
 * `baseline(motor1)`. A channel with a fact's name stands in backticks there.
 */

import type { ASTNode, SourceRange } from '@marcbachmann/cel-js';
import {
  TypeError as CelTypeError,
  Environment,
  EvaluationError,
  ParseError,
} from '@marcbachmann/cel-js';
import type { ChannelType } from './profile.ts';

/** Characters of one expression. */
export const EXPRESSION_LENGTH_MAX = 2_000;
const NODES_MAX = 500;
const DEPTH_MAX = 50;

export type ExpressionValues = Record<string, number | string | boolean>;

export interface CompiledExpression {
  ok: true;
  /** Names of the channels in it, in the order of their first appearance; at least one. */
  channels: readonly string[];
  /**
   * `values` holds a value for each of `channels`; others are ignored. True as well when nothing can be
   * said of these values (a text where a number is expected): that is another rule's finding.
   */
  evaluate(values: ExpressionValues): boolean;
}

export interface ExpressionMistake {
  ok: false;
  message: string;
  /** Within the expression, both from 1. */
  line?: number;
  column?: number;
}

/** Of an alert rule. It names at least one channel, fact or baseline. */
export interface CompiledCondition {
  ok: true;
  /** In the order of their first appearance. */
  channels: readonly string[];
  facts: readonly string[];
  /** Channels whose baseline it asks for. */
  baselines: readonly string[];
  /**
   * `values` holds what it names, under channelKey(), the fact's name and baselineKey(). Undefined: nothing
   * can be said of these values (a text where a number is expected).
   */
  decide(values: ExpressionValues): boolean | undefined;
}

type Types = Readonly<Record<string, ChannelType>>;

/** No name that an expression can say has a backtick in it: these keys cannot meet a channel's. */
export function channelKey(channel: string, facts: Types): string {
  return Object.hasOwn(facts, channel) ? `\`${channel}\`` : channel;
}

export function baselineKey(channel: string): string {
  return `baseline(\`${channel}\`)`;
}

class Refused extends Error {
  readonly start: number;
  constructor(message: string, start: number) {
    super(message);
    this.start = start;
  }
}

const FUNCTIONS = [
  'abs',
  'min',
  'max',
  'length',
  'double',
  'string',
  'contains',
  'startsWith',
  'endsWith',
];
/** In conditions only. */
const BASELINE = 'baseline';
const OPERATORS = new Set(
  '== != < <= > >= + - * / % in && || !_ -_ ?: list value id call rcall'.split(' '),
);
const CEL_TYPES: Record<ChannelType, string> = {
  number: 'double',
  boolean: 'bool',
  text: 'string',
};

const base = new Environment({
  unlistedVariablesAreDyn: true,
  limits: { maxAstNodes: NODES_MAX, maxDepth: DEPTH_MAX },
})
  .registerFunction('abs(double): double', Math.abs)
  .registerFunction('min(double, double): double', Math.min)
  .registerFunction('min(double, double, double): double', Math.min)
  .registerFunction('max(double, double): double', Math.max)
  .registerFunction('max(double, double, double): double', Math.max)
  .registerFunction('length(string): double', (text: string) => text.length)
  .registerOperator('double % double', (a: number, b: number) => a % b);
/** Freezes `base`, so that every expression starts from the same one. */
const untyped = base.clone();

/**
 * Never throws. `types` (by channel name) makes it strict: other names and wrong types are mistakes.
 * Without them any name is a channel, and types show when it is evaluated.
 */
export function compileExpression(
  text: string,
  types?: Types,
): CompiledExpression | ExpressionMistake {
  const read = readExpression(text, types, undefined);
  if (!read.ok) return read;
  const evaluate = read.evaluator;
  return {
    ok: true,
    channels: [...read.found.channels.values()],
    evaluate: (values) => evaluate(values) !== false,
  };
}

/** The same for a condition: names in `facts` are facts, baselines are known. */
export function compileCondition(
  text: string,
  types: Types | undefined,
  facts: Types,
): CompiledCondition | ExpressionMistake {
  const read = readExpression(text, types, facts);
  if (!read.ok) return read;
  const { found, evaluator } = read;
  return {
    ok: true,
    channels: [...new Set(found.channels.values())],
    facts: [...found.facts],
    baselines: [...new Set(found.baselines.map(({ channel }) => channel))],
    decide: (values) => {
      const answer = evaluator(values);
      return typeof answer === 'boolean' ? answer : undefined;
    },
  };
}

interface ReadExpression {
  ok: true;
  found: Survey;
  /** Undefined when nothing can be said of the values. */
  evaluator: (values: ExpressionValues) => unknown;
}

function readExpression(
  text: string,
  types: Types | undefined,
  facts: Types | undefined,
): ReadExpression | ExpressionMistake {
  if (text.length > EXPRESSION_LENGTH_MAX)
    return { ok: false, message: `longer than ${EXPRESSION_LENGTH_MAX} characters` };
  const quoted = new Map<string, string>();
  let written = { text, insertions: [] as Insertion[] };
  try {
    const plain = unquote(text, quoted);
    const found = survey(untyped.parse(plain).ast, { text: plain, quoted, types, facts });
    const named = found.channels.size + found.facts.size + found.baselines.length;
    if (named === 0)
      throw new Refused(`names no channel${facts === undefined ? '' : ' and no fact'}`, 0);
    written = rewritten(plain, found);
    const parsed = environmentFor(found, types, facts).parse(written.text);
    const checked = parsed.check();
    if (checked.error !== undefined) throw checked.error;
    if (checked.type !== 'bool' && checked.type !== 'dyn')
      throw new Refused(`gives a ${words(String(checked.type))}, not true or false`, 0);
    return { ok: true, found, evaluator: evaluatorOf(parsed, found, facts) };
  } catch (error) {
    return { ok: false, ...mistakeOf(error, text, written.insertions) };
  }
}

function evaluatorOf(
  parsed: (context: ExpressionValues) => unknown,
  found: Survey,
  facts: Types | undefined,
): (values: ExpressionValues) => unknown {
  const keys: [string, string][] = [...found.channels].map(([id, channel]) => [
    id,
    facts === undefined ? channel : channelKey(channel, facts),
  ]);
  for (const fact of found.facts) keys.push([fact, fact]);
  for (const { id, channel } of found.baselines) keys.push([id, baselineKey(channel)]);
  const isRenamed = keys.some(([id, key]) => id !== key);
  // One for all evaluations: copying `values` would cost more than the expression.
  const own: ExpressionValues = Object.create(null);
  return (values) => {
    if (isRenamed) for (const [id, key] of keys) own[id] = values[key] as number;
    const context = isRenamed ? own : values;
    try {
      return parsed(context);
    } catch (error) {
      if (isLanguageError(error)) return undefined;
      throw error;
    }
  };
}

function environmentFor(
  found: Survey,
  types: Types | undefined,
  facts: Types | undefined,
): Environment {
  if (types === undefined) return untyped;
  const typed = base.clone({ unlistedVariablesAreDyn: false });
  for (const [id, channel] of found.channels) {
    const type = types[channel];
    if (type !== undefined) typed.registerVariable(id, CEL_TYPES[type]);
  }
  for (const name of found.facts) typed.registerVariable(name, CEL_TYPES[facts![name]!]);
  for (const { id } of found.baselines) typed.registerVariable(id, CEL_TYPES.number);
  return typed;
}

/** Puts an identifier of the same length in the place of each name in backticks. */
function unquote(text: string, quoted: Map<string, string>): string {
  const pieces = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`([^`\n]*)`/g;
  const ids = new Map<string, string>();
  return text.replace(pieces, (piece, name: string | undefined, at: number) => {
    if (name === undefined) return piece;
    if (name === '') throw new Refused('a name is missing between the backticks', at);
    let id = ids.get(name);
    for (let i = ids.size; id === undefined; i++) {
      const free = `_${i.toString(36)}`.padEnd(piece.length, '_');
      if (free.length > piece.length) throw new Refused('too many names in backticks', at);
      if (!text.includes(free)) id = free;
    }
    ids.set(name, id);
    quoted.set(id, name);
    return id;
  });
}

interface Survey {
  /** Identifier in the expression → channel name. */
  channels: Map<string, string>;
  facts: Set<string>;
  /** Calls, and the identifier that takes the place of each. */
  baselines: { start: number; end: number; id: string; channel: string }[];
  wholeNumbers: { start: number; end: number; value: bigint }[];
}

interface Known {
  text: string;
  quoted: ReadonlyMap<string, string>;
  types: Types | undefined;
  facts: Types | undefined;
}

/** Finds the names, and refuses what is not let in. Throws Refused. */
function survey(root: ASTNode, known: Known): Survey {
  const found: Survey = {
    channels: new Map(),
    facts: new Set(),
    baselines: [],
    wholeNumbers: [],
  };
  const visit = (node: ASTNode): void => {
    if (node.op === '.')
      throw new Refused('a name with a dot must stand in backticks: `a.b`', node.start);
    if (!OPERATORS.has(node.op))
      throw new Refused(`"${node.op}" is not available here`, node.start);
    if (node.op === 'id') visitName(node, known, found);
    if (node.op === 'value' && typeof node.args === 'bigint')
      found.wholeNumbers.push({ start: node.start, end: node.end, value: node.args });
    if (node.op === 'call' || node.op === 'rcall') {
      const isBaseline = known.facts !== undefined && node.args[0] === BASELINE;
      if (isBaseline && node.op === 'call') {
        visitBaseline(node, known, found);
        return;
      }
      if (!FUNCTIONS.includes(node.args[0])) throw unknownFunction(node, known);
    }
    for (const child of childrenOf(node.args)) visit(child);
  };
  visit(root);
  return found;
}

function visitName(node: ASTNode & { op: 'id' }, known: Known, found: Survey): void {
  const { quoted, facts } = known;
  if (!quoted.has(node.args) && facts !== undefined && Object.hasOwn(facts, node.args))
    found.facts.add(node.args);
  else found.channels.set(node.args, channelOf(node, known));
}

/** Throws Refused when the identifier can name no channel. */
function channelOf(node: ASTNode & { op: 'id' }, { quoted, types, facts }: Known): string {
  const channel = quoted.get(node.args) ?? node.args;
  if (!quoted.has(node.args) && base.hasVariable(node.args))
    throw new Refused(
      `${node.args} has a meaning of its own; a channel of this name must stand in backticks`,
      node.start,
    );
  if (types !== undefined && !Object.hasOwn(types, channel)) {
    const channels = Object.keys(types).map((name) => channelKey(name, facts ?? {}));
    const names = [...channels, ...Object.keys(facts ?? {})];
    throw new Refused(`no channel "${channel}"; known: ${names.join(', ')}`, node.start);
  }
  return channel;
}

function visitBaseline(node: ASTNode & { op: 'call' }, known: Known, found: Survey): void {
  const [argument, ...more] = node.args[1];
  if (argument?.op !== 'id' || more.length > 0)
    throw new Refused('baseline takes the name of one channel', node.start);
  const channel = channelOf(argument, known);
  const type = known.types?.[channel];
  if (type !== undefined && type !== 'number')
    throw new Refused(`only numbers have a baseline; ${channel} is ${type}`, argument.start);
  let n = 0;
  const taken = new Set(found.baselines.map(({ id }) => id));
  while (taken.has(`_${n}b`) || known.text.includes(`_${n}b`)) n++;
  found.baselines.push({ start: node.start, end: node.end, id: `_${n}b`, channel });
}

function unknownFunction(node: ASTNode & { op: 'call' | 'rcall' }, { facts }: Known): Refused {
  const names = facts === undefined ? FUNCTIONS : [...FUNCTIONS, BASELINE];
  return new Refused(`no function "${node.args[0]}"; known: ${names.join(', ')}`, node.start);
}

function childrenOf(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(childrenOf);
  return typeof args === 'object' && args !== null && 'op' in args ? [args as ASTNode] : [];
}

/** `by` characters more stand before `at` than in the original. */
interface Insertion {
  at: number;
  by: number;
}

/** Whole numbers become doubles, calls of baseline() identifiers. */
function rewritten(
  text: string,
  { wholeNumbers, baselines }: Survey,
): { text: string; insertions: Insertion[] } {
  const pieces = [
    ...wholeNumbers.map(({ start, end, value }) => ({ start, end, by: `${value}.0` })),
    ...baselines.map(({ start, end, id }) => ({ start, end, by: id })),
  ];
  const insertions: Insertion[] = [];
  let out = '';
  let from = 0;
  for (const { start, end, by } of pieces.sort((a, b) => a.start - b.start)) {
    out += `${text.slice(from, start)}${by}`;
    from = end;
    insertions.push({ at: out.length, by: out.length - end });
  }
  return { text: out + text.slice(from), insertions };
}

function isLanguageError(error: unknown): error is ParseError | EvaluationError | CelTypeError {
  return (
    error instanceof EvaluationError || error instanceof CelTypeError || error instanceof ParseError
  );
}

function mistakeOf(
  error: unknown,
  text: string,
  insertions: readonly Insertion[],
): { message: string; line: number; column: number } {
  if (error instanceof Refused) return { message: error.message, ...placeOf(text, error.start) };
  if (!isLanguageError(error)) throw error;
  const range: SourceRange | undefined = error.range;
  const start = range?.start ?? 0;
  const shift = insertions.findLast(({ at }) => at <= start)?.by ?? 0;
  return { message: words(error.summary), ...placeOf(text, start - shift) };
}

/** The words of profiles in place of those of CEL. */
function words(message: string): string {
  const names: Record<string, string> = { double: 'number', bool: 'boolean', string: 'text' };
  return message
    .replace(/^no such overload: /, 'does not go together: ')
    .replace(/dyn<(\w+)>/g, '$1')
    .replace(/\b(double|bool|string)\b/g, (name) => names[name] ?? name)
    .replace('EOF', 'the end');
}

function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
