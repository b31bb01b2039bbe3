/** Page Administration in a real Chromium, on the real API. Its pure parts: admin-parts.test.ts. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import type { Test } from 'tap';
import t from 'tap';
import type { AdminPlant } from '../../support/admin-plant.ts';
import { ARABIC, adminPlant, HOSTILE, PASSWORD, PRESS } from '../../support/admin-plant.ts';
import type { Tab, TabOptions } from '../../support/browser.ts';
import { noBrowser } from '../../support/browser.ts';
import { browserOf, logIn, openPage, overflowPx, seriousFindings } from '../../support/pages.ts';
import { answerWith, servePages } from '../../support/served-pages.ts';
import { MemoryControl, openAccess } from '../../support/users.ts';

// Generous: a machine may be busy with other things.
t.setTimeout(1_200_000);

const browser = browserOf(t);
/** What the browser itself notes of every answer that is a refusal. */
const REFUSALS = /status of (401|403|409|422)/;

/** Logged in, on a part of the page. */
async function openPart(
  t: Test,
  plant: AdminPlant,
  part: string,
  { name = 'admin', ...options }: TabOptions & { name?: string } = {},
): Promise<Tab> {
  const tab = await openPage(t, browser, `${plant.base}/admin/${part}`, options);
  await logIn(tab.page, name, PASSWORD);
  return tab;
}

function defects(tab: Tab): string[] {
  return tab.errors.filter((text) => !REFUSALS.test(text));
}

const confirm = (page: Page) => page.locator('dialog [data-action="confirm"]').click();

t.test('users', { skip: noBrowser }, async (t) => {
  const plant = await adminPlant(t);
  const { users, sessions } = plant.access.opened;
  const tab = await openPart(t, plant, 'users');
  const { page } = tab;
  const row = (name: string) => page.locator(`[data-user="${name}"]`);
  const act = (name: string, action: string) => row(name).locator(`[data-action="${action}"]`);
  await row('op').getByText('demo: operator').waitFor();
  t.match(await row('김민지').textContent(), ARABIC);
  t.match(await page.locator('table').textContent(), HOSTILE, 'as text');
  for (const action of ['disable', 'remove'])
    t.ok(await act('admin', action).isDisabled(), 'the last admin stays');
  t.match(await row('admin').textContent(), /last administrator/);

  await page.locator('[data-action="add"]').click();
  await page.locator('input[name="new_user"]').fill('bad name!');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText(/API_USER_REFUSED/).waitFor();
  await page.locator('input[name="new_user"]').fill('lee.jun');
  await page.locator('dialog select[data-site="*"]').selectOption('');
  await page.locator('dialog select[data-site="demo"]').selectOption('operator');
  await page.getByRole('button', { name: 'Save' }).click();
  const secret = await page.locator('[data-secret]').textContent();
  t.same(await seriousFindings(page), []);
  t.match(await users.verify('lee.jun', secret ?? ''), { name: 'lee.jun', mustChange: true });
  t.same(users.get('lee.jun')?.grants, [{ site: 'demo', role: 'operator' }]);
  await page.getByRole('button', { name: 'I have it' }).click();
  await row('lee.jun').getByText('has to choose a password').waitFor();
  t.notMatch(await page.content(), secret ?? 'x', 'shown once');

  await act('lee.jun', 'change').click();
  await page.locator('dialog select[data-site="*"]').selectOption('admin');
  await page.getByRole('button', { name: 'Save' }).click();
  await row('lee.jun').getByText('All sites: administrator').waitFor();
  await act('admin', 'disable').and(page.locator(':enabled')).waitFor();

  await act('lee.jun', 'disable').click();
  await confirm(page);
  await row('lee.jun').getByText('disabled').waitFor();
  await act('lee.jun', 'disable').click();
  t.match(await page.locator('dialog').textContent(), /Enable this user\?/);
  await confirm(page);
  await row('lee.jun').getByText('disabled').waitFor({ state: 'detached' });

  await act('lee.jun', 'password').click();
  await confirm(page);
  const next = await page.locator('[data-secret]').textContent();
  t.not(next, secret);
  t.ok(await users.verify('lee.jun', next ?? ''));
  await page.keyboard.press('Escape');

  const op = users.get('op');
  if (op !== undefined) await sessions.begin(op);
  await page.reload();
  await act('op', 'sessions').click();
  await confirm(page);
  await act('op', 'sessions').and(page.locator(':disabled')).waitFor();
  t.equal(sessions.counts().get('op'), undefined);

  await act('lee.jun', 'remove').click();
  await confirm(page);
  await row('lee.jun').waitFor({ state: 'detached' });
  t.equal(users.get('lee.jun'), undefined);
  t.same([...new Set(plant.audited.map(({ action }) => action))].sort(), [
    'session.login',
    'user.change',
    'user.create',
    'user.delete',
    'user.password',
  ]);
  t.notMatch(JSON.stringify(plant.audited), secret ?? 'x', 'no secret in the audit log');
  t.same(defects(tab), []);
});

