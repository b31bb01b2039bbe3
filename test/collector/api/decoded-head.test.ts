/** What the head of a payload in quarantine says. */

import t from 'tap';
import { decodedHead } from '../../../collector/api/decoded_head.ts';
import { encodeState } from '../../../proto/state.ts';

const text = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

t.test('JSON, bounded', async (t) => {
  t.same(decodedHead(text({ a: 1 })), { format: 'json', text: '{\n  "a": 1\n}' });
  t.equal(decodedHead(text('a word')), undefined, 'no more than the text says');
  t.equal(decodedHead(text({ a: 1 }).subarray(0, 5)), undefined, 'cut off');
  t.equal(decodedHead(new Uint8Array()), undefined);
  const long = decodedHead(text({ all: Array.from({ length: 10_000 }, () => 'x'.repeat(9_999)) }));
  t.ok((long?.text.length ?? Number.NaN) <= 16_385);
});

t.test('messages of the wire', async (t) => {
  const state = encodeState({
    ...{ site: 'demo', gateway: 'gw1', installId: 'a', online: true, cleanEnd: false },
    ...{ version: '1.2.3', epoch: '00112233445566ff', lastSeq: 17, sentMs: 5, startedMs: 1 },
    ...{ bufferReadings: 0, bufferBytes: 0, bufferSecondsUntilEviction: -1 },
    ...{ clockUnsynced: false, clockStepMs: 0, readers: [], gaps: [] },
  });
  const decoded = decodedHead(state);
  t.equal(decoded?.format, 'state');
  t.match(decoded?.text, '"version": "1.2.3"');
  t.equal(decodedHead(Uint8Array.of(1, 2, 3, 255)), undefined);
});
