/** The interpreter of agent/config/json-schema.ts against ajv: the same verdict, the same defaults. */

import { deepEqual } from 'node:assert/strict';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import t from 'tap';
import type { Fault } from '../../../agent/config/json-schema.ts';
import { checkSchema, knownKeywords } from '../../../agent/config/json-schema.ts';
import { partialSchema } from '../../../agent/config/merge.ts';
import { agentSchema, deviceSchema } from '../../../agent/config/schema.ts';
import { readers } from '../../../agent/readers/registry.ts';
import type { JsonSchema } from '../../../agent/readers/spec.ts';

const schemas: Record<string, JsonSchema> = {
  agent: agentSchema,
  file: partialSchema(agentSchema),
};
for (const [name, type] of Object.entries(readers)) schemas[name] = deviceSchema(name, type);

/** Calls `visit` with every schema inside, itself included. */
function walk(schema: JsonSchema, visit: (schema: JsonSchema) => void): void {
  visit(schema);
  const { properties = {}, items, additionalProperties, propertyNames } = schema;
  for (const child of [
    ...Object.values(properties as object),
    items,
    additionalProperties,
    propertyNames,
  ]) {
    if (typeof child === 'object' && child !== null) walk(child as JsonSchema, visit);
  }
}

t.test('the schemas use no keyword that the interpreter does not know', async (t) => {
  const unknown = new Set<string>();
  for (const schema of Object.values(schemas)) {
    walk(schema, (one) => {
      for (const key of Object.keys(one)) if (!knownKeywords.includes(key)) unknown.add(key);
    });
  }
  t.same([...unknown], []);
});

/** Data that fits the schema; when `messy` something does not, here and there. */
function arbitraryFor(schema: JsonSchema, messy: boolean): fc.Arbitrary<unknown> {
  if (!messy) return fitting(schema, messy);
  const other = fc.oneof(
    fc.constantFrom(null, true, '', 'x', -1, 0, 1, 1.5, 1e12, [], {}, 'a b', '공장'),
    fc.string({ maxLength: 4 }),
  );
  return fc.oneof(
    { weight: 12, arbitrary: fitting(schema, messy) },
    { weight: 1, arbitrary: other },
  );
}

function fitting(schema: JsonSchema, messy: boolean): fc.Arbitrary<unknown> {
  const { type, items = {} } = schema;
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as unknown[]));
  if (type === 'boolean') return fc.boolean();
  if (type === 'string') {
    const texts = String(schema.pattern).includes('http') ? ['http://h/'] : ['name', 'D-01', '공'];
    return fc.constantFrom(...texts, ...(messy ? ['', '-', 'x\n', 'ftp://'] : []));
  }
  if (type === 'array') {
    const minLength = messy ? 0 : ((schema.minItems ?? 0) as number);
    return fc.array(arbitraryFor(items as JsonSchema, messy), { minLength, maxLength: 3 });
  }
  if (type === 'object') return fittingObject(schema, messy);
  const { minimum = -5, maximum = 5 } = schema as { minimum?: number; maximum?: number };
  const inside = [Math.min(minimum + 1, maximum), maximum];
  const outside = [minimum, minimum - 1, maximum + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY];
  return fc.constantFrom(...inside, ...(messy ? outside : []));
}

function fittingObject(schema: JsonSchema, messy: boolean): fc.Arbitrary<unknown> {
  const { properties = {}, additionalProperties, required = [] } = schema;
  const known = Object.entries(properties as Record<string, JsonSchema>);
  const fields = Object.fromEntries(known.map(([at, child]) => [at, arbitraryFor(child, messy)]));
  const requiredKeys = messy ? [] : (required as string[]);
  const record = fc.record(fields, { requiredKeys });
  const free = (typeof additionalProperties === 'object' ? additionalProperties : {}) as JsonSchema;
  if (!messy && free !== additionalProperties) return record.map((value) => ({ ...value }));
  const names = fc.constantFrom('a', 'b', ...(messy ? ['', 'x\n'] : []));
  const more = fc.dictionary(names, arbitraryFor(free, messy), {
    minKeys: messy ? 0 : 1,
    maxKeys: 2,
  });
  return fc.tuple(record, more).map(([a, b]) => ({ ...b, ...a }));
}

function key(path: readonly (string | number)[], keyword: string, name: unknown): string {
  return `${path.join('/')} ${keyword} ${name ?? ''}`;
}

for (const [name, schema] of Object.entries(schemas)) {
  t.test(`${name}: the same faults and defaults as ajv`, async (t) => {
    const ajv = new Ajv({ allErrors: true, useDefaults: true, strict: false, strictNumbers: true });
    const validate = ajv.compile(schema);
    const arbitrary = fc.oneof(arbitraryFor(schema, false), arbitraryFor(schema, true));
    let refused = 0;
    let accepted = 0;
    fc.assert(
      fc.property(arbitrary, (data) => {
        const ours = structuredClone(data);
        const theirs = structuredClone(data);
        const faults = checkSchema(schema, ours).map(({ path, keyword, key: at }: Fault) =>
          key(path, keyword, at),
        );
        if (validate(theirs)) accepted++;
        else refused++;
        const all = validate.errors ?? [];
        const wrong = all.filter(({ keyword }) => keyword === 'type').map((e) => e.instancePath);
        const errors = all
          .filter(({ keyword }) => keyword !== 'propertyNames')
          // Of a value of the wrong type we say only that; ajv goes on.
          .filter(
            ({ keyword, instancePath }) => keyword === 'type' || !wrong.includes(instancePath),
          )
          .map((error) => {
            const params = error.params as Record<string, unknown>;
            const at = error.propertyName ?? params.missingProperty ?? params.additionalProperty;
            return key(error.instancePath.split('/').slice(1), error.keyword, at);
          });
        deepEqual([...new Set(faults)].sort(), [...new Set(errors)].sort());
        deepEqual(ours, theirs);
      }),
      { numRuns: 500 },
    );
    t.ok(accepted > 20 && refused > 20, `${accepted} accepted, ${refused} refused`);
  });
}
