import t from 'tap';
import type { FaultChange, FaultSwitch } from '../../simulators/faults.ts';
import { checkFault, FaultBoard, orderOf, parseFaultOption } from '../../simulators/faults.ts';
import { Random } from '../../simulators/random.ts';

const devices = new Map([
  ['D01', new Set(['sensor1', 'isFail'])],
  ['D02', new Set(['sensor2'])],
]);

function boardOf(
  schedule: (Omit<FaultSwitch, 'on'> & { at_s: number; for_s?: number; every_s?: number })[] = [],
): { board: FaultBoard; changes: FaultChange[] } {
  const changes: FaultChange[] = [];
  const board = new FaultBoard({
    simulator: 'devices',
    devices,
    random: new Random(1, 'faults'),
    startMs: 1_000_000,
    schedule,
    onChange: (change) => changes.push(change),
  });
  return { board, changes };
}

function names(board: FaultBoard, device: string, second: number): string[] {
  return board.strike(device, 1_000_000 + second * 1_000).map((strike) => strike.order.fault);
}

t.test('orders are checked against what exists', async (t) => {
  const wrong: [FaultSwitch, RegExp][] = [
    [{ device: 'D01', fault: 'fire', on: true }, /unknown fault 'fire'.*spike/],
    [{ device: 'D01', fault: 'toString', on: true }, /unknown fault/],
    [{ device: 'D09', fault: 'slow', on: true }, /unknown device 'D09'.*D01, D02/],
    [{ device: 'D01', fault: 'stuck', on: true }, /needs a channel/],
    [{ device: 'D01', fault: 'slow', channel: 'sensor1', on: true }, /takes no channel/],
    [{ device: 'D02', fault: 'spike', channel: 'sensor1', on: true }, /unknown channel 'sensor1'/],
    [{ device: 'D01', fault: 'garbage', variant: 'loud', on: true }, /no variant 'loud'.*html/],
    [{ device: 'D01', fault: 'slow', variant: 'html', on: true }, /no variant/],
    [{ device: 'D01', fault: 'exception', on: true }, /unknown fault/],
  ];
  for (const [order, message] of wrong)
    t.match(checkFault('devices', order, devices), message, JSON.stringify(order));
  const right: FaultSwitch[] = [
    { device: '*', fault: 'spike', channel: 'sensor2', on: true },
    { device: 'D01', fault: 'missing_field', channel: 'time', on: true },
    { device: 'D01', fault: '429', variant: 'date', on: true },
    { device: '*', fault: 'garbage', on: false },
  ];
  for (const order of right) t.equal(checkFault('devices', order, devices), undefined);
  const modbus: FaultSwitch = { device: 'D01', fault: 'garbage', variant: 'html', on: true };
  t.match(checkFault('modbus', modbus, devices), /no variant 'html'.*wrong_transaction/);
});

t.test('orders from outside have the right shape or are refused', async (t) => {
  t.same(orderOf({ device: 'D01', fault: 429 }), { device: 'D01', fault: 429, on: true });
  for (const value of [null, 1, [], {}, { device: 'D01' }, { device: 'D01', fault: 'x', o: 1 }])
    t.throws(() => orderOf(value), RangeError, JSON.stringify(value));
  t.throws(() => orderOf({ device: 'D01', fault: 'slow', delay_ms: 'long' }), /delay_ms/);
});

t.test('orders on the command line', async (t) => {
  t.same(parseFaultOption('D01:spike:sensor1,probability=0.1,sigmas=9'), {
    device: 'D01',
    fault: 'spike',
    channel: 'sensor1',
    on: true,
    probability: 0.1,
    sigmas: 9,
  });
  t.same(parseFaultOption('*:garbage,variant=html'), {
    device: '*',
    fault: 'garbage',
    on: true,
    variant: 'html',
  });
  for (const text of ['', 'D01', 'D01:', 'D01:a:b:c', 'D01:slow,delay_ms', 'D01:slow,x=1'])
    t.throws(() => parseFaultOption(text), RangeError, text);
  t.throws(() => parseFaultOption('D01:slow,delay_ms=soon'), /not a number/);
});

t.test('on, off, for one device or for all, told once each', async (t) => {
  const { board, changes } = boardOf();
  t.equal(board.set({ device: '*', fault: 'slow', on: true }), undefined);
  t.equal(
    board.set({ device: '*', fault: 'spike', channel: 'sensor1', on: true }),
    undefined,
    'a channel that only one device has',
  );
  t.same(names(board, 'D01', 0), ['slow', 'spike']);
  t.same(names(board, 'D02', 0), ['slow'], 'D02 has no such channel');
  board.set({ device: '*', fault: 'slow', on: false });
  board.set({ device: '*', fault: 'slow', on: false });
  t.same(names(board, 'D02', 0), []);
  t.same(
    changes.map((change) => `${change.fault} ${change.on}`),
    ['slow true', 'spike true', 'slow false'],
    'switching off what is off is no change',
  );
  t.match(board.set({ device: 'D01', fault: 'fire', on: true }), /unknown/);
  t.equal(changes.length, 3);
  t.same(
    board.list().map((order) => order.fault),
    ['spike'],
  );
});

t.test('probability and count', async (t) => {
  const { board, changes } = boardOf();
  board.set({ device: 'D01', fault: '500', on: true, probability: 0.25 });
  let struck = 0;
  for (let i = 0; i < 4_000; i++) struck += names(board, 'D01', 0).length;
  t.ok(struck > 850 && struck < 1_150, `${struck} of 4,000`);
  board.set({ device: 'D01', fault: '500', on: false });
  board.set({ device: 'D01', fault: 'dropout', on: true, count: 3 });
  const strikes = Array.from({ length: 10 }, () => names(board, 'D01', 0).length);
  t.same(strikes, [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
  t.same(changes.at(-1), { device: 'D01', fault: 'dropout', channel: undefined, on: false });
});

t.test('strikes are counted by device: a drift of all devices grows in each alike', async (t) => {
  const { board } = boardOf();
  board.set({ device: '*', fault: 'slow', on: true });
  for (let i = 1; i <= 3; i++) {
    t.equal(board.strike('D01', 1_000_000)[0]?.strikes, i);
    t.equal(board.strike('D02', 1_000_000)[0]?.strikes, i);
  }
});

t.test('a schedule: once, and again and again', async (t) => {
  const { board, changes } = boardOf([
    { at_s: 10, for_s: 5, device: 'D01', fault: 'slow' },
    { at_s: 20, for_s: 2, every_s: 10, device: 'D01', fault: '500' },
    { at_s: 100, device: 'D01', fault: 'dropout' },
  ]);
  t.same(names(board, 'D01', 9), []);
  t.same(names(board, 'D01', 10), ['slow']);
  t.same(names(board, 'D01', 14.9), ['slow']);
  t.same(names(board, 'D01', 15), []);
  t.same(names(board, 'D01', 21), ['500']);
  t.same(names(board, 'D01', 22), []);
  t.same(names(board, 'D01', 31.5), ['500']);
  t.same(names(board, 'D01', 39), []);
  t.same(names(board, 'D01', 1_000_005), ['dropout'], 'for ever');
  t.equal(changes.filter((change) => change.on).length, 4);
});
