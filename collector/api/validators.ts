/**
 * Checks requests against the schemas of their routes. A schema is compiled when the first request comes that it
 * is for: all of them together would cost every start a fifth of a second of a core, for routes of which most
 * are never asked. That each can be compiled is for the tests, which ask every route.
 */

import type { ValidateFunction } from 'ajv';
import { Ajv } from 'ajv';
import type { FastifySchemaCompiler } from 'fastify';

/** With the options that fastify gives its own compiler, but: nothing is removed, no list is made of one value. */
export function lazyValidators(): FastifySchemaCompiler<object> {
  const ajv = new Ajv({
    allErrors: true,
    coerceTypes: true,
    useDefaults: true,
    removeAdditional: false,
    addUsedSchema: false,
  });
  return ({ schema }) => {
    let validate: ValidateFunction | undefined;
    return (data) => {
      validate ??= ajv.compile(schema);
      return validate(data) || { error: validate.errors ?? [] };
    };
  };
}
