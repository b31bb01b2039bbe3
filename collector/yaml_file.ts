/** Reads a YAML file against a JSON Schema and says every mistake with its place. No I/O but one read. */

import { readFileSync } from 'node:fs';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { Ajv } from 'ajv';
import type { Document } from 'yaml';
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { CollectorError } from './errors.ts';

/** Counted from 1. */
export interface Place {
  line: number;
  column: number;
}

export interface Mistake extends Place {
  message: string;
}

export type Path = readonly (string | number)[];

export interface YamlFile {
  /** Line of the value at `path`, or of its nearest parent that exists. */
  lineOf(path: Path): number;
  /** The same with its column, in UTF-16 units. */
  placeOf(path: Path): Place;
  /** Line of the file on which a text value's own line `line` (from 1) stands; as near as folding allows. */
  lineWithin(path: Path, line: number): number;
  /** The content; an empty file is an empty object. Undefined when the file is not YAML. */
  value: unknown;
  mistakes: Mistake[];
}

/** A file that cannot be read is a CollectorError; one that is no YAML has mistakes and no value. */
export function readYaml(file: string): YamlFile {
  return parseYaml(readText(file));
}

/** Throws CollectorError COLLECTOR_CONFIG_UNREADABLE. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CollectorError('COLLECTOR_CONFIG_UNREADABLE', (error as Error).message, {
      cause: error,
    });
  }
}

/** What is no YAML has mistakes and no value. */
export function parseYaml(text: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const lineAt = (offset: number): number => placeAt(offset).line;
  const mistakes = [...document.errors, ...document.warnings].map((e) => ({
    ...placeAt(e.pos[0]),
    message: e.message,
  }));
  const value = document.errors.length > 0 ? undefined : contentOf(document, mistakes);
  return {
    mistakes,
    value,
    lineOf: (path) => lineAt(offsetOf(document, path)),
    placeOf: (path) => placeAt(offsetOf(document, path)),
    lineWithin: (path, line) => {
      const node = document.getIn(path, true);
      if (!isScalar(node) || !node.range) return lineAt(offsetOf(document, path));
      const isBlock = node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED';
      return lineAt(node.range[0]) + (isBlock ? line : line - 1);
    },
  };
}

function contentOf(document: Document.Parsed, mistakes: Mistake[]): unknown {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    mistakes.push({ line: 1, column: 1, message: (error as Error).message });
    return undefined;
  }
}

function offsetOf(document: Document.Parsed, path: Path): number {
  for (let depth = path.length; depth > 0; depth--) {
    const parent = document.getIn(path.slice(0, depth - 1), true);
    const last = path[depth - 1];
    if (isMap(parent)) {
      const pair = parent.items.find((item) => String(item.key) === String(last));
      const key = pair?.key as { range?: [number, number, number] } | undefined;
      if (key?.range) return key.range[0];
    } else {
      const node = document.getIn(path.slice(0, depth), true) as { range?: [number] } | undefined;
      if (node?.range) return node.range[0];
    }
  }
  return 0;
}

export interface SchemaMistake {
  path: Path;
  message: string;
}

const compiled = new WeakMap<object, ValidateFunction>();

/**
 * Fills in the schema's defaults (changes `value`) and returns every mistake. A schema comes with the
 * same formats each time: it is compiled once.
 */
export function checkSchema(
  schema: object,
  value: unknown,
  formats: Record<string, (text: string) => boolean>,
): SchemaMistake[] {
  const validate = compiled.get(schema) ?? compile(schema, formats);
  if (validate(value)) return [];
  return (validate.errors ?? []).flatMap((error) => sayError(error));
}

function compile(
  schema: object,
  formats: Record<string, (text: string) => boolean>,
): ValidateFunction {
  const ajv = new Ajv({
    allErrors: true,
    useDefaults: true,
    verbose: true,
    allowUnionTypes: true,
    // Half of what compiling costs, at each start, for a file that is checked once. That the schemas are
    // schemas is for the tests.
    validateSchema: false,
    meta: false,
    code: { optimize: false },
  });
  for (const [name, validate] of Object.entries(formats)) ajv.addFormat(name, validate);
  const validate = ajv.compile(schema);
  compiled.set(schema, validate);
  return validate;
}

function sayError(error: ErrorObject): SchemaMistake[] {
  const path = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const name = path.length === 0 ? 'the file' : path.join('.');
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params.additionalProperty);
      const known = Object.keys((error.parentSchema as { properties?: object }).properties ?? {});
      const message = `unknown key "${key}"; known here: ${known.join(', ')}`;
      return [{ path: [...path, key], message }];
    }
    case 'required':
      return [{ path, message: `${name}: "${String(params.missingProperty)}" is missing` }];
    case 'enum':
      return [{ path, message: `${name} must be one of ${JSON.stringify(params.allowedValues)}` }];
    case 'propertyNames':
      return [
        { path: [...path, String(params.propertyName)], message: `${name}: not a valid name` },
      ];
    case 'format':
      return error.propertyName === undefined
        ? [{ path, message: `${name}: ${JSON.stringify(error.data)} is not a ${params.format}` }]
        : []; // said by propertyNames
    default:
      return [{ path, message: `${name} ${error.message}` }];
  }
}
