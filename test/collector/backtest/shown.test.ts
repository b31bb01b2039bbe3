import t from 'tap';
import { alarmShown, defaultMark, lineOf, scoreShown } from '../../../collector/backtest/shown.ts';

const QUIET = { timeMs: 0, tag: 0, score: 0.2, isOnset: false, isOpen: false, reason: undefined };
const BEGINS = { ...QUIET, score: 0.9, isOnset: true, isOpen: true };
const GOES_ON = { ...QUIET, score: 0.8, isOpen: true };
const CALM = { ...GOES_ON, score: 0.3 };

t.test('rows with an alarm: where an anomaly begins, or all at which it is open', async (t) => {
  const rows = [QUIET, BEGINS, GOES_ON, CALM];
  const alarms = (mark: 'onset' | 'open') => rows.map((row) => alarmShown(row, mark));
  t.same(alarms('onset'), [false, true, false, false]);
  t.same(alarms('open'), [false, true, true, true]);
  t.equal(defaultMark(1), 'onset');
  t.equal(defaultMark(2), 'open');
});

t.test('the score reaches 0.5 where there is an alarm, and only there', async (t) => {
  for (const mark of ['onset', 'open'] as const)
    for (const row of [QUIET, BEGINS, GOES_ON, CALM, { ...BEGINS, score: 0.1 }])
      t.equal(scoreShown(row, mark) >= 0.5, alarmShown(row, mark), JSON.stringify([mark, row]));
  t.equal(scoreShown(BEGINS, 'onset'), 0.9);
  t.equal(scoreShown(QUIET, 'open'), 0.2);
});

t.test('lines of CSV', async (t) => {
  const en = { mark: 'onset', language: 'en' } as const;
  t.equal(lineOf('2026-01-01', QUIET, en), '2026-01-01,0.2,0,\n');
  const reason = { en: 'a: 4, expected "2"', ko: '가' };
  const begins = { ...BEGINS, score: 0.75, reason };
  t.equal(lineOf('1', begins, en), '1,0.75,1,"a: 4, expected ""2"""\n');
  t.equal(lineOf('1', begins, { ...en, language: 'ko' }), '1,0.75,1,가\n');
  const almost = { ...QUIET, score: 0.49999999 };
  t.ok(Number(lineOf('1', almost, en).split(',')[1]) < 0.5, 'rounding does not reach it');
});
