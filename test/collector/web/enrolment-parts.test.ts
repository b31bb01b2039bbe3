/** What the page of gateways that may connect computes, without a browser. */

import fc from 'fast-check';
import t from 'tap';
import {
  compare,
  DIGITS_MIN,
  groupsOf,
} from '../../../collector/web/src/pages/admin/gateways/fingerprints.ts';
import { readNames } from '../../../collector/web/src/pages/admin/gateways/names.ts';
import {
  filtered,
  sortedRows,
  unregistered,
} from '../../../collector/web/src/pages/admin/gateways/rows.ts';
import {
  commandOf,
  csvOf,
  hostFor,
  urlOf,
} from '../../../collector/web/src/pages/admin/gateways/tokens_file.ts';
import { validityOf } from '../../../collector/web/src/pages/admin/gateways/validity.ts';
import type { GatewayItem } from '../../../collector/web/src/pages/admin/types.ts';
import { formatFingerprint, parseFingerprint } from '../../../proto/enrolment.ts';
import { isTopicName } from '../../../proto/topics.ts';
import { DAY_MS, stubCertificate, stubRegistered } from '../../support/enrolment-stub.ts';

t.test('names, one a line', async (t) => {
  const { gateways, mistakes } = readNames('gw1\nplant2/gw2\n\n# spares\nplant3, gw3\n', 'plant1');
  t.same(gateways, [
    { site: 'plant1', gateway: 'gw1' },
    { site: 'plant2', gateway: 'gw2' },
    { site: 'plant3', gateway: 'gw3' },
  ]);
  t.same(mistakes, []);
  const csv = '\uFEFFsite;gateway\r\n"사업장1";"게이트웨이-7"\r\nplant1;gw1;\r\n';
  t.same(readNames(csv, '').gateways, [
    { site: '사업장1', gateway: '게이트웨이-7' },
    { site: 'plant1', gateway: 'gw1' },
  ]);
  t.same(readNames('a\tb\rc\td', '').gateways.length, 2);
});

t.test('what cannot be added, by its line', async (t) => {
  const long = 'x'.repeat(64);
  const text = `gw1\nplant/a\nplant/a\nplant/a/b\nplant/<img>\nplant/${long}\n/a`;
  const { gateways, mistakes } = readNames(text, '');
  t.same(gateways, [{ site: 'plant', gateway: 'a' }]);
  t.same(
    mistakes.map(({ line, why }) => [line, why]),
    [
      [1, 'no_site'],
      [3, 'twice'],
      [4, 'form'],
      [5, 'name'],
      [6, 'too_long'],
      [7, 'name'],
    ],
  );
});

t.test('whatever is pasted: good names, and each line once', async () => {
  const pieces = fc.array(fc.constantFrom('a', 'plant', '/', ',', '\n', '#', ' ', '"', '한', '-'));
  fc.assert(
    fc.property(pieces, fc.constantFrom('', 'site'), (parts, site) => {
      const { gateways, mistakes } = readNames(parts.join(''), site);
      const keys = gateways.map((one) => `${one.site}/${one.gateway}`);
      return (
        new Set(keys).size === keys.length &&
        gateways.every((one) => isTopicName(one.site) && isTopicName(one.gateway)) &&
        new Set(mistakes.map(({ line }) => line)).size === mistakes.length
      );
    }),
  );
});

const hex = fc.string({
  unit: fc.constantFrom(...'0123456789abcdef'),
  minLength: 64,
  maxLength: 64,
});

