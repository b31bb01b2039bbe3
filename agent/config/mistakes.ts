/** Turns broken rules of the schema into sentences that name the key, the rule and what stands there. */

import type { Speaker, Text } from '../words/say.ts';
import { english } from '../words/say.ts';
import type { Fault, Schema } from './json-schema.ts';
import type { ConfigPath } from './yaml.ts';

/** A mistake at a path of the data; `at` says whether the key or the value is pointed at. */
export interface SchemaMistake {
  path: ConfigPath;
  at: 'key' | 'value';
  message: string;
}

/** What a broken rule means to the one who wrote the file. */
export function explain(fault: Fault, speaker: Speaker = english): SchemaMistake {
  const { path, keyword, key = '', value } = fault;
  const { say } = speaker;
  const what = path.length === 0 ? say('the file') : `"${dotted(path)}"`;
  const atValue = (message: string): SchemaMistake => ({ path, at: 'value', message });
  if (keyword === 'additionalProperties') return unknownKey(fault, speaker);
  if (keyword === 'required')
    return { path, at: 'key', message: say('"{key}" is missing', { key }) };
  const rule = ruleOf(fault, speaker);
  if (fault.key !== undefined) {
    const name = show(key, speaker);
    const message = say('the name {name} is not allowed: it {rule}', { name, rule });
    return { path: [...path, key], at: 'key', message };
  }
  if (keyword === 'type' && value === null) {
    return atValue(say('{what} is empty; it {rule}', { what, rule }));
  }
  return atValue(
    isTold(path, value)
      ? say('{what} {rule}, not {value}', { what, rule, value: show(value, speaker) })
      : say('{what} {rule}', { what, rule }),
  );
}

const LIMITS = {
  minimum: 'must be at least {limit}',
  maximum: 'must be at most {limit}',
  exclusiveMinimum: 'must be more than {limit}',
  exclusiveMaximum: 'must be less than {limit}',
  minLength: 'must have at least {limit} characters',
  maxLength: 'must have at most {limit} characters',
} as const satisfies Partial<Record<keyof Schema, Text>>;

function isLimit(keyword: string): keyword is keyof typeof LIMITS {
  return Object.hasOwn(LIMITS, keyword);
}

/** What a value has to be, as the end of a sentence. */
function ruleOf({ keyword, schema }: Fault, speaker: Speaker): string {
  const { say } = speaker;
  if (keyword === 'minLength' && schema.minLength === 1) return say('must not be empty');
  if (isLimit(keyword)) return say(LIMITS[keyword], { limit: Number(schema[keyword]) });
  switch (keyword) {
    case 'type':
      return say('must be {kind}', { kind: kindOf(schema.type, speaker) });
    case 'enum':
      return say('must be one of {values}', { values: String(schema.enum?.join(', ')) });
    case 'const':
      return say('must be {kind}', { kind: show(schema.const, speaker) });
    case 'minItems':
    case 'minProperties': {
      const entries = entriesOf(schema.minItems ?? schema.minProperties, speaker);
      return say('must have at least {entries}', { entries });
    }
    case 'maxItems':
    case 'maxProperties': {
      const entries = entriesOf(schema.maxItems ?? schema.maxProperties, speaker);
      return say('must have at most {entries}', { entries });
    }
    default:
      return schema.$comment === undefined
        ? say('must be like {pattern}', { pattern: String(schema.pattern) })
        : say('must be {kind}', { kind: speaker.retell(schema.$comment) });
  }
}

function entriesOf(count: number | undefined, { say }: Speaker): string {
  return count === 1 ? say('1 entry') : say('{count} entries', { count: String(count) });
}

function unknownKey({ path, key = '', schema }: Fault, speaker: Speaker): SchemaMistake {
  const { say } = speaker;
  const hint = hintOf(key, Object.keys(schema.properties ?? {}), speaker);
  const message =
    path.length === 0
      ? say('unknown key "{key}"; {hint}', { key, hint })
      : say('unknown key "{key}" in "{path}"; {hint}', { key, path: dotted(path), hint });
  return { path: [...path, key], at: 'key', message };
}

/** What may stand in place of a word that nobody knows. */
export function hintOf(word: string, known: readonly string[], { say }: Speaker): string {
  const nearest = suggestion(word, known);
  return nearest === undefined
    ? say('known: {names}', { names: known.join(', ') })
    : say('did you mean "{nearest}"?', { nearest });
}

/** The known word that `word` was probably meant to be. */
export function suggestion(word: string, known: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  const normal = (text: string): string => text.toLowerCase().replaceAll(/[-_ ]/g, '');
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of known) {
    const distance =
      normal(candidate) === normal(word)
        ? 0
        : editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein, a row at a time; configuration keys are short. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1;
      current.push(
        Math.min(current[column - 1]! + 1, above[column]! + 1, above[column - 1]! + change),
      );
    }
    above = current;
  }
  return above[b.length]!;
}

function dotted(path: ConfigPath): string {
  return path
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? key : `.${key}`))
    .join('');
}

const KINDS = {
  object: 'a block of keys',
  array: 'a list',
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  null: 'empty',
} as const satisfies Readonly<Record<string, Text>>;

function kindOf(type: unknown, { say }: Speaker): string {
  const types = Array.isArray(type) ? type : String(type).split(',');
  return types
    .map((one: string) => (one in KINDS ? say(KINDS[one as keyof typeof KINDS]) : one))
    .reduce((one, other) => say('{one} or {other}', { one, other }));
}

/** Whether it is said what stands there; never a secret, these sentences go to logs. */
function isTold(path: ConfigPath, value: unknown): boolean {
  return value !== '' && !/token|password|secret/i.test(String(path.at(-1) ?? ''));
}

function show(value: unknown, { say }: Speaker): string {
  if (Array.isArray(value)) return say('a list');
  if (typeof value === 'object' && value !== null) return say('a block of keys');
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
