/** Topics, partitions, epochs: small functions that stored data depends on. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { isEpoch, randomEpoch } from '../../proto/epoch.ts';
import { NAME_BYTES_MAX } from '../../proto/limits.ts';
import { NO_EPOCH } from '../../proto/model.ts';
import { partitionOf } from '../../proto/partition.ts';
import { cutUtf8, fitsUtf8, wireName } from '../../proto/text.ts';
import type { TopicLeaf } from '../../proto/topics.ts';
import { gatewayKey, isTopicName, parseTopic, topicOf } from '../../proto/topics.ts';

t.test('topics read back what they were made of', async (t) => {
  const name = fc.stringMatching(/^[\p{L}\p{N}][\p{L}\p{N}._-]{0,20}$/u).filter(isTopicName);
  const leaf = fc.constantFrom<TopicLeaf>('batch', 'state', 'command', 'reply');
  fc.assert(
    fc.property(name, name, leaf, (site, gateway, leaf) => {
      assert.deepEqual(parseTopic(topicOf({ site, gateway }, leaf)), { site, gateway, leaf });
    }),
    { numRuns: 200 },
  );
  t.equal(gatewayKey({ site: '공장', gateway: 'gw-1' }), '공장/gw-1');
});

t.test('anything else is not a gateway’s topic', async (t) => {
  for (const topic of [
    '',
    '#',
    '$SYS/#',
    'fms/v1/#',
    'fms/v1/demo/gw1',
    'fms/v1/demo/gw1/',
    'fms/v1/demo/gw1/batch/x',
    'fms/v1/demo/gw1/other',
    'fms/v2/demo/gw1/batch',
    'fms/v1/+/gw1/batch',
    'fms/v1/demo/#/batch',
    'fms/v1//gw1/batch',
    'fms/v1/demo/../batch',
    'fms/v1/demo/.gw/batch',
    'fms/v1/de mo/gw1/batch',
    'fms/v1/demo/gw1\0/batch',
    '/fms/v1/demo/gw1/batch',
    'FMS/v1/demo/gw1/batch',
    `fms/v1/demo/${'x'.repeat(NAME_BYTES_MAX + 1)}/batch`,
    `fms/v1/demo/${'가'.repeat(43)}/batch`,
  ]) {
    // biome-ignore format: a table
    t.equal(parseTopic(topic), undefined, JSON.stringify(topic));
  }
  t.ok(parseTopic(`fms/v1/demo/${'x'.repeat(NAME_BYTES_MAX)}/batch`));
});

t.test('partitions never change', async (t) => {
  // Stored data depends on these numbers. Do not adapt them.
  const stable: [string, number, number][] = [
    ['demo/gw1', 8, 2],
    ['demo/gw2', 8, 6],
    ['plant-a/line-3', 64, 30],
    ['공장/게이트웨이', 12, 9],
    ['', 7, 0],
  ];
  for (const [key, count, partition] of stable) t.equal(partitionOf(key, count), partition, key);
  t.equal(partitionOf('demo/gw1', 1), 0);
});

t.test('partitions spread gateways', async (t) => {
  const counts = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i++) counts[partitionOf(`site/gw${i}`, 16)]!++;
  t.ok(Math.min(...counts) > 800 && Math.max(...counts) < 1_200, `${counts}`);
});

t.test('epochs', async (t) => {
  const epochs = new Set(Array.from({ length: 1_000 }, randomEpoch));
  t.equal(epochs.size, 1_000);
  t.ok([...epochs].every(isEpoch));
  t.notOk(epochs.has(NO_EPOCH));
  t.ok(isEpoch(NO_EPOCH));
  for (const other of ['', '0', 'FFFFFFFFFFFFFFFF', '00112233445566778', 'g'.repeat(16)])
    t.notOk(isEpoch(other), other);
});

t.test('texts are cut on UTF-8 boundaries', async (t) => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 100 }),
    fc.string({ unit: fc.constantFrom('a', 'é', '가', '😀', '\ud83d', '\ude00'), maxLength: 60 }),
  );
  fc.assert(
    fc.property(text, fc.integer({ min: 4, max: 80 }), (text, max) => {
      const cut = cutUtf8(text, max);
      assert.ok(Buffer.byteLength(cut) <= max);
      assert.ok(text.toWellFormed().startsWith(cut));
      assert.equal(fitsUtf8(text, max), text.isWellFormed() && Buffer.byteLength(text) <= max);
      if (fitsUtf8(text, max)) assert.equal(cut, text);
      else if (text.isWellFormed())
        assert.ok(Buffer.byteLength(cut) > max - 4, 'no more than needed');
    }),
    { numRuns: 500 },
  );
  t.pass('for all');
});

t.test('names that are too long stay two names', async (t) => {
  const long = 'channel '.repeat(40);
  t.equal(wireName('가'.repeat(42)), '가'.repeat(42));
  t.equal(wireName(''), '');
  t.not(wireName(`${long}a`), wireName(`${long}b`));
  t.equal(wireName(`${long}a`), wireName(`${long}a`));
  for (const name of [long, '가'.repeat(43), '😀'.repeat(1e6), '\ud800', '\ud800'.repeat(200)]) {
    t.ok(fitsUtf8(wireName(name), NAME_BYTES_MAX));
  }
});
