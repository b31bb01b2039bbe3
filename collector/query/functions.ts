/** Which functions and table functions a statement of a person may call. */

import { FUNCTION_NAMES } from './function_names.ts';

/** The engine takes many names in any case. */
const KNOWN = new Set(FUNCTION_NAMES.trim().toLowerCase().split(/\s+/));

/** What may stand behind the name of an aggregate function, once or several times. */
const COMBINATORS =
  /(?:if|array|map|simplestate|state|merge|mergestate|foreach|distinct|ordefault|ornull|resample|argmin|argmax)$/;
const COMBINATORS_MAX = 4;

/** Generators of rows: they read nothing. */
const TABLE_FUNCTIONS = new Set([
  'numbers',
  'numbers_mt',
  'generateseries',
  'generate_series',
  'primes',
  'values',
  'sqlstandardvalues',
  'null',
]);

export function mayCall(name: string): boolean {
  let rest = name.toLowerCase();
  for (let taken = 0; taken <= COMBINATORS_MAX; taken++) {
    if (KNOWN.has(rest)) return true;
    const shorter = rest.replace(COMBINATORS, '');
    if (shorter === rest || shorter === '') return false;
    rest = shorter;
  }
  return false;
}

export function mayReadFrom(tableFunction: string): boolean {
  return TABLE_FUNCTIONS.has(tableFunction.toLowerCase());
}
