/** Profile files over the API: looked at, checked, written, removed, and brought back. */

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Test } from 'tap';
import t from 'tap';
import type { AuditEntry } from '../../../collector/access/audit.ts';
import { LiveDevices } from '../../../collector/api/live/devices.ts';
import { createApi } from '../../../collector/api/server.ts';
import { CollectorError } from '../../../collector/errors.ts';
import { ProfileFiles } from '../../../collector/profiles/editing/profile_files.ts';
import { FileVersions, VERSIONS_MAX } from '../../../collector/profiles/editing/versions.ts';
import { LiveProfiles } from '../../../collector/profiles/live.ts';
import { FILES_MAX } from '../../../collector/profiles/load.ts';
import { fakeContext } from '../../support/api-context.ts';
import { silentLogger } from '../../support/silent-logger.ts';

// Generous: a machine may be busy with other things.
t.setTimeout(1_200_000);

const PRESS = `# By the book of the press, page 12.
match: [{ device: "P*" }]
interval_seconds: 10
channels:
  temperature: { unit: °C, min: 0, max: 100 }
  speed: { unit: rpm, min: 0, max: 2000 }
rules:
  - { name: cold_and_fast, expect: temperature > 5 || speed < 100, message: too cold, policy: flag }
`;

interface Scene {
  folder: string;
  audited: AuditEntry[];
  ask(method: string, path: string, body?: object): Promise<{ status: number; body: Body }>;
  /** What holds. */
  max(channel: string): number | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: bodies of many routes, looked at by t.match
type Body = any;

async function scene(
  t: Test,
  files: Record<string, string> = { 'press.yaml': PRESS },
): Promise<Scene> {
  const root = t.testdir({ profiles: files });
  const folder = join(root, 'profiles');
  const source = { profilesDir: folder, retentionMs: 1_000 };
  const clock = { wallMs: () => 1_700_000_000_000 };
  const live = new LiveProfiles({
    source,
    keptFile: join(root, 'kept.json'),
    clock,
    logger: silentLogger,
  });
  const devices = new LiveDevices();
  for (const device of ['P1', 'P2', 'Q1'])
    devices.applyStored({
      site: 'demo',
      device,
      gateway: 'gw1',
      channel: 'temperature',
      timeMs: 1,
      value: 20,
      text: null,
      quality: 0,
      receivedMs: 1,
    });
  const audited: AuditEntry[] = [];
  const app: FastifyInstance = await createApi(
    fakeContext(clock.wallMs(), {
      devices,
      configuration: () => live.current,
      configurationStatus: () => live.status(),
      auditLog: {
        record: async (entry) => {
          audited.push(entry);
        },
      },
      profileFiles: new ProfileFiles({
        source,
        clock,
        reload: () => live.reload(),
        configuration: () => live.current,
        devices: () => devices.sorted(),
      }),
    }),
    { allowedHosts: [], onDefect: (error) => t.fail('a defect', { error }) },
  );
  t.teardown(async () => {
    await app.close();
    await live.close();
  });
  return {
    folder,
    audited,
    ask: async (method, path, body) => {
      const response = await app.inject({
        method: method as 'GET',
        url: `/api/v1/profiles/${path}`,
        headers: { host: 'localhost' },
        ...(body === undefined ? {} : { payload: body }),
      });
      return { status: response.statusCode, body: response.json() as Body };
    },
    max: (channel) => live.current.profiles.press?.channels[channel]?.max,
  };
}

async function etagOf({ ask }: Scene, name: string): Promise<string> {
  const { body } = await ask('GET', 'files');
  return body.items.find((item: { name: string }) => item.name === name).etag;
}

t.test('the list has the texts as they are', async (t) => {
  const { ask, folder } = await scene(t);
  writeFileSync(join(folder, 'large.yaml'), `# ${'x'.repeat(600_000)}\n`);
  writeFileSync(join(folder, '.hidden.yaml'), 'x: 1');
  writeFileSync(join(folder, 'notes.txt'), 'x');
  mkdirSync(join(folder, 'folder.yaml'));
  const { status, body } = await ask('GET', 'files');
  t.equal(status, 200);
  t.equal(body.changeable, true);
  t.same(
    body.items.map(({ name, text, bytes }: Body) => [name, text, bytes]),
    [
      ['large.yaml', null, 600_003],
      ['press.yaml', PRESS, Buffer.byteLength(PRESS)],
    ],
  );
  t.match(body.items[1].etag, /^[0-9a-f]{32}$/);
});

t.test('a check says every mistake at its place, and changes nothing', async (t) => {
  const { ask, folder } = await scene(t);
  const text = 'channels:\n  a: { tpye: number }\n  b: { min: 5, max: 1 }\n';
  const files = [
    { name: 'other.yaml', text },
    { name: 'devices.yaml', text: 'devices:\n  - { device: D1, profile: unheard }\n' },
  ];
  const { status, body } = await ask('POST', 'check', { files });
  t.equal(status, 200);
  t.equal(body.effect, null);
  t.match(body.mistakes, [
    { file: 'other.yaml', line: 2, column: 8, message: /unknown key "tpye"/ },
  ]);
  const fixed = [{ name: 'other.yaml', text: text.replace('tpye', 'type') }, files[1]];
  const later = await ask('POST', 'check', { files: fixed });
  t.match(later.body.mistakes, [
    { file: 'other.yaml', line: 3, column: 16, message: /max \(1\) is below min \(5\)/ },
  ]);
  const last = await ask('POST', 'check', {
    files: [{ name: 'other.yaml', text: 'channels: { a: {} }' }, files[1]],
  });
  t.match(last.body.mistakes, [
    {
      file: 'devices.yaml',
      line: 2,
      column: 19,
      message: /no profile "unheard"; known: other, press/,
    },
  ]);
  const broken = await ask('POST', 'check', {
    files: [{ name: 'other.yaml', text: 'a: [1\nb: 2' }],
  });
  t.match(broken.body.mistakes[0], { file: 'other.yaml', line: 2 });
  t.same(readdirSync(folder), ['press.yaml']);
});

t.test('a check says what would be another', async (t) => {
  const { ask } = await scene(t);
  const same = await ask('POST', 'check', {
    files: [{ name: 'press.yaml', text: `# new\n${PRESS}` }],
  });
  t.match(same.body, { mistakes: [], effect: { changes: [], devices: { known: 3, moved: 0 } } });
  t.equal(same.body.effect.version_after, same.body.effect.version_before);

  const text = PRESS.replace('max: 100', 'max: 90')
    .replace('interval_seconds: 10', 'interval_seconds: 5')
    .replace('  speed', '  noise: { unit: dB }\n  speed')
    .replace('too cold', 'much too cold')
    .concat(`alerts:
  - { name: hot, title: Hot, levels: [{ severity: ERROR, when: temperature > 80 }] }
`);
  const press = (await ask('POST', 'check', { files: [{ name: 'press.yaml', text }] })).body.effect;
  t.match(press.devices, { known: 3, moved: 0, judged_anew: 2, items: [] });
  t.match(
    press.changes.map(({ deed, path, before, after }: Body) => [
      deed,
      path.join('.'),
      before,
      after,
    ]),
    [
      ['added', 'alerts', null, { hot: { levels: { ERROR: 'temperature > 80' } } }],
      ['added', 'channels.noise', null, { unit: 'dB', type: 'number' }],
      ['changed', 'channels.temperature.max', 100, 90],
      ['changed', 'interval_seconds', 10, 5],
      ['changed', 'late_after_seconds', 30, 15],
      ['changed', 'rules.cold_and_fast.message', 'too cold', 'much too cold'],
      ['changed', 'silent_after_seconds', 300, 150],
    ],
  );

  const files = [
    { name: 'quiet.yaml', text: 'channels: { temperature: { max: 20 } }' },
    {
      name: 'devices.yaml',
      text: 'devices:\n  - { device: "?1", profile: quiet, area: Hall, line: 3 }\n',
    },
  ];
  const { effect } = (await ask('POST', 'check', { files })).body;
  t.match(effect.devices, {
    moved: 2,
    judged_anew: 0,
    items: [
      {
        site: 'demo',
        device: 'P1',
        before: 'press',
        after: 'quiet',
        place_before: '',
        place_after: 'Hall / 3',
      },
      { site: 'demo', device: 'Q1', before: '', after: 'quiet' },
    ],
    profiles: [
      { profile: '', before: 1, after: 0 },
      { profile: 'press', before: 2, after: 1, named: [{ device: 'P1' }, { device: 'P2' }] },
      { profile: 'quiet', before: 0, after: 2 },
    ],
  });
  t.match(effect.changes, [
    { profile: 'quiet', deed: 'added', path: [], before: null },
    { profile: '', deed: 'added', after: { device: '?1', profile: 'quiet' } },
  ]);
  const gone = (await ask('POST', 'check', { files: [{ name: 'press.yaml', text: null }] })).body;
  t.match(gone.effect.changes, [{ profile: 'press', deed: 'removed', path: [], after: null }]);
  t.match(gone.effect.devices, { moved: 2 });
});

t.test('what is written holds, is audited before, and stays as it was typed', async (t) => {
  const on = await scene(t);
  const { ask, folder, audited } = on;
  const etag = await etagOf(on, 'press.yaml');
  chmodSync(join(folder, 'press.yaml'), 0o640);
  const text = PRESS.replace('max: 100 }', 'max: 90 } # since the new seals');
  const written = await ask('PUT', 'files/press.yaml', { text, etag });
  t.match(written, { status: 200, body: { name: 'press.yaml', result: 'changed', mistakes: [] } });
  t.equal(readFileSync(join(folder, 'press.yaml'), 'utf8'), text);
  t.equal(written.body.etag, await etagOf(on, 'press.yaml'));
  t.equal(on.max('temperature'), 90);
  t.match(audited, [
    { action: 'profile.change', target: 'press.yaml', site: '', detail: /"deed":"changed"/ },
  ]);

  const again = await ask('PUT', 'files/press.yaml', { text: `${text}#`, etag: written.body.etag });
  t.match(again, { status: 200, body: { result: 'unchanged' } });
  const fresh = await ask('PUT', 'files/프레스 2.yaml', { text: 'channels: { a: {} }' });
  t.match(fresh, { status: 200, body: { result: 'changed' } });
  t.same(readdirSync(folder).sort(), ['.versions', 'press.yaml', '프레스 2.yaml']);
});

t.test('what has mistakes is never written', async (t) => {
  const on = await scene(t);
  const { ask, folder, audited } = on;
  const etag = await etagOf(on, 'press.yaml');
  const text = PRESS.replace('min: 0, max: 100', 'min: 200, max: 100').replace(
    'speed < 100',
    'sped < 100',
  );
  const { status, body } = await ask('PUT', 'files/press.yaml', { text, etag });
  t.equal(status, 422);
  t.match(body.error, { code: 'PROFILES_REFUSED', hint: /Correct/ });
  t.match(body.mistakes, [
    { file: 'press.yaml', line: 5, message: /max \(100\) is below min \(200\)/ },
    { file: 'press.yaml', line: 8, message: /sped/ },
  ]);
  t.equal(readFileSync(join(folder, 'press.yaml'), 'utf8'), PRESS);
  t.same(audited, []);
  t.notOk(existsSync(join(folder, '.versions')));
  const removed = await ask('PUT', 'files/devices.yaml', {
    text: 'devices: [{ device: x, profile: none }]',
  });
  t.match(removed, { status: 422, body: { mistakes: [{ file: 'devices.yaml' }] } });
});

t.test('two broken files can be repaired one after the other', async (t) => {
  const on = await scene(t);
  const { ask, folder } = on;
  writeFileSync(join(folder, 'a.yaml'), 'channels: { a: { min: 2, max: 1 } }');
  writeFileSync(join(folder, 'b.yaml'), 'channels: { b: { min: 2, max: 1 } }');
  const good = { text: 'channels: { a: { min: 1, max: 2 } }', etag: await etagOf(on, 'a.yaml') };
  const first = await ask('PUT', 'files/a.yaml', good);
  t.match(first, { status: 200, body: { result: 'refused', mistakes: [{ file: 'b.yaml' }] } });
  const gone = await ask('DELETE', `files/b.yaml?etag=${await etagOf(on, 'b.yaml')}`);
  t.match(gone, { status: 200, body: { result: 'changed', etag: null, mistakes: [] } });
});

t.test('what somebody changed meanwhile is not written over', async (t) => {
  const on = await scene(t);
  const { ask, folder } = on;
  const etag = await etagOf(on, 'press.yaml');
  writeFileSync(join(folder, 'press.yaml'), `${PRESS}# by hand\n`);
  const late = await ask('PUT', 'files/press.yaml', { text: PRESS, etag });
  t.match(late, { status: 409, body: { error: { code: 'PROFILES_CHANGED' } } });
  t.match(await ask('DELETE', `files/press.yaml?etag=${etag}`), { status: 409 });
  t.match(
    await ask('PUT', 'files/press.yaml', { text: PRESS }),
    { status: 409 },
    'no new one over it',
  );
  t.match(await ask('PUT', 'files/new.yaml', { text: PRESS, etag }), { status: 409 });
  t.match(await ask('DELETE', `files/new.yaml?etag=${etag}`), { status: 404 });
  t.equal(readFileSync(join(folder, 'press.yaml'), 'utf8'), `${PRESS}# by hand\n`);
  const now = await etagOf(on, 'press.yaml');
  const both = await Promise.all(
    [80, 70].map((max) =>
      ask('PUT', 'files/press.yaml', { text: PRESS.replace('max: 100', `max: ${max}`), etag: now }),
    ),
  );
  t.same(both.map(({ status }) => status).sort(), [200, 409], 'of two at once one');
});

t.test('one can go back', async (t) => {
  const on = await scene(t);
  const { ask } = on;
  const first = { text: PRESS.replace('max: 100', 'max: 1'), etag: await etagOf(on, 'press.yaml') };
  const { etag } = (await ask('PUT', 'files/press.yaml', first)).body;
  t.match(await ask('DELETE', `files/press.yaml?etag=${etag}`), { status: 200 });
  t.same((await ask('GET', 'files')).body.removed, ['press.yaml']);
  const { items } = (await ask('GET', 'files/press.yaml/versions')).body;
  t.equal(items.length, 2);
  t.ok(items[0].replaced_ms > items[1].replaced_ms);
  const [newest, oldest] = await Promise.all(
    items.map(({ id }: Body) => ask('GET', `files/press.yaml/versions/${id}`)),
  );
  t.equal(oldest?.body.text, PRESS);
  const { text } = newest?.body ?? {};
  t.match(text, /max: 1 }/);
  t.match(await ask('PUT', 'files/press.yaml', { text }), { status: 200 });
  t.equal(on.max('temperature'), 1);
  const none = `files/press.yaml/versions/${'9'.repeat(13)}-${'0'.repeat(16)}`;
  t.match(await ask('GET', none), { status: 404 });
});

