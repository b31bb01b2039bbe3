/** What page Administration computes, without a browser. */

import fc from 'fast-check';
import t from 'tap';
import type { Grant } from '../../../collector/web/src/api/types.ts';
import {
  ACTIONS,
  auditParameters,
  detailLines,
  verdictKey,
} from '../../../collector/web/src/pages/admin/audit.ts';
import { roleAt, sitesToGrant, withGrant } from '../../../collector/web/src/pages/admin/grants.ts';
import {
  groupsOf,
  nameProblem,
  splitMistakes,
  valueText,
} from '../../../collector/web/src/pages/admin/profiles/changes.ts';
import { diffLines, withoutFar } from '../../../collector/web/src/pages/admin/profiles/diff.ts';
import { draftStore } from '../../../collector/web/src/pages/admin/profiles/drafts.ts';
import { sectionOf, sectionsFor } from '../../../collector/web/src/pages/admin/sections.ts';
import type { AuditVerdict, User } from '../../../collector/web/src/pages/admin/types.ts';
import { isLastAdmin } from '../../../collector/web/src/pages/admin/users.ts';
import { ADMIN_WORDS } from '../../../collector/web/src/pages/admin/words.ts';

t.test('who sees which part', async (t) => {
  const may = (isAdmin: boolean, isLoggedIn: boolean, isSomewhere = isAdmin) =>
    sectionsFor({ mayEverywhere: () => isAdmin, maySomewhere: () => isSomewhere, isLoggedIn });
  t.same(may(true, true), ['users', 'tokens', 'gateways', 'profiles', 'audit', 'me']);
  t.same(may(true, false), ['users', 'tokens', 'gateways', 'profiles', 'audit'], 'this machine');
  t.same(may(false, true), ['tokens', 'me']);
  t.same(may(false, true, true), ['tokens', 'gateways', 'me'], 'admin of a site');
  t.same(may(false, false), []);
  t.equal(sectionOf('/admin', ['tokens', 'me']), 'tokens');
  t.equal(sectionOf('/admin/', ['tokens', 'me']), 'tokens');
  t.equal(sectionOf('/admin/me', ['tokens', 'me']), 'me');
  t.equal(sectionOf('/admin/users', ['tokens', 'me']), undefined);
  t.equal(sectionOf('/admin/me/more', ['tokens', 'me']), undefined);
  t.equal(sectionOf('/admin', []), undefined);
});

t.test('grants', async (t) => {
  const grants: Grant[] = [{ site: 'b', role: 'viewer' }];
  t.same(withGrant(grants, '*', 'operator'), [{ site: '*', role: 'operator' }, ...grants]);
  t.same(withGrant(grants, 'b', 'admin'), [{ site: 'b', role: 'admin' }]);
  t.same(withGrant(grants, 'b', null), []);
  t.same(sitesToGrant(['c', 'a'], grants), ['*', 'a', 'b', 'c']);
  const own: Grant[] = [
    { site: '*', role: 'viewer' },
    { site: 'a', role: 'admin' },
  ];
  t.equal(roleAt(own, 'a'), 'admin');
  t.equal(roleAt(own, 'b'), 'viewer');
  t.equal(roleAt(own, '*'), 'viewer');
  t.equal(roleAt([{ site: 'a', role: 'admin' }], '*'), undefined);
});

t.test('the last admin', async (t) => {
  const user = (name: string, more: Partial<User> = {}): User => ({
    name,
    grants: [{ site: '*', role: 'admin' }],
    disabled: false,
    must_change_password: false,
    created_ms: 0,
    changed_ms: 0,
    last_login_ms: null,
    sessions: 0,
    ...more,
  });
  const [a, b] = [user('a'), user('b')];
  const ofSite = user('c', { grants: [{ site: 'x', role: 'admin' }] });
  t.equal(isLastAdmin(a, [a, b, ofSite]), false);
  t.equal(isLastAdmin(a, [a, { ...b, disabled: true }, ofSite]), true);
  t.equal(isLastAdmin(ofSite, [ofSite]), false);
});

