/** Passwords: the form of the hash, what is refused, and that few are computed at once. */

import t from 'tap';
import {
  PASSWORD_COST,
  Passwords,
  passwordProblem,
  randomPassword,
} from '../../../collector/access/passwords.ts';
import { QUICK } from '../../support/api-context.ts';

t.test('the cost is what OWASP says, and stands in the text', async (t) => {
  const passwords = new Passwords();
  const hash = await passwords.hash('correct horse battery');
  t.match(hash, /^\$scrypt\$ln=17,r=8,p=1\$[\w-]{22}\$[\w-]{43}$/);
  t.same(PASSWORD_COST, { ln: 17, r: 8, p: 1 });
  t.equal(await passwords.verify('correct horse battery', hash), true);
  t.equal(await passwords.verify('correct horse batterz', hash), false);
});

t.test(
  'a text of another cost still counts; one that was tampered with opens nothing',
  async (t) => {
    const old = await new Passwords(QUICK).hash('correct horse battery');
    const now = new Passwords({ ...QUICK, ln: 4 });
    t.equal(await now.verify('correct horse battery', old), true);
    const [, , , salt = '', key = ''] = old.split('$');
    for (const text of [
      undefined,
      '',
      'correct horse battery',
      `$scrypt$ln=1,r=1,p=1$${salt}$`,
      `$scrypt$ln=40,r=8,p=1$${salt}$${key}`,
      `$scrypt$ln=20,r=99,p=1$${salt}$${key}`,
      `$scrypt$ln=0,r=1,p=1$${salt}$${key}`,
      `$argon2id$ln=1,r=1,p=1$${salt}$${key}`,
    ])
      t.equal(await now.verify('correct horse battery', text), false, String(text));
  },
);

t.test('how a keyboard composes a letter makes no difference', async (t) => {
  const passwords = new Passwords(QUICK);
  const hash = await passwords.hash('비밀번호를 정합니다');
  t.equal(await passwords.verify('비밀번호를 정합니다'.normalize('NFD'), hash), true);
});

t.test('two at once, some wait, the rest is told to come again', async (t) => {
  const passwords = new Passwords({ ln: 10, r: 8, p: 1 });
  const all = await Promise.allSettled(
    Array.from({ length: 40 }, () => passwords.verify('x', undefined)),
  );
  const refused = all.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
  t.equal(all.length - refused.length, 18);
  for (const { reason } of refused) t.match(reason, { code: 'API_TOO_MANY' });
  t.equal(await passwords.verify('x', undefined), false, 'and then there is room again');
});

t.test('what is no password', async (t) => {
  for (const [password, problem] of [
    ['short', /at least 10/],
    ['x'.repeat(300), /at most 256/],
    ['this is KIM at work', /contains the name/],
    ['abababababab', /repeats/],
    ['correct horse battery', undefined],
    ['비밀번호를 정합니다', undefined],
  ] as const) {
    const said = passwordProblem(password, 'kim');
    if (problem === undefined) t.equal(said, undefined, password);
    else t.match(said, problem);
  }
  const made = new Set(Array.from({ length: 50 }, randomPassword));
  t.equal(made.size, 50);
  for (const password of made) {
    t.match(password, /^([a-km-np-z2-9]{5}-){3}[a-km-np-z2-9]{5}$/);
    t.equal(passwordProblem(password, 'admin'), undefined);
  }
});