t.test('versions are bounded, in order although the clock goes back', async (t) => {
  const folder = t.testdir();
  const versions = new FileVersions(folder);
  for (let i = 0; i < VERSIONS_MAX + 5; i++) await versions.keep('a.yaml', `# ${i}`, 1_000 - i);
  const kept = await versions.list('a.yaml');
  t.equal(kept.length, VERSIONS_MAX);
  t.equal(await versions.read('a.yaml', kept[0]?.id ?? ''), `# ${VERSIONS_MAX + 4}`);
  t.equal(await versions.read('a.yaml', kept.at(-1)?.id ?? ''), '# 5');
  t.equal(await versions.read('a.yaml', '../a.yaml'), undefined);
  for (let i = 0; i < FILES_MAX; i++) await versions.keep(`b${i}.yaml`, '#', 5_000 + i);
  const names = await versions.names();
  t.equal(names.length, FILES_MAX);
  t.notOk(names.includes('a.yaml'), 'the one that was changed longest ago');
});

t.test('names that lead elsewhere, and texts without end', async (t) => {
  const { ask, folder } = await scene(t);
  const etag = '0'.repeat(32);
  for (const name of [
    '..%2Fx.yaml',
    '%2Fetc%2Fx.yaml',
    '.x.yaml',
    'x.yml%00.yaml',
    'x',
    'x.txt',
    `${'x'.repeat(80)}.yaml`,
    '..yaml',
  ]) {
    t.match((await ask('PUT', `files/${name}`, { text: PRESS })).status, 400, name);
    t.match((await ask('DELETE', `files/${name}?etag=${etag}`)).status, 400, name);
    t.match((await ask('GET', `files/${name}/versions`)).status, 400, name);
  }
  t.match(await ask('PUT', 'files/x.yaml', { text: `# ${'x'.repeat(600_000)}` }), { status: 400 });
  t.equal((await ask('PUT', 'files/x.yaml', { text: `# ${'x'.repeat(2_000_000)}` })).status, 413);
  t.same(readdirSync(folder), ['press.yaml']);
});

