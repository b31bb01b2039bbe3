/**
 * Checks plain data against the part of JSON Schema that the configuration uses, and fills in defaults.
 * By interpretation: a compiling validator costs a gateway 15 MB and a fifth of a second at each start.
 * test/agent/config/json-schema.test.ts holds it against ajv.
 */

import type { JsonSchema } from '../readers/spec.ts';
import type { ConfigPath } from './yaml.ts';

/** A broken rule: the keyword `keyword` of `schema`, broken by `value` at `path`. */
export interface Fault {
  path: ConfigPath;
  keyword: string;
  schema: Schema;
  value: unknown;
  /** `required`: what is missing. `additionalProperties`, `propertyNames`: the key. */
  key?: string;
}

/** The keywords that rule. Others (`title`, `description`, `$comment`) only tell. */
export interface Schema {
  type?: string | readonly string[];
  enum?: readonly unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  additionalProperties?: boolean | Schema;
  propertyNames?: Schema;
  minProperties?: number;
  maxProperties?: number;
  default?: unknown;
  /** What the pattern asks for, in words: "must be …". */
  $comment?: string;
}

/** Keywords that checkSchema understands or may ignore; a test holds every schema against them. */
export const knownKeywords: readonly string[] = [
  ...['type', 'enum', 'const', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  ...['minLength', 'maxLength', 'pattern', 'items', 'minItems', 'maxItems', 'properties'],
  ...['required', 'additionalProperties', 'propertyNames', 'minProperties', 'maxProperties'],
  ...['default', 'title', 'description', '$comment', 'examples'],
];

/** All faults, in the order of the schema. Missing properties with a default are added to `data`. */
export function checkSchema(schema: JsonSchema, data: unknown): Fault[] {
  const faults: Fault[] = [];
  check(schema as Schema, data, [], faults);
  return faults;
}

function check(schema: Schema, value: unknown, path: ConfigPath, faults: Fault[]): void {
  const fault = (keyword: keyof Schema, key?: string): void => {
    faults.push({ path, keyword, schema, value, ...(key === undefined ? {} : { key }) });
  };
  if (schema.type !== undefined && !hasType(value, schema.type)) {
    // The rules for the right type say nothing about a wrong one.
    fault('type');
    return;
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) fault('enum');
  if ('const' in schema && schema.const !== value) fault('const');
  if (typeof value === 'number') checkNumber(schema, value, fault);
  else if (typeof value === 'string') checkText(schema, value, fault);
  else if (Array.isArray(value)) {
    if (value.length < (schema.minItems ?? 0)) fault('minItems');
    if (value.length > (schema.maxItems ?? Number.POSITIVE_INFINITY)) fault('maxItems');
    const { items } = schema;
    if (items !== undefined) {
      for (const [index, item] of value.entries()) check(items, item, [...path, index], faults);
    }
  } else if (typeof value === 'object' && value !== null) {
    checkObject(schema, value as Record<string, unknown>, path, faults, fault);
  }
}

type Report = (keyword: keyof Schema, key?: string) => void;

function checkNumber(schema: Schema, value: number, fault: Report): void {
  if (schema.minimum !== undefined && !(value >= schema.minimum)) fault('minimum');
  if (schema.maximum !== undefined && !(value <= schema.maximum)) fault('maximum');
  const { exclusiveMinimum, exclusiveMaximum } = schema;
  if (exclusiveMinimum !== undefined && !(value > exclusiveMinimum)) fault('exclusiveMinimum');
  if (exclusiveMaximum !== undefined && !(value < exclusiveMaximum)) fault('exclusiveMaximum');
}

function checkText(schema: Schema, value: string, fault: Report): void {
  const { minLength, maxLength, pattern } = schema;
  if (minLength !== undefined && lengthOf(value) < minLength) fault('minLength');
  if (maxLength !== undefined && lengthOf(value) > maxLength) fault('maxLength');
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(value)) fault('pattern');
}

/** In characters, not UTF-16 units. */
function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

function checkObject(
  schema: Schema,
  value: Record<string, unknown>,
  path: ConfigPath,
  faults: Fault[],
  fault: Report,
): void {
  const { properties = {}, required = [], additionalProperties = true, propertyNames } = schema;
  for (const [key, property] of Object.entries(properties)) {
    if (value[key] === undefined && property.default !== undefined) {
      value[key] = structuredClone(property.default);
    }
  }
  const keys = Object.keys(value);
  if (keys.length < (schema.minProperties ?? 0)) fault('minProperties');
  if (keys.length > (schema.maxProperties ?? Number.POSITIVE_INFINITY)) fault('maxProperties');
  for (const key of required) if (value[key] === undefined) fault('required', key);
  for (const key of keys) {
    if (propertyNames !== undefined) checkName(propertyNames, key, path, faults);
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (property !== undefined) check(property, value[key], [...path, key], faults);
    else if (additionalProperties === false) fault('additionalProperties', key);
    else if (additionalProperties !== true) {
      check(additionalProperties, value[key], [...path, key], faults);
    }
  }
}

function checkName(schema: Schema, key: string, path: ConfigPath, faults: Fault[]): void {
  const own: Fault[] = [];
  check(schema, key, path, own);
  for (const fault of own) faults.push({ ...fault, key });
}

function hasType(value: unknown, type: string | readonly string[]): boolean {
  if (typeof type !== 'string') return type.some((one) => hasType(value, one));
  switch (type) {
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'null':
      return value === null;
    case 'boolean':
      return typeof value === 'boolean';
    default:
      return type === 'string' && typeof value === 'string';
  }
}