t.test('lines that differ', async (t) => {
  const kinds = (before: string, after: string) =>
    diffLines(before, after).map(({ kind, text }) => `${kind} ${text}`);
  t.same(kinds('a\nb\nc', 'a\nx\nc'), ['same a', 'old b', 'new x', 'same c']);
  t.same(kinds('a\nb', 'a\nb'), ['same a', 'same b']);
  t.same(kinds('a\nb\nc\nd', 'a\nc\ne\nd'), ['same a', 'old b', 'same c', 'new e', 'same d']);
  t.same(kinds('', 'a'), ['old ', 'new a']);
  const line = fc.constantFrom('a', 'b', 'c', '');
  const text = fc.array(line, { minLength: 1, maxLength: 12 }).map((lines) => lines.join('\n'));
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = diffLines(before, after);
      const of = (other: string): string =>
        lines
          .filter(({ kind }) => kind !== other)
          .map((one) => one.text)
          .join('\n');
      return of('new') === before && of('old') === after;
    }),
  );
  const large = Array.from({ length: 4_000 }, (_, i) => `line ${i}`);
  const other = large.map((one, i) => (i % 2 === 0 ? one : `${one}!`));
  t.equal(diffLines(large.join('\n'), other.join('\n')).length, 7_999, 'bounded work');
  const far = withoutFar(diffLines('1\n2\n3\n4\n5\n6\n7', '1\n2\n3\nx\n5\n6\n7'), 1);
  t.same(
    far.map((one) => one?.text ?? null),
    [null, '3', '4', 'x', '5', null],
  );
  t.same(withoutFar(diffLines('a', 'a')), [null]);
});

t.test('drafts', async (t) => {
  const base = { text: 'a: 1', etag: 'x' };
  draftStore.put('f.yaml', 'a: 2', base);
  const first = draftStore.get().get('f.yaml');
  draftStore.put('f.yaml', 'a: 3', base);
  const second = draftStore.get().get('f.yaml');
  t.ok((second?.revision ?? 0) > (first?.revision ?? 0), 'what was checked is told apart');
  draftStore.put('f.yaml', 'a: 1', base);
  t.notOk(draftStore.get().has('f.yaml'), 'typed back: nothing is to be applied');
  draftStore.put('new.yaml', 'a: 1', null);
  draftStore.drop('new.yaml');
  t.equal(draftStore.get().size, 0);
});

t.test('changes and mistakes', async (t) => {
  const change = (profile: string) => ({
    profile,
    deed: 'changed' as const,
    path: [],
    before: 1,
    after: 2,
  });
  const groups = groupsOf([change('z'), change(''), change('a'), change('z')]);
  t.same(
    groups.map(([profile, of]) => [profile, of.length]),
    [
      ['a', 1],
      ['z', 2],
      ['', 1],
    ],
  );
  t.equal(valueText({ a: [1, 'x'], b: { c: true } }), '{ a: [1, x], b: { c: true } }');
  t.equal(valueText('x'.repeat(1_000)).length, 301);
  const mistake = (file: string) => ({ file, line: 1, column: 1, message: 'm' });
  const { here, elsewhere } = splitMistakes([mistake('a'), mistake(''), mistake('b')], 'a');
  t.same([here.length, elsewhere.length], [1, 2]);
  for (const name of [
    '../x.yaml',
    '.x.yaml',
    'x',
    'x.txt',
    '',
    `${'x'.repeat(80)}.yaml`,
    'a/b.yaml',
  ])
    t.equal(nameProblem(name, []), 'name_wrong', name);
  t.equal(nameProblem('프레스 2.yaml', []), undefined);
  t.equal(nameProblem('x.yaml', ['x.yaml']), 'name_taken');
});

t.test('the audit log in words', async (t) => {
  const whole: AuditVerdict = {
    ok: true,
    complete: true,
    next: null,
    entries: 3,
    first_number: 1,
    head_number: 3,
    head_hash: '',
    broken_at: null,
    reason: null,
    compared: true,
    not_yet_stored: 0,
  };
  t.equal(verdictKey(whole), 'verdict_whole');
  t.equal(verdictKey({ ...whole, compared: false }), 'verdict_whole_alone');
  t.equal(verdictKey({ ...whole, entries: 0 }), 'verdict_empty');
  t.equal(verdictKey({ ...whole, complete: false, ok: null, next: 'x' }), 'verdict_going_on');
  for (const reason of ['changed', 'missing', 'inserted', 'cut', 'rewritten'] as const)
    t.ok(ADMIN_WORDS.ko[verdictKey({ ...whole, ok: false, reason, broken_at: 2 })]);
  t.same(detailLines(''), []);
  t.same(detailLines('{"a":"x","b":{"c":1},"d":null}'), ['a: x', 'b: {"c":1}', 'd: null']);
  t.same(detailLines('{"cut'), ['{"cut']);
  t.same(detailLines('[1]'), ['[1]']);
  for (const action of ACTIONS) t.ok(ADMIN_WORDS.en[`action_${action}`]);
  const asked = {
    who: ' kim ',
    action: 'user.',
    site: '',
    text: '',
    last: '1h',
    from: '',
    to: '',
  };
  t.same(auditParameters(asked, 7_200_000), {
    who: 'kim',
    action: 'user.',
    site: '',
    text: '',
    from: 3_600_000,
  });
});
