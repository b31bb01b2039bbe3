/** Turns broken rules of the schema into sentences that name the key, the rule and what stands there. */

import type { Fault } from './json-schema.ts';
import type { ConfigPath } from './yaml.ts';

/** A mistake at a path of the data; `at` says whether the key or the value is pointed at. */
export interface SchemaMistake {
  path: ConfigPath;
  at: 'key' | 'value';
  message: string;
}

/** What a broken rule means to the one who wrote the file. */
export function explain(fault: Fault): SchemaMistake {
  const { path, keyword, key, value } = fault;
  const quoted = path.length === 0 ? 'the file' : `"${dotted(path)}"`;
  const atValue = (message: string): SchemaMistake => ({ path, at: 'value', message });
  if (keyword === 'additionalProperties') return unknownKey(fault);
  if (keyword === 'required') return { path, at: 'key', message: `"${key}" is missing` };
  if (key !== undefined) {
    const message = `the name ${show(key)} is not allowed: it ${ruleOf(fault)}`;
    return { path: [...path, key], at: 'key', message };
  }
  if (keyword === 'type' && value === null) {
    return atValue(`${quoted} is empty; it ${ruleOf(fault)}`);
  }
  return atValue(`${quoted} ${ruleOf(fault)}${found(path, value)}`);
}

/** What a value has to be, as the end of a sentence. */
function ruleOf({ keyword, schema }: Fault): string {
  switch (keyword) {
    case 'type':
      return `must be ${article(schema.type)}`;
    case 'enum':
      return `must be one of ${schema.enum?.join(', ')}`;
    case 'const':
      return `must be ${show(schema.const)}`;
    case 'minimum':
      return `must be at least ${schema.minimum}`;
    case 'maximum':
      return `must be at most ${schema.maximum}`;
    case 'exclusiveMinimum':
      return `must be more than ${schema.exclusiveMinimum}`;
    case 'exclusiveMaximum':
      return `must be less than ${schema.exclusiveMaximum}`;
    case 'minLength':
      return schema.minLength === 1
        ? 'must not be empty'
        : `must have at least ${schema.minLength} characters`;
    case 'maxLength':
      return `must have at most ${schema.maxLength} characters`;
    case 'minItems':
    case 'minProperties':
      return `must have at least ${entries(schema.minItems ?? schema.minProperties)}`;
    case 'maxItems':
    case 'maxProperties':
      return `must have at most ${entries(schema.maxItems ?? schema.maxProperties)}`;
    default:
      return `must be ${schema.$comment ?? `like ${schema.pattern}`}`;
  }
}

function entries(count: number | undefined): string {
  return count === 1 ? '1 entry' : `${count} entries`;
}

function unknownKey({ path, key = '', schema }: Fault): SchemaMistake {
  const known = Object.keys(schema.properties ?? {});
  const nearest = suggestion(key, known);
  const where = path.length === 0 ? '' : ` in "${dotted(path)}"`;
  const hint =
    nearest === undefined ? `; known: ${known.join(', ')}` : `; did you mean "${nearest}"?`;
  return { path: [...path, key], at: 'key', message: `unknown key "${key}"${where}${hint}` };
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

const ARTICLES: Readonly<Record<string, string>> = {
  object: 'a block of keys',
  array: 'a list',
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  null: 'empty',
};

function article(type: unknown): string {
  const types = Array.isArray(type) ? type : String(type).split(',');
  return types.map((one) => ARTICLES[String(one)] ?? String(one)).join(' or ');
}

/** What stands there; never a secret, these sentences go to logs. */
function found(path: ConfigPath, value: unknown): string {
  if (/token|password|secret/i.test(String(path.at(-1) ?? ''))) return '';
  return value === '' ? '' : `, not ${show(value)}`;
}

function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a block of keys';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
