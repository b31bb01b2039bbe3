import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { listReports, readReport, writeReport } from '../../../collector/jobs/report/files.ts';
import type { Report } from '../../../collector/jobs/report/model.ts';
import { reportPage } from '../../../collector/jobs/report/page.ts';
import { words } from '../../../collector/jobs/report/words.ts';

const HOSTILE = `<script>alert("x")</script>'&`;

const report: Report = {
  format: 1,
  site: HOSTILE,
  period: {
    kind: 'day',
    label: '2026-11-21',
    start_ms: Date.parse('2026-11-20T15:00Z'),
    end_ms: Date.parse('2026-11-21T15:00Z'),
    time_zone: 'Asia/Seoul',
  },
  revision: 2,
  made_ms: Date.parse('2026-11-21T15:30Z'),
  scores: { completeness: 98.96, accuracy: 99.999, consistency: null, timeliness: 100, all: 99.6 },
  targets: { completeness: 99, accuracy: 95, consistency: 98, timeliness: null },
  expected: 1_000,
  received: 990,
  reasons: [
    { code: 'out_of_range', dimension: 'accuracy', count: 1, points: 0.001, en: 'Out.', ko: '밖.' },
  ],
  quarantined: [{ reason: HOSTILE, count: 3 }],
  lost: [],
  devices: [
    {
      device: HOSTILE,
      area: 'hall 1',
      line: '',
      profile: '',
      scores: { completeness: 0, accuracy: null, consistency: null, timeliness: null, all: 0 },
      expected: null,
      received: 0,
      reasons: [],
      availability: 0.5,
      failures: 2,
      time_between_failures_ms: 5_400_000,
    },
  ],
  devices_left_out: 7,
};

t.test('the page of a report', async (t) => {
  for (const language of ['en', 'ko'] as const) {
    const page = reportPage(report, language);
    t.notMatch(page, /<script/i, 'names cannot become elements');
    t.notMatch(page, /https?:|src=|@import/, 'nothing is fetched');
    t.match(page, `<html lang="${language}">`);
    t.match(page, words[language].revised(2));
    t.match(page, /class="missed">(missed|미달)/, 'completeness missed its target');
    t.match(page, '>98.9<');
    t.match(page, '>99.9<', 'never rounded up to 100');
    t.match(page, /(7 more devices|장치 7대)/);
    t.match(page, '>1.5 ', 'hours between failures');
    t.match(page, words[language].none, 'nothing lost');
  }
  t.match(reportPage(report, 'ko'), '2026. 11. 21. 오전 12:00', 'in the time zone of the site');
  t.notMatch(reportPage({ ...report, revision: 0 }, 'en'), /Revised/);
});

t.test('every word is there in both languages', async (t) => {
  t.same(Object.keys(words.ko), Object.keys(words.en));
  t.same(Object.keys(words.ko.dimensions), Object.keys(words.en.dimensions));
});

t.test('files of reports', async (t) => {
  const dir = join(t.testdir({}), 'reports');
  t.same(await listReports(dir), [], 'no folder yet');
  const names = ['seoul', '../../out', '..', '온도/1', 'a.b*'];
  for (const site of names) {
    const id = { site, kind: 'day', label: '2026-11-21' } as const;
    await writeReport(dir, id, 'json', `{"site":${JSON.stringify(site)}}`);
    t.match(await readReport(dir, id, 'json'), JSON.stringify(site));
    t.equal(await readReport(dir, id, 'ko.html'), undefined);
  }
  t.same(readdirSync(join(dir, '..')), ['reports'], 'nothing outside');
  t.same((await listReports(dir)).map((id) => id.site).sort(), [...names].sort());
  await writeReport(dir, { site: 'seoul', kind: 'week', label: '2026-W47' }, 'json', '{}');
  t.same(
    (await listReports(dir, 'seoul')).map((id) => id.label),
    ['2026-W47', '2026-11-21'],
  );
  t.notOk(existsSync(join(dir, 'seoul', 'day', '2026-11-21.json.new')));
  const bad = { site: 'seoul', kind: 'day', label: '../../../etc' } as const;
  t.equal(await readReport(dir, bad, 'json'), undefined);
});
