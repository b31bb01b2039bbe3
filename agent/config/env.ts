/**
 * Environment variables over agent.yaml: FMS_AGENT_ and the path in capitals, `__` between the levels:
 * FMS_AGENT_COLLECTOR__TOKEN sets collector.token. Lists cannot be set this way.
 */

import type { Speaker } from '../words/say.ts';
import { english } from '../words/say.ts';
import { suggestion } from './mistakes.ts';
import type { ConfigMistake } from './yaml.ts';

export const ENV_PREFIX = 'FMS_AGENT_';

/** Variables of this prefix that are not settings of the file. */
export const reservedVariables = [
  'FMS_AGENT_CONFIG',
  'FMS_AGENT_MACHINE_ID',
  'FMS_AGENT_COMPILE_CACHE',
] as const;

export type Environment = Readonly<Record<string, string | undefined>>;

interface SchemaNode {
  type?: unknown;
  properties?: Readonly<Record<string, SchemaNode>>;
}

export interface Overrides {
  /** Variable by dotted path: whoever finds a mistake at a path can name its variable. */
  sources: ReadonlyMap<string, string>;
  mistakes: ConfigMistake[];
}

/** Writes the variables into `data` (changed in place). */
export function applyEnvironment(
  data: Record<string, unknown>,
  env: Environment,
  schema: SchemaNode,
  { say }: Speaker = english,
): Overrides {
  const sources = new Map<string, string>();
  const mistakes: ConfigMistake[] = [];
  const known = listVariables(schema);
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(ENV_PREFIX) || text === undefined) continue;
    if ((reservedVariables as readonly string[]).includes(variable)) continue;
    const setting = known.get(variable);
    if (setting === undefined) {
      const nearest = suggestion(variable, [...known.keys()]);
      mistakes.push({
        file: variable,
        line: undefined,
        column: undefined,
        message:
          nearest === undefined
            ? say('this variable sets nothing')
            : say('this variable sets nothing; did you mean {nearest}?', { nearest }),
      });
      continue;
    }
    write(data, setting.path, fromText(text, setting.type));
    sources.set(setting.path.join('.'), variable);
  }
  return { sources, mistakes };
}

interface Setting {
  path: string[];
  type: unknown;
}

/** Every variable that sets something, by name. */
export function listVariables(schema: SchemaNode): Map<string, Setting> {
  const variables = new Map<string, Setting>();
  const visit = (node: SchemaNode, path: string[]): void => {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      const childPath = [...path, key];
      if (child.properties !== undefined) visit(child, childPath);
      else if (child.type !== 'array') {
        const name = `${ENV_PREFIX}${childPath.join('__').toUpperCase()}`;
        variables.set(name, { path: childPath, type: child.type });
      }
    }
  };
  visit(schema, []);
  return variables;
}

function write(data: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let target = data;
  for (const key of path.slice(0, -1)) {
    const next = target[key];
    if (typeof next === 'object' && next !== null && !Array.isArray(next)) {
      target = next as Record<string, unknown>;
    } else {
      const made: Record<string, unknown> = {};
      target[key] = made;
      target = made;
    }
  }
  target[path.at(-1)!] = value;
}

/** What the text means where the schema wants a number or a boolean; otherwise the text itself. */
function fromText(text: string, type: unknown): unknown {
  if (type === 'integer' || type === 'number') {
    const value = Number(text);
    return text.trim() === '' || !Number.isFinite(value) ? text : value;
  }
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
