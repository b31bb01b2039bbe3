/** Both languages of the commands: nothing is missing, nothing differs in what it tells, nothing is left over. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { qualityText, renderReports } from '../../../agent/commands/check.ts';
import { agentErrors } from '../../../agent/errors.ts';
import { DETAILS, OTHERS } from '../../../agent/words/korean/details.ts';
import { ERRORS } from '../../../agent/words/korean/errors.ts';
import { korean } from '../../../agent/words/korean/speaker.ts';
import { TEXTS, TOPICS } from '../../../agent/words/korean/texts.ts';
import { languageOf, speakerOf } from '../../../agent/words/language.ts';
import { english } from '../../../agent/words/say.ts';
import { fill, padTo, translations, widthOf } from '../../../agent/words/text.ts';
import { Quality } from '../../../proto/model.ts';

const AGENT = join(import.meta.dirname, '../../../agent');

const sources = new Map(
  readdirSync(AGENT, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.startsWith('words/korean/'))
    .map((name) => [name, readFileSync(join(AGENT, name), 'utf8')]),
);

/** As it stands in the source or said with values: names and expressions are both {}. */
function bare(text: string): string {
  return text.replaceAll(/\$\{(?!say\()[^{}]*\}|\{\w+\}/g, '{}').replaceAll("\\'", "'");
}

const all = bare([...sources.values()].join('\n'));

t.test('which language', async (t) => {
  const cases: [string[], Record<string, string>, string][] = [
    [[], {}, 'en'],
    [[], { LANG: 'ko_KR.UTF-8' }, 'ko'],
    [[], { LANG: 'ko' }, 'ko'],
    [[], { LANG: 'kok_IN.UTF-8' }, 'en'],
    [[], { LANG: 'C.UTF-8' }, 'en'],
    [[], { LC_MESSAGES: 'ko_KR.UTF-8', LANG: 'en_US.UTF-8' }, 'ko'],
    [[], { LC_ALL: 'C', LC_MESSAGES: 'ko_KR.UTF-8', LANG: 'ko_KR.UTF-8' }, 'en'],
    [[], { LC_ALL: '', LANG: 'ko_KR.UTF-8' }, 'ko'],
    [[], { FMS_LANGUAGE: 'en', LANG: 'ko_KR.UTF-8' }, 'en'],
    [[], { FMS_LANGUAGE: 'ko', LC_ALL: 'C' }, 'ko'],
    [[], { FMS_LANGUAGE: '', LANG: 'ko_KR.UTF-8' }, 'ko'],
    [['status', '--language', 'ko'], { FMS_LANGUAGE: 'en' }, 'ko'],
    [['--language=en', 'status'], { LANG: 'ko_KR.UTF-8' }, 'en'],
    [['--language', 'en', 'status', '--language=ko'], {}, 'ko'],
    [['enroll', '--', '--language=ko'], {}, 'en'],
    [['status', '--language'], { LANG: 'ko_KR.UTF-8' }, 'ko'],
  ];
  for (const [argv, env, expected] of cases) {
    t.equal(languageOf(argv, env), expected, JSON.stringify([argv, env]));
  }
  t.equal((await speakerOf('en')).language, 'en');
  t.equal((await speakerOf('ko')).language, 'ko');
});

t.test(
  'every code has its cause and hint in Korean, and commands in them are the same',
  async (t) => {
    t.same(Object.keys(ERRORS).sort(), Object.keys(agentErrors).sort());
    const commandsIn = (text: string): string[] => (text.match(/`[^`]+`/g) ?? []).sort();
    for (const [code, { cause, hint }] of Object.entries(agentErrors)) {
      const ko = ERRORS[code as keyof typeof ERRORS];
      t.match(ko.cause, /[가-힣].*[.]$/, code);
      t.match(ko.hint, /[가-힣].*[.?]$/, code);
      t.same(commandsIn(ko.cause + ko.hint), commandsIn(cause + hint), `commands of ${code}`);
      t.same(korean.adviceOn(code), [ko.cause, ko.hint]);
      t.same(english.adviceOn(code), [hint]);
    }
    t.same(korean.adviceOn('AGENT_OF_TOMORROW'), []);
    t.same(english.adviceOn('AGENT_OF_TOMORROW'), []);
  },
);

t.test('every Korean text has the names of the English one', async (t) => {
  const namesIn = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();
  for (const [text, ko] of Object.entries({ ...TEXTS, ...DETAILS, ...OTHERS })) {
    t.same(namesIn(ko), namesIn(text), text);
  }
  // The compiler says so first.
  // @ts-expect-error: another name
  translations({ '{count} readings': '측정값 {number}개' });
  // @ts-expect-error: a text without Korean
  t.equal(english.say('nobody has said this in Korean'), 'nobody has said this in Korean');
  // @ts-expect-error: a value is missing
  t.equal(korean.say('{count} readings'), '측정값 {count}개');
});

t.test('one English text is the same in all topics', async (t) => {
  const seen = new Map<string, string>();
  for (const topic of Object.values(TOPICS)) {
    for (const [text, ko] of Object.entries(topic)) {
      t.equal(ko, seen.get(text) ?? ko, text);
      seen.set(text, ko);
    }
  }
});

t.test('no text is left over: each is said somewhere, in English as it stands here', async (t) => {
  // Made of names: words of qualities, states and reasons.
  const model = readFileSync(join(AGENT, '../proto/model.ts'), 'utf8');
  const isName = (text: string) =>
    model.includes(text.toUpperCase().replaceAll(' ', '_')) || model.includes(`'${text}'`);
  for (const text of [...Object.keys(TEXTS), ...Object.keys(DETAILS)]) {
    const isSaid = all.includes(bare(text)) || all.includes(bare(text.replaceAll('\n', '\\n')));
    // Several details are joined of two parts in the source.
    const isJoined = bare(text)
      .split(/[;:,] |(?= is enc)/)
      .every((part) => all.includes(part.trim()));
    t.ok(isSaid || isJoined || isName(text), text);
  }
});

t.test('what was said elsewhere is told again where it is known', async (t) => {
  const cases: [string, string][] = [
    ['something new', 'something new'],
    [
      'AGENT_COLLECTOR_UNREACHABLE: 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1',
      'AGENT_COLLECTOR_UNREACHABLE: 127.0.0.1:1: 연결이 거부되었습니다(ECONNREFUSED 127.0.0.1:1)',
    ],
    ['/a/b.key: it does not exist', '/a/b.key: 없습니다'],
    [
      'expected the authority AA:BB; it shows the authority CC:DD',
      '확인해야 할 인증 기관은 AA:BB입니다. 상대의 인증 기관은 CC:DD입니다',
    ],
    ['/a/buffer.sqlite: the write-ahead log', '/a/buffer.sqlite: 미리 쓰기 로그(WAL)'],
    ["'time' is 5, not '{rest}'", "'time'이(가) '{rest}'이(가) 아니라 5입니다"],
    ['', ''],
  ];
  for (const [text, expected] of cases) t.equal(korean.retell(text), expected);
  const hostile = `${'a: '.repeat(5_000)}x`;
  t.equal(korean.retell(hostile), hostile, 'however long');
});

t.test('values are put in once, and stay as they are', async (t) => {
  t.equal(fill('{a} {b} {c}', { a: '{b}', b: '$&' }), '{b} $& {c}');
});

t.test('columns of a terminal', async (t) => {
  t.equal(widthOf('abc'), 3);
  t.equal(widthOf('측정값 3개'), 10);
  t.equal(widthOf('가'.normalize('NFD')), 2, 'a syllable in parts');
  t.equal(widthOf('ｆ、…'), 5);
  t.equal(padTo('시계', 6), '시계  ');
  t.equal(padTo('시계', 3), '시계');
  const report = {
    device: '프레스 1',
    reader: 'http',
    durationMs: 5,
    error: '',
    output: {
      samples: [
        {
          sourceTimeMs: undefined,
          values: [
            { channel: '온도', value: 21.5, quality: Quality.GOOD },
            { channel: 'pressure', value: null, quality: Quality.NULL },
          ],
        },
      ],
      rejects: [],
    },
  };
  const lines = renderReports([report, { ...report, device: 'D2', error: 'HTTP 404' }], korean);
  const starts = lines
    .trimEnd()
    .split('\n')
    .map((line) => widthOf(line.slice(0, line.search(/(온도|pressure|채널|-) /))));
  t.same(starts, [10, 10, 10, 10], lines);
  t.match(lines, /^장치 +채널 +값 +품질 +시각 +ms\n/);
  t.match(lines, /불량 \(값 없음\) +\(도착 시각\)/);
  t.match(lines, /오류: HTTP 404/);
  t.equal(qualityText(Quality.CLOCK_UNSYNCED, korean), '불확실 (시계가 동기화되지 않음)');
});

t.test('the service does not load Korean', async (t) => {
  const importing = [...sources].filter(([, text]) =>
    /^import (?!type )[^;]*\/korean\//m.test(text.replaceAll(/\n {2}/g, ' ')),
  );
  t.same(
    importing.map(([name]) => name),
    [],
    'no file imports it but when it is asked for',
  );
  const asking = [...sources].filter(([, text]) => /import\('[^']*\/korean\//.test(text));
  t.same(
    asking.map(([name]) => name),
    ['words/language.ts'],
  );
  t.notMatch(sources.get('run.ts'), /speakerOf|language\.ts/);
  t.notMatch(sources.get('start.ts'), /speakerOf|language\.ts/);
});
