import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DETECTORS } from '../../../../collector/processor/anomaly/registry.ts';

const root = join(import.meta.dirname, '../../../..');
const names = DETECTORS.map(({ name }) => name);

t.test('every detector has a file, a test and a place in the schema of profiles', async (t) => {
  const files = readdirSync(join(root, 'collector/processor/anomaly/detectors'));
  t.same(files.map((file) => file.replace(/\.ts$/, '')).sort(), [...names].sort());
  const tests = readdirSync(import.meta.dirname);
  for (const name of names) t.ok(tests.includes(`${name}.test.ts`), name);
  const schema = JSON.parse(
    readFileSync(join(root, 'collector/profiles/profile.schema.json'), 'utf8'),
  );
  t.same(schema.definitions.detectors.items.enum, names);
});