t.test('tokens, and what one may who is no admin', { skip: noBrowser }, async (t) => {
  const plant = await adminPlant(t);
  const { users, tokens } = plant.access.opened;
  const admin = users.get('admin');
  if (admin === undefined) throw new Error('no admin');
  const grants = [{ site: '*', role: 'viewer' }] as const;
  const hostile = HOSTILE.replaceAll('/', '');
  await tokens.create(admin, { name: hostile, grants: [...grants], expiresMs: null });
  const tab = await openPart(t, plant, '', { name: 'op' });
  const { page } = tab;
  await page.getByText('There are none.').waitFor();
  const parts = page.locator('main nav a');
  t.same(await parts.allTextContents(), ['API tokens', 'My account']);

  await page.locator('[data-action="add"]').click();
  await page.locator('input[name="token_name"]').fill('press');
  t.equal(
    await page.locator('dialog select[data-site="*"]').count(),
    0,
    'not beyond the own sites',
  );
  const roles = page.locator('dialog select[data-site="demo"] option');
  t.same(await roles.allTextContents(), ['as for all sites', 'viewer', 'operator']);
  await page.locator('dialog select[data-site="demo"]').selectOption('operator');
  await page.locator('select[name="expires"]').selectOption('30');
  await page.getByRole('button', { name: 'Make it' }).click();
  const token = (await page.locator('[data-secret]').textContent()) ?? '';
  await page.getByRole('button', { name: 'Copy' }).click();
  await page
    .locator('dialog [role="status"]')
    .getByText(/Copied|by hand/)
    .waitFor();
  const session = await fetch(`${plant.base}/api/v1/session`, {
    headers: { authorization: `Bearer ${token}` },
  });
  t.match(await session.json(), {
    user: { kind: 'token', name: 'op/press', grants: [{ site: 'demo', role: 'operator' }] },
  });
  await page.getByRole('button', { name: 'I have it' }).click();
  const own = page.locator('[data-token]');
  t.equal(await own.count(), 1, 'the own one alone');
  await own.locator('[data-action="remove"]').click();
  await confirm(page);
  await page.getByText('There are none.').waitFor();
  const gone = await fetch(`${plant.base}/api/v1/session`, {
    headers: { authorization: `Bearer ${token}` },
  });
  t.equal(gone.status, 401);

  for (const part of ['users', 'gateways', 'profiles', 'audit', 'nothing']) {
    await page.goto(`${plant.base}/admin/${part}`);
    await page.getByText('You may not see this page.').waitFor();
  }
  const forced = await page.evaluate(`fetch('/api/v1/users').then(({ status }) => status)`);
  t.equal(forced, 403, 'the API decides, not the page');
  t.same(defects(tab), []);

  const other = await openPart(t, plant, 'tokens');
  await other.page.locator('[data-token]').getByText(hostile).waitFor();
  t.match(await other.page.locator('[data-token]').textContent(), /admin/);
  t.same(defects(other), []);
});

t.test('the own account', { skip: noBrowser }, async (t) => {
  const plant = await adminPlant(t);
  const tab = await openPart(t, plant, 'me', { name: 'op' });
  const { page } = tab;
  await page.getByText('demo: operator').waitFor();
  t.same(await seriousFindings(page), []);
  await page.locator('select[name="own_language"]').selectOption('ko');
  await page.getByRole('heading', { name: '비밀번호 변경' }).waitFor();
  t.equal(plant.access.opened.users.get('op')?.language, 'ko');
  await page.locator('input[name="password"]').fill(PASSWORD);
  await page.locator('input[name="new_password"]').fill('another long one');
  await page.locator('input[name="repeat_password"]').fill('another long one');
  await page.keyboard.press('Enter');
  await page.getByText('비밀번호를 바꿨습니다.').waitFor();
  t.equal(await page.locator('input[name="new_password"]').inputValue(), '', 'nothing stays there');
  await page.locator('select[name="own_language"]').selectOption('');
  await page.locator('select[name="own_language"]:enabled').waitFor();
  t.equal(plant.access.opened.users.get('op')?.language, undefined, 'the session goes on');

  const elsewhere = await openPage(t, browser, `${plant.base}/admin/me`);
  await logIn(elsewhere.page, 'op', 'another long one');
  await page.locator('[data-action="end"]').click();
  await confirm(page);
  await page.locator('main.narrow input[name="password"]').waitFor();
  t.equal(
    plant.access.opened.sessions.counts().get('op'),
    undefined,
    'the other one has ended, too',
  );
  t.same(defects(tab), []);
});

