import t from 'tap';
import { report } from '../../../collector/ledger/report.ts';

const NUMBERS = {
  sent: 1_000,
  stored: 900,
  quarantined: 10,
  duplicates: 5,
  gap_readings: 80,
  gaps: { evicted_age: 80, corrupt: 0 },
  in_flight: 10,
  balance: 0,
};

function answer(more: Partial<typeof NUMBERS> = {}, complete = true, sum_balance = '0') {
  const numbers = { ...NUMBERS, ...more };
  const line = { site: 'demo', gateway: 'gw1', opened_ms: 0, sum_balance, ...numbers };
  return {
    items: [
      { ...line, epoch: '00000000000000aa' },
      { ...line, epoch: '00000000000000bb' },
    ],
    next: null,
    complete,
    totals: { ...numbers, gateways: 1, epochs: 2, sums_off: sum_balance === '0' ? 0 : 2 },
  };
}

t.test('one line a gateway, what was lost, and a verdict', async (t) => {
  const text = report(answer(), false).join('\n');
  t.match(text, /demo\/gw1 +2 +2,000 +1,800 +20 +160 +20 +ok +10/, 'epochs are added up');
  t.match(text, 'Lost, by reason: evicted_age 80.');
  t.notMatch(text, 'corrupt', 'reasons that lost nothing are not named');
  t.match(text, 'Every reading is accounted for. 10 are on the way');
});

t.test('one line an epoch', async (t) => {
  const lines = report(answer(), true);
  t.match(lines[0], /EPOCH +SENT/);
  t.equal(lines.filter((line) => line.startsWith('demo/gw1')).length, 2);
});

t.test('what does not balance is said loudly', async (t) => {
  const text = report(answer({ balance: -7 }), false).join('\n');
  t.match(text, /demo\/gw1 .* 14 ! /, 'sizes add up');
  t.match(text, 'DOES NOT BALANCE');
  t.match(report(answer({}, false), false).join('\n'), 'more epochs');
  const sums = report(answer({}, true, '7'), false).join('\n');
  t.match(sums, /demo\/gw1 .* sums !/, 'also when only the sums are wrong');
  t.match(sums, 'DOES NOT BALANCE');
});

t.test('nothing yet', async (t) => {
  const empty = { ...answer(), items: [] };
  t.same(report(empty, false), ['No gateway has sent anything yet.']);
});
