/** What the command says of a collector's answers, and its exit code. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { ledger } from '../../../collector/commands/ledger.ts';

const NUMBERS = {
  sent: 10,
  stored: 10,
  quarantined: 0,
  duplicates: 0,
  gap_readings: 0,
  gaps: {},
  in_flight: 0,
  balance: 0,
};
const LINE = { site: 'demo', gateway: 'gw1', epoch: '00000000000000aa', ...NUMBERS };
const LIVE = {
  items: [{ ...LINE, opened_ms: 0, sum_balance: '0' }],
  next: null,
  complete: true,
  totals: { ...NUMBERS, gateways: 1, epochs: 1, sums_off: 0 },
};
const RESULT = {
  type: 'result',
  ok: true,
  epochs: 1,
  readings: 10,
  quarantined: 0,
  expired: 0,
  closed: 0,
  counts_only: 0,
  problems: 0,
};
const PROBLEM = {
  type: 'problem',
  site: 'demo',
  gateway: 'gw1',
  epoch: '00000000000000aa',
  kind: 'missing',
  from: 3,
  to: 5,
  readings: 3,
  detail: 'in no table',
};

interface Said {
  code: number;
  out: string[];
  errors: string[];
}

/** Runs the command against a server that answers these lines to the deep check. */
async function run(deep: readonly object[], json = false): Promise<Said> {
  const server = createServer((request, response) => {
    const isDeep = request.url?.startsWith('/api/v1/ledger/deep?') === true;
    // In pieces that end anywhere.
    const text = isDeep
      ? deep.map((line) => `${JSON.stringify(line)}\n`).join('')
      : JSON.stringify(LIVE);
    for (let at = 0; at < text.length; at += 37) response.write(text.slice(at, at + 37));
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const said: Said = { code: -1, out: [], errors: [] };
  const output = {
    log: (text: string) => void said.out.push(text),
    error: (text: string) => void said.errors.push(text),
  };
  said.code = await ledger({ config: '', url, deep: true, json }, {}, output);
  server.close();
  return said;
}

t.test('all is right', async (t) => {
  const { code, out } = await run([
    { type: 'progress', step: 'reading', done: 1, total: 2 },
    RESULT,
  ]);
  t.equal(code, 0);
  t.match(out.at(-1), 'The tables hold what the ledger says: 10 readings and 0 in quarantine');
});

t.test('what differs is named, and the exit code is 1', async (t) => {
  const result = { ...RESULT, ok: false, problems: 7 };
  const { code, out } = await run([PROBLEM, { ...PROBLEM, to: 3, readings: 1 }, result]);
  t.equal(code, 1);
  const text = out.join('\n');
  t.match(text, 'demo/gw1 epoch 00000000000000aa: readings 3 to 5 missing (3): in no table');
  t.match(text, 'reading 3 missing (1)');
  t.match(text, 'and 5 more problems');
  t.match(text, 'THE TABLES DIFFER');
  const inJson = await run([PROBLEM, result], true);
  t.equal(inJson.code, 1);
  t.match(JSON.parse(inJson.out.at(-1) ?? ''), { ok: false, found: [{ from: 3, to: 5 }] });
});

t.test('what the retention dropped, closed gaps and old epochs are said', async (t) => {
  const { code, out } = await run([{ ...RESULT, expired: 1_234, closed: 5, counts_only: 2 }]);
  t.equal(code, 0);
  t.match(out.join('\n'), /1,234 were dropped[\s\S]*5 lie in gaps[\s\S]*Of 2 epochs/);
});

t.test('an answer that fails or ends early is no success', async (t) => {
  const error = { code: 'STORE_UNAVAILABLE', message: 'no', hint: 'look' };
  const failed = await run([{ error }]);
  t.equal(failed.code, 3);
  t.match(failed.errors.join(), /STORE_UNAVAILABLE: no\s+look/);
  t.equal((await run([PROBLEM])).code, 3);
});