t.test('without profiles_dir, and with one that takes nothing', async (t) => {
  const app = await createApi(fakeContext(0), {
    allowedHosts: [],
    onDefect: (error) => t.fail('a defect', { error }),
  });
  t.teardown(() => app.close());
  const headers = { host: 'localhost' };
  const list = await app.inject({ url: '/api/v1/profiles/files', headers });
  t.match(list.json(), {
    changeable: false,
    items: [{ name: 'fms.yaml', text: /^# The profile/ }],
  });
  for (const [method, url, payload] of [
    ['PUT', 'files/x.yaml', { text: '' }],
    ['DELETE', `files/x.yaml?etag=${'0'.repeat(32)}`, undefined],
    ['POST', 'check', { files: [] }],
    ['GET', 'files/x.yaml/versions', undefined],
  ] as const) {
    const answer = await app.inject({
      method,
      url: `/api/v1/profiles/${url}`,
      headers,
      ...(payload === undefined ? {} : { payload }),
    });
    t.equal(answer.statusCode, 409);
    t.match(answer.json().error, { code: 'PROFILES_BUILT_IN', hint: /profiles_dir/ });
  }
  const on = await scene(t);
  // Where the folder of versions should be stands a file.
  writeFileSync(join(on.folder, '.versions'), '');
  const etag = await etagOf(on, 'press.yaml');
  const refused = await on.ask('PUT', 'files/press.yaml', { text: `#${PRESS}`, etag });
  t.match(refused, { status: 503, body: { error: { code: 'PROFILES_FOLDER' } } });
  t.equal(readFileSync(join(on.folder, 'press.yaml'), 'utf8'), PRESS);
});

t.test('what cannot be written down is not done', async (t) => {
  const on = await scene(t);
  const failing = new ProfileFiles({
    source: { profilesDir: on.folder, retentionMs: 1_000 },
    clock: { wallMs: () => 0 },
    reload: async () => 'unchanged',
    configuration: () => ({
      version: '',
      retentionMs: 0,
      aheadMaxMs: 0,
      profiles: {},
      assignments: [],
    }),
    devices: () => [],
  });
  const change = { name: 'press.yaml', text: `#${PRESS}` };
  await t.rejects(
    failing.change(change, await etagOf(on, 'press.yaml'), async () => {
      throw new CollectorError('LOG_UNAVAILABLE', 'away');
    }),
    { code: 'LOG_UNAVAILABLE' },
  );
  t.equal(readFileSync(join(on.folder, 'press.yaml'), 'utf8'), PRESS);
});