t.test('profiles: checked, shown what it does, applied', { skip: noBrowser }, async (t) => {
  const plant = await adminPlant(t);
  const tab = await openPart(t, plant, 'profiles');
  const { page } = tab;
  const text = page.locator('textarea[name="text"]');
  await page.locator('[data-profile="press"]').getByText('3', { exact: true }).waitFor();
  t.equal(await text.inputValue(), PRESS);
  t.equal(await page.locator('[data-action="apply"]').count(), 0, 'nothing to apply');

  await text.fill(PRESS.replace('max: 100', 'max: -100').replace('speed <', 'sped <'));
  await page.locator('[data-check="wrong"]').waitFor();
  t.same(
    await page.evaluate(
      `[...document.querySelectorAll('li[data-line]')].map(({ dataset }) => dataset.line)`,
    ),
    ['5', '8'],
  );
  t.match(await page.locator('pre').first().textContent(), /4\n▲ 5\n6\n7\n▲ 8/);
  t.ok(await page.locator('[data-action="apply"]').isDisabled());
  t.same(await seriousFindings(page), []);
  await page
    .locator('li[data-line]')
    .getByRole('button', { name: /line 8/ })
    .click();
  const selected = await page.evaluate(`(() => {
    const { value, selectionStart, selectionEnd } = document.activeElement;
    return value.slice(selectionStart, selectionEnd);
  })()`);
  t.match(selected, /^ {2}- { name: cold_and_fast/, 'the line of the mistake');

  const better = `# Since the new seals.\n${PRESS.replace('max: 100', 'max: 90').replace('P*', 'P1')}`;
  await text.fill(better);
  await page.locator('[data-check="right"]').waitFor();
  const effect = page.locator('[data-effect="some"]');
  t.match(await effect.textContent(), /1 judged by a changed profile, 2 with another/);
  t.match(await effect.textContent(), /channels › temperature › max 100 → 90/);
  await effect.getByText(`P${HOSTILE}`).waitFor();
  await page.locator('[data-action="apply"]').click();
  t.match(await page.locator('dialog pre').textContent(), /\+ # Since the new seals\./);
  t.same(await seriousFindings(page), []);
  await confirm(page);
  await page.locator('[data-applied="changed"]').waitFor();
  t.equal(readFileSync(join(plant.folder, 'press.yaml'), 'utf8'), better, 'byte for byte');
  t.equal(plant.profiles.current.profiles.press?.channels.temperature?.max, 90);
  t.match(plant.audited.at(-1), { action: 'profile.change', target: 'press.yaml', who: 'admin' });

  // Back to what it was.
  await page.getByText('Earlier versions').click();
  await page.locator('[data-version]').first().click();
  await page.locator('[data-action="restore"]').click();
  await page.locator('[data-check="right"]').waitFor();
  t.equal(await text.inputValue(), PRESS);
  // What is not applied yet survives a look at another part.
  await page.getByRole('link', { name: 'Users' }).click();
  await page.locator('[data-user="op"]').waitFor();
  await page.getByRole('link', { name: 'Profiles and rules' }).click();
  await page.locator('[data-file="press.yaml"]').getByText('changed, not applied').waitFor();
  t.equal(await text.inputValue(), PRESS);
  await page.locator('[data-action="apply"]:enabled').click();
  await confirm(page);
  await page.locator('[data-applied="changed"]').waitFor();
  t.equal(plant.profiles.current.profiles.press?.channels.temperature?.max, 100);
  t.same(defects(tab), []);
});

t.test(
  'profiles: new ones, gone ones, and two people at one file',
  { skip: noBrowser },
  async (t) => {
    const plant = await adminPlant(t);
    const tab = await openPart(t, plant, 'profiles');
    const { page } = tab;
    const text = page.locator('textarea[name="text"]');
    await page.locator('[data-action="new"]').click();
    await page.locator('input[name="file_name"]').fill('../up');
    await page.getByText(/letters, digits/).waitFor();
    await page.locator('input[name="file_name"]').fill('펌프');
    await page.keyboard.press('Enter');
    await page.locator('[data-file="펌프.yaml"][aria-current="true"]').waitFor();
    t.match(new URL(page.url()).search, /file=/, 'a link to the file');
    // Enter keeps the indent, and Ctrl+Z takes it back.
    await text.press('Control+End');
    await page.keyboard.type('  speed: {}');
    await page.keyboard.press('Enter');
    await page.keyboard.type('noise: {}');
    t.match(await text.inputValue(), /\n {2}speed: {}\n {2}noise: {}$/);
    await page.locator('[data-check="right"]').waitFor();
    await page.locator('[data-action="apply"]').click();
    await confirm(page);
    await page.locator('[data-applied="changed"]').waitFor();
    t.ok(plant.profiles.current.profiles.펌프);
    await page.locator('[data-action="remove"]').click();
    await page.locator('dialog').getByText(/gone/).waitFor();
    await confirm(page);
    await page.locator('[data-file="펌프.yaml"]').getByText('removed').waitFor();
    t.notOk(plant.profiles.current.profiles.펌프);

    await page.locator('[data-file="press.yaml"]').click();
    const mine = PRESS.replace('max: 100', 'max: 80');
    await text.fill(mine);
    await page.locator('[data-check="right"]').waitFor();
    const theirs = PRESS.replace('max: 2000', 'max: 1800');
    writeFileSync(join(plant.folder, 'press.yaml'), theirs);
    await page.locator('[data-action="apply"]').click();
    await confirm(page);
    await page.getByText(/PROFILES_CHANGED/).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    const conflict = page.locator('[data-conflict]');
    await conflict.waitFor();
    t.match(await conflict.textContent(), /max: 1800/, 'what they changed');
    t.ok(await page.locator('[data-action="apply"]').isDisabled());
    t.equal(await text.inputValue(), mine, 'and mine is not lost');
    t.same(await seriousFindings(page), []);
    await conflict.locator('[data-action="keep-mine"]').click();
    await page.locator('[data-action="apply"]:enabled').click();
    await confirm(page);
    await page.locator('[data-applied]').waitFor();
    t.equal(readFileSync(join(plant.folder, 'press.yaml'), 'utf8'), mine);
    t.same(defects(tab), []);
  },
);

function entry(number: number) {
  return {
    number,
    id: String(number),
    at_ms: Date.UTC(2026, 10, 27, 3) + number * 1_000,
    who: number % 2 === 0 ? 'admin' : 'op/press',
    kind: 'user',
    from: '10.0.0.7',
    action: 'profile.change',
    site: number === 2 ? ARABIC : '',
    target: number === 1 ? HOSTILE : 'press.yaml',
    detail: number === 3 ? JSON.stringify({ sql: 'x'.repeat(400), n: null }) : '{"deed":"changed"}',
    hash: 'ab'.repeat(32),
  };
}

t.test('the audit log', { skip: noBrowser }, async (t) => {
  const plant = await adminPlant(t);
  const tab = await openPart(t, plant, 'me');
  const { page } = tab;
  const asked: URLSearchParams[] = [];
  await answerWith(page, 'audit', (query) => {
    asked.push(query);
    if (query.get('who') === 'nobody') return { items: [], next: null };
    const isFirst = query.get('cursor') === null;
    return isFirst
      ? { items: [4, 3].map(entry), next: 'further' }
      : { items: [2, 1].map(entry), next: null };
  });
  const verdict = {
    ok: true,
    complete: true,
    next: null as string | null,
    entries: 4,
    first_number: 1,
    head_number: 4,
    head_hash: 'cd'.repeat(32),
    broken_at: null as number | null,
    reason: null as string | null,
    compared: true,
    not_yet_stored: 0,
  };
  let parts: object[] = [];
  await answerWith(page, 'audit/verify', () => parts.shift() ?? verdict);
  await page.getByRole('link', { name: 'Audit log' }).click();
  const rows = page.locator('[data-entry]');
  await rows.first().waitFor();
  t.equal(await rows.count(), 2);
  t.match(await rows.first().textContent(), /2026-11-27 12:00:04/, 'by the clock of the site');
  await page.locator('[data-action="older"]').click();
  await page.locator('[data-entry="1"]').getByText(HOSTILE).waitFor();
  t.equal(await page.locator('[data-action="older"]').count(), 0);
  t.same(await seriousFindings(page), []);

  await page.locator('input[name="who"]').fill('nobody');
  await page.keyboard.press('Enter');
  await page.getByText('No entry matches.').waitFor();
  t.equal(new URL(page.url()).searchParams.get('who'), 'nobody', 'in the address');
  await page.goBack();
  await rows.first().waitFor();
  t.equal(await page.locator('input[name="who"]').inputValue(), '');
  await page.locator('select[name="action"]').selectOption('user.');
  await page.locator('select[name="last"]').selectOption('24h');
  await rows.first().waitFor();
  const last = asked.at(-1);
  t.equal(last?.get('action'), 'user.');
  t.match(last?.get('from'), /^\d+$/);
  const csv = await page.getByRole('link', { name: 'Export CSV' }).getAttribute('href');
  t.match(csv, /audit\/export\?.*action=user\.&format=csv/, 'what is shown is exported');

  const verify = page.locator('[data-action="verify"]');
  await verify.click();
  await page
    .locator('[data-verdict="ok"]')
    .getByText(/whole: 4 entries, numbers 1 to 4/)
    .waitFor();
  parts = [{ ...verdict, ok: null, complete: false, next: 'on', entries: 2, head_number: 2 }];
  const broken = { ...verdict, ok: false, entries: 2, head_number: 2, broken_at: 3 };
  parts.push({ ...broken, reason: 'changed' });
  await verify.click();
  await page
    .locator('[data-verdict="broken"]')
    .getByText(/Entry 3 has been changed/)
    .waitFor();
  parts = [{ ...broken, reason: 'cut' }];
  await verify.click();
  await page
    .locator('[data-verdict="broken"]')
    .getByText(/Entry 3 and all after it/)
    .waitFor();
  t.same(await seriousFindings(page), []);
  t.same(defects(tab), []);
});

t.test(
  'every part on a phone, in Korean, in the dark; a lost connection',
  { skip: noBrowser },
  async (t) => {
    const plant = await adminPlant(t);
    const options = {
      locale: 'ko-KR',
      colorScheme: 'dark',
      viewport: { width: 390, height: 844 },
    } as const;
    const tab = await openPart(t, plant, 'users', options);
    const { page } = tab;
    await answerWith(page, 'audit', () => ({ items: [3, 2, 1].map(entry), next: null }));
    for (const [part, shown] of [
      ['users', '[data-user="op"]'],
      ['tokens', 'text=토큰이 없습니다.'],
      ['gateways', 'text=아직 인증서를 사용하지 않습니다'],
      ['profiles', 'textarea[name="text"]'],
      ['audit', '[data-entry="1"]'],
      ['me', 'select[name="own_language"]'],
    ] as const) {
      await page.goto(`${plant.base}/admin/${part}`);
      await page.locator(shown).first().waitFor();
      t.equal(await overflowPx(page), 0, `${part}: no sideways scrolling`);
      t.same(await seriousFindings(page), [], part);
    }
    await page.goto(`${plant.base}/admin/users`);
    await page.locator('[data-user="op"]').waitFor();
    tab.isCut = true;
    await page.route('**/api/**', (route) => route.abort());
    await page.locator('[data-user="op"] [data-action="sessions"]').isDisabled();
    await page.locator('[data-user="op"] [data-action="disable"]').click();
    await confirm(page);
    await page.getByText(/수집기가 응답하지 않습니다/).waitFor();
    await page.keyboard.press('Escape');
    await page.getByText(/수집기와 연결이 끊겼습니다/).waitFor();
    t.equal(await page.locator('[data-user="op"]').count(), 1, 'what was there stays');
    await page.unroute('**/api/**');
    await page.getByText(/수집기와 연결이 끊겼습니다/).waitFor({ state: 'hidden' });
    t.same(defects(tab), []);
  },
);

t.test(
  'from this machine without login, and without profiles_dir',
  { skip: noBrowser },
  async (t) => {
    const access = await openAccess(
      new MemoryControl(),
      { nowMs: Date.now() },
      { thisMachine: 'admin' },
    );
    const { base } = await servePages(t, { access });
    const tab = await openPage(t, browser, `${base}/admin/profiles`);
    const { page } = tab;
    await page.getByText(/This collector has no profiles_dir/).waitFor();
    const text = page.locator('textarea[name="text"]');
    t.match(await text.inputValue(), /sensor1:/, 'to be looked at and copied');
    t.equal(await text.getAttribute('readonly'), '');
    for (const action of ['new', 'apply', 'remove'])
      t.equal(await page.locator(`[data-action="${action}"]`).count(), 0, action);
    t.same(
      await page
        .locator('main nav a')
        .allTextContents()
        .then((all) => all.length),
      5,
    );
    await page.getByRole('link', { name: 'API tokens' }).click();
    await page.getByText('Only somebody who has logged in can make a token.').waitFor();
    t.same(defects(tab), []);
  },
);
