/** The schemas of the collector's files are JSON Schemas: a start does not look (yaml_file.ts). */

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import t from 'tap';

const collector = join(import.meta.dirname, '../../collector');
const files = globSync('**/*.schema.json', { cwd: collector, exclude: ['web/node_modules/**'] });

t.ok(files.length >= 3, files.join());
for (const file of files) {
  const ajv = new Ajv();
  const schema = JSON.parse(readFileSync(join(collector, file), 'utf8')) as object;
  t.equal(ajv.validateSchema(schema), true, `${file}: ${ajv.errorsText(ajv.errors)}`);
}
