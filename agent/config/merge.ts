/**
 * Several files as one configuration: agent.yaml, then conf.d/*.yaml by name. A later file wins, key by
 * key; lists of devices add up and are not merged here. Every value still knows its file.
 */

import type { JsonSchema } from '../readers/spec.ts';
import type { Data } from './values.ts';
import { asBlock } from './values.ts';
import type { ConfigPath, SourceFile } from './yaml.ts';

export interface Merged {
  /** All but the devices. */
  data: Data;
  /** The file that said what stands at the path, or the nearest block above it. */
  fileOf(path: ConfigPath): SourceFile;
}

/** `first` answers for what no file says. */
export function mergeSources(first: SourceFile, others: readonly SourceFile[]): Merged {
  const data: Data = {};
  const origins = new Map<string, SourceFile>();
  for (const source of [first, ...others]) {
    const { devices: _, ...block } = asBlock(source.data) ?? {};
    mergeBlock(data, block, [], source, origins);
  }
  return {
    data,
    fileOf: (path) => {
      for (let length = path.length; length > 0; length--) {
        const origin = origins.get(keyOf(path.slice(0, length)));
        if (origin !== undefined) return origin;
      }
      return first;
    },
  };
}

function mergeBlock(
  into: Data,
  block: Data,
  path: ConfigPath,
  source: SourceFile,
  origins: Map<string, SourceFile>,
): void {
  for (const [key, value] of Object.entries(block)) {
    const childPath = [...path, key];
    origins.set(keyOf(childPath), source);
    const child = asBlock(value);
    if (child === undefined) {
      define(into, key, value);
      continue;
    }
    const known = Object.hasOwn(into, key) ? asBlock(into[key]) : undefined;
    const target = known ?? {};
    if (known === undefined) define(into, key, target);
    mergeBlock(target, child, childPath, source, origins);
  }
}

/** A key of people, `__proto__` too: never a setter. */
function define(into: Data, key: string, value: unknown): void {
  Object.defineProperty(into, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

function keyOf(path: ConfigPath): string {
  return JSON.stringify(path.map(String));
}

/** The schema for one file of several: nothing is required, nothing is filled in. */
export function partialSchema(schema: JsonSchema): JsonSchema {
  const {
    required: _,
    default: __,
    properties,
    ...rest
  } = schema as {
    required?: unknown;
    default?: unknown;
    properties?: Readonly<Record<string, JsonSchema>>;
  };
  if (properties === undefined) return rest;
  const parts = Object.entries(properties).map(([key, child]) => [key, partialSchema(child)]);
  return { ...rest, properties: Object.fromEntries(parts) };
}
