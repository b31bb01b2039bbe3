/** Values of collector.yaml that the environment overrides: which variables there are, and where they go. */

import schema from './config.schema.json' with { type: 'json' };

const ENV_PREFIX = 'FMS_COLLECTOR_';
/** Read by main.ts, not overrides of the file. */
const ENV_OTHER = new Set(['FMS_COLLECTOR_CONFIG', 'FMS_COLLECTOR_URL', 'FMS_COLLECTOR_TOKEN']);

interface SchemaNode {
  type?: string;
  enum?: unknown[];
  items?: SchemaNode;
  properties?: Record<string, SchemaNode>;
}

interface Variable {
  path: string[];
  numeric: boolean;
  boolean: boolean;
  /** Values with commas between them. */
  list: boolean;
}

/** Environment variable → path of the value that it overrides. For the manual and the tests. */
export function envVariables(): Map<string, Variable> {
  const found = new Map<string, Variable>();
  const walk = (node: SchemaNode, path: string[]): void => {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      const at = [...path, key];
      const numeric = child.type === 'integer' || child.type === 'number';
      const boolean = child.type === 'boolean';
      const list = child.items?.enum !== undefined;
      if (child.properties) walk(child, at);
      else if (numeric || boolean || list || child.type === 'string' || child.enum)
        found.set(ENV_PREFIX + at.join('__').toUpperCase(), { path: at, numeric, boolean, list });
    }
  };
  walk(schema as SchemaNode, []);
  return found;
}

/** Changes `content`. `overrides`: path → variable; `lost`: what is wrong with variables that are none of ours. */
export function applyEnv(
  content: unknown,
  env: Record<string, string | undefined>,
  overrides: Map<string, string>,
  lost: string[],
): void {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return;
  const known = envVariables();
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || ENV_OTHER.has(name) || text === undefined) continue;
    const target = known.get(name);
    if (target === undefined) {
      lost.push(`environment ${name}: no such variable; known: ${[...known.keys()].join(', ')}`);
      continue;
    }
    // A text that is no number stays a text, so that the schema says what is wrong with it.
    const value = target.list
      ? text.split(',').map((one) => one.trim())
      : target.numeric && text.trim() !== ''
        ? numberOr(text)
        : target.boolean && /^(true|false)$/.test(text.trim())
          ? text.trim() === 'true'
          : text;
    setIn(content as Record<string, unknown>, target.path, value);
    overrides.set(target.path.join('.'), name);
  }
}

function numberOr(text: string): number | string {
  const value = Number(text);
  return Number.isFinite(value) ? value : text;
}

function setIn(content: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    content[key] = value;
    return;
  }
  const child = content[key];
  // A section that is there but is no map is left to the schema to complain about.
  if (child !== undefined && child !== null && (typeof child !== 'object' || Array.isArray(child)))
    return;
  const section = (child ?? {}) as Record<string, unknown>;
  content[key] = section;
  setIn(section, rest, value);
}
