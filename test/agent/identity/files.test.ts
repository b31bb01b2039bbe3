/** A kill at any moment leaves the old identity or the new one, and the programs that look meanwhile see one of them. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Identity } from '../../../agent/identity/files.ts';
import {
  readAskingKey,
  readEnrolment,
  readIdentity,
  settleIdentity,
  writeAskingKey,
  writeIdentity,
} from '../../../agent/identity/files.ts';
import { makeKey, publicKeyOf } from '../../../agent/identity/keys.ts';
import { SmallAuthority } from '../../support/small-authority.ts';

const authority = await SmallAuthority.make();

async function made(gateway: string): Promise<Identity> {
  const key = await makeKey();
  const certificate = await authority.gateway(`plant/${gateway}`, publicKeyOf(key));
  const enrolment = { url: 'mqtts://127.0.0.1:8883', site: 'plant', gateway };
  return { enrolment, ca: authority.pem, certificate, key };
}

const FIRST = await made('first');
const SECOND = await made('second');
const FILES = join(import.meta.dirname, '../../../agent/identity/files.ts');

/** Writes in a process that is killed at the step with this number; answers whether it was. */
function writeKilled(dataDir: string, identity: Identity, atStep: number): boolean {
  const program = `
    import { writeIdentity } from ${JSON.stringify(FILES)};
    let step = 0;
    writeIdentity(${JSON.stringify(dataDir)}, ${JSON.stringify(identity)}, () => {
      if (step++ === ${atStep}) process.kill(process.pid, 'SIGKILL');
    });`;
  const result = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', program]);
  if (result.signal === 'SIGKILL') return true;
  if (result.status !== 0) throw new Error(String(result.stderr));
  return false;
}

t.test('written, read, and for nobody else', async (t) => {
  const dataDir = join(t.testdir({}), 'data');
  t.equal(readIdentity(dataDir), undefined);
  t.equal(readEnrolment(dataDir), undefined);
  writeIdentity(dataDir, FIRST);
  t.same(readIdentity(dataDir), FIRST);
  t.same(readEnrolment(dataDir), FIRST.enrolment);
  const folder = join(dataDir, 'identity');
  t.same(readdirSync(folder).sort(), ['ca.pem', 'enrolment.json', 'gateway.pem', 'key.pem']);
  t.equal(statSync(folder).mode & 0o777, 0o700);
  for (const name of readdirSync(folder)) {
    t.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
  }
});

t.test('killed at each step, first and later', async (t) => {
  const base = t.testdir({});
  for (const before of [undefined, FIRST]) {
    let steps = 0;
    for (let isKilled = true; isKilled; steps++) {
      const dataDir = join(base, `${before === undefined ? 'new' : 'again'}-${steps}`);
      if (before !== undefined) writeIdentity(dataDir, before);
      isKilled = writeKilled(dataDir, SECOND, steps);
      const after = readIdentity(dataDir);
      const isNew = after?.enrolment.gateway === 'second';
      t.same(after, isNew ? SECOND : before, `after step ${steps} it is one of the two`);
      t.same(readEnrolment(dataDir), after?.enrolment, 'both ways of reading agree');
      if (!isKilled) t.ok(isNew);
      settleIdentity(dataDir);
      t.same(readIdentity(dataDir), after, 'and finishing changes nothing');
      writeIdentity(dataDir, FIRST);
      t.same(readIdentity(dataDir), FIRST, 'the next one goes well');
      t.same(
        readdirSync(join(dataDir, 'identity')).filter((name) => /part|new/.test(name)),
        [],
        'and nothing is left over',
      );
    }
    t.ok(steps > 10, `${steps} steps`);
  }
});

t.test('files that do not fit, are missing or are not whole', async (t) => {
  const dataDir = t.testdir({});
  const folder = join(dataDir, 'identity');
  const unusable = (detail: RegExp): void => {
    t.throws(() => readIdentity(dataDir), { code: 'AGENT_IDENTITY_UNUSABLE', message: detail });
  };
  for (const [name, text, detail] of [
    ['key.pem', SECOND.key, /not for the key/],
    ['key.pem', 'nonsense', /key\.pem/],
    ['enrolment.json', '{"url":"mqtt', /not whole/],
    ['enrolment.json', '{"url":"mqtt://h:1","site":"a","gateway":"b"}', /not whole/],
    ['enrolment.json', '{"url":"mqtts://h:1","site":"../a","gateway":"b"}', /not whole/],
    ['gateway.pem', undefined, /gateway\.pem is missing/],
    ['ca.pem', undefined, /ca\.pem is missing/],
  ] as const) {
    writeIdentity(dataDir, FIRST);
    if (text === undefined) rmSync(join(folder, name));
    else writeFileSync(join(folder, name), text);
    unusable(detail);
  }
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  t.equal(readIdentity(dataDir), undefined, 'an empty folder is no enrolment');
});

t.test('a disk that takes nothing', async (t) => {
  const dataDir = t.testdir({ identity: 'a file where the folder should be' });
  t.throws(() => writeIdentity(dataDir, FIRST), { code: 'AGENT_IDENTITY_UNUSABLE' });
  t.throws(() => writeAskingKey(dataDir, FIRST.key), { code: 'AGENT_IDENTITY_UNUSABLE' });
  t.equal(readFileSync(join(dataDir, 'identity'), 'utf8'), 'a file where the folder should be');
});

t.test('the key of an attempt is kept until a certificate is here', async (t) => {
  const dataDir = t.testdir({});
  t.equal(readAskingKey(dataDir), undefined);
  writeAskingKey(dataDir, SECOND.key);
  t.equal(readAskingKey(dataDir), SECOND.key);
  t.equal(readIdentity(dataDir), undefined, 'it is no identity');
  writeIdentity(dataDir, SECOND);
  t.equal(readAskingKey(dataDir), undefined);
  writeFileSync(join(dataDir, 'identity', 'asking-key.pem'), 'half');
  t.equal(readAskingKey(dataDir), undefined, 'a damaged one is none');
});