t.test('fingerprints are shown as the gateway shows them, and compared as typed', async (t) => {
  fc.assert(
    fc.property(hex, fc.integer({ min: 0, max: 64 }), (fingerprint, length) => {
      const shown = groupsOf(fingerprint).join(' ');
      const typed = fingerprint.slice(0, length);
      const { rightGroups, verdict } = compare(` ${typed.toUpperCase()}\n`, fingerprint);
      return (
        shown === formatFingerprint(fingerprint) &&
        parseFingerprint(shown) === fingerprint &&
        rightGroups === Math.floor(length / 4) &&
        verdict === (length >= DIGITS_MIN ? 'right' : 'nothing')
      );
    }),
  );
  fc.assert(
    fc.property(hex, fc.integer({ min: 0, max: 63 }), (fingerprint, at) => {
      const other = fingerprint[at] === '0' ? '1' : '0';
      const wrong = fingerprint.slice(0, at) + other + fingerprint.slice(at + 1);
      const { rightGroups, verdict } = compare(wrong, fingerprint);
      return verdict === 'wrong' && rightGroups === Math.floor(at / 4);
    }),
  );
  const fingerprint = 'ab'.repeat(32);
  t.equal(compare(`${fingerprint}00`, fingerprint).verdict, 'wrong', 'too long');
  t.equal(compare('AB:AB-AB ab ABAB abab', fingerprint).verdict, 'right');
  t.equal(compare('what', fingerprint).verdict, 'wrong');
});

t.test('commands and their file', async (t) => {
  t.equal(urlOf('collector.plant.example', 8883), 'mqtts://collector.plant.example:8883');
  t.equal(urlOf('2001:db8::7', 18883), 'mqtts://[2001:db8::7]:18883');
  t.equal(urlOf('h', 0), 'mqtts://h:8883');
  t.equal(commandOf('mqtts://h:8883', 'T'), 'sudo fms-agent enroll mqtts://h:8883 T');
  const names = ['localhost', '127.0.0.1', '*.plant.example', '192.0.2.10', 'c.example'];
  t.equal(hostFor(names, 'c.example'), 'c.example', 'as this page was reached');
  t.equal(hostFor(names, '[::1]'), '192.0.2.10', 'never a name that means each machine itself');
  t.equal(hostFor(['localhost'], 'x'), 'localhost');
  t.equal(hostFor([], '10.0.0.1'), '10.0.0.1');
  const made = { site: 'p', gateway: 'a"b', token: 'T', expires_ms: 0 };
  t.equal(
    csvOf([made], 'mqtts://h:8883'),
    'site,gateway,token,expires,command\r\np,"a""b",T,1970-01-01T00:00:00.000Z,sudo fms-agent enroll mqtts://h:8883 T\r\n',
  );
});

t.test('certificates that are nearly over, and what comes first', async (t) => {
  const nowMs = Date.now();
  const of = (days: number) => validityOf(stubCertificate(days), nowMs);
  t.same(
    [of(60), of(15.1), of(14.9), of(0.1), of(-0.1)],
    ['good', 'good', 'near', 'near', 'ended'],
  );
  const week = { not_before_ms: nowMs - 5 * DAY_MS, not_after_ms: nowMs + 2 * DAY_MS };
  t.equal(validityOf(week, nowMs), 'good', 'of one of seven days a third is left: it renews now');
  const rows = [
    stubRegistered('b/gw10', 'enrolled'),
    stubRegistered('b/gw2', 'enrolled'),
    stubRegistered('a/off', 'revoked'),
    stubRegistered('a/new', 'invited'),
    stubRegistered('z/near', 'enrolled', { certificate: stubCertificate(3) }),
    stubRegistered('z/over', 'enrolled', { certificate: stubCertificate(-3) }),
    stubRegistered('a/old', 'revoked', { certificate: stubCertificate(-300) }),
    stubRegistered('a/yaml', 'configured'),
  ];
  t.same(
    sortedRows(rows, nowMs).map(({ gateway }) => gateway),
    ['over', 'near', 'new', 'gw2', 'gw10', 'yaml', 'off', 'old'],
  );
  const names = (search: string, state = '') =>
    filtered(rows, { search, state }).map(({ gateway }) => gateway);
  t.same(names('B/GW 2'), ['gw2']);
  t.same(names('', 'revoked'), ['off', 'old']);
  t.same(names('nothing'), []);
  const seen = [
    { site: 'b', gateway: 'gw2', status: 'online', transport: 'tls' },
    { site: 'b', gateway: 'gone', status: 'offline', transport: null },
    { site: 'b', gateway: 'foreign', status: 'online', transport: 'tls' },
    { site: 'b', gateway: 'never', status: 'never_seen', transport: null },
  ] as GatewayItem[];
  t.same(
    unregistered(seen, rows).map(({ gateway }) => gateway),
    ['gone'],
  );
});
