import t from 'tap';
import { lineOf, scoreShown } from '../../../collector/backtest/shown.ts';

const QUIET = { timeMs: 0, tag: 0, score: 0.2, isOnset: false, isOpen: false, reason: undefined };

t.test('only the row at which an anomaly begins reaches the threshold', async (t) => {
  t.equal(scoreShown({ score: 0.9, isOnset: true }), 0.9);
  t.equal(scoreShown({ score: 0.4, isOnset: true }), 0.5);
  t.ok(scoreShown({ score: 0.9, isOnset: false }) < 0.5);
  t.equal(scoreShown({ score: 0.3, isOnset: false }), 0.3);
});

t.test('lines of CSV', async (t) => {
  t.equal(lineOf('2026-01-01', QUIET, 'en'), '2026-01-01,0.2,0,\n');
  const reason = { en: 'a: 4, expected "2"', ko: '가' };
  const open = { ...QUIET, score: 0.75, isOnset: true, isOpen: true, reason };
  t.equal(lineOf('1', open, 'en'), '1,0.75,1,"a: 4, expected ""2"""\n');
  t.equal(lineOf('1', open, 'ko'), '1,0.75,1,가\n');
  const almost = { ...QUIET, score: 0.49999999 };
  t.ok(Number(lineOf('1', almost, 'en').split(',')[1]) < 0.5, 'rounding does not reach it');
});
