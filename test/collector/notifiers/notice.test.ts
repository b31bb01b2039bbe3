/** Which change of an alert is told to whom: by cases, and over any life of an alert. */

import fc from 'fast-check';
import t from 'tap';
import { ALERT_SEVERITIES } from '../../../collector/alert.ts';
import type { Preferences, Receiving } from '../../../collector/notifiers/notice.ts';
import { noticeFor, toldOf } from '../../../collector/notifiers/notice.ts';
import { alertOf } from '../../support/alerts.ts';

const ALL: Preferences = { acknowledged: true, resolved: true, lowered: true };
const FEW: Preferences = { acknowledged: false, resolved: true, lowered: false };
const UNTOLD: Receiving = { told: undefined, waiting: undefined };
const firing = alertOf();
const acknowledged = alertOf({ state: 'acknowledged', version: 2 });
const resolved = alertOf({ state: 'resolved', version: 3 });
const NOW = Date.now();

function told(alert = firing, lost = false): Receiving {
  return { told: toldOf(alert, lost), waiting: undefined };
}

t.test('one message for each change of state', async (t) => {
  t.equal(noticeFor(firing, UNTOLD, FEW, NOW), 'firing');
  t.equal(noticeFor(firing, told(), FEW, NOW), undefined);
  t.equal(noticeFor(alertOf({ version: 2 }), told(), FEW, NOW), undefined, 'new values only');
  t.equal(noticeFor(resolved, told(), FEW, NOW), 'resolved');
  t.equal(noticeFor(resolved, told(resolved), FEW, NOW), undefined);
  t.equal(noticeFor(resolved, told(), { ...FEW, resolved: false }, NOW), undefined);
  t.equal(noticeFor(alertOf({ state: 'pending' }), UNTOLD, ALL, NOW), undefined);
});

t.test('severity', async (t) => {
  const worse = alertOf({ severity: 'CRITICAL', version: 2 });
  t.equal(noticeFor(worse, told(), FEW, NOW), 'raised');
  t.equal(noticeFor(worse, told(worse), FEW, NOW), undefined);
  t.equal(noticeFor(firing, told(worse), FEW, NOW), undefined, 'milder is no news');
  t.equal(noticeFor(firing, told(worse), ALL, NOW), 'lowered');
  const worseThough = alertOf({ severity: 'CRITICAL', state: 'acknowledged', version: 3 });
  t.equal(
    noticeFor(worseThough, told(acknowledged), FEW, NOW),
    'raised',
    'although somebody cares',
  );
});

t.test('acknowledged', async (t) => {
  t.equal(noticeFor(acknowledged, told(), FEW, NOW), undefined);
  t.equal(noticeFor(acknowledged, told(), ALL, NOW), 'acknowledged');
  t.equal(noticeFor(acknowledged, told(acknowledged), ALL, NOW), undefined);
  t.equal(noticeFor(acknowledged, UNTOLD, FEW, NOW), undefined, 'somebody cares already');
});

t.test('over before it could be told: one message says both, while anybody cares', async (t) => {
  const waiting = { kind: 'firing', sinceMs: NOW } as const;
  t.equal(noticeFor(resolved, { told: undefined, waiting }, FEW, NOW), 'resolved');
  t.equal(noticeFor(resolved, UNTOLD, FEW, NOW), undefined, 'it was never to be told');
  t.equal(noticeFor(resolved, { told: undefined, waiting }, FEW, NOW + 7_200_000), undefined);
  const noEnds = { ...FEW, resolved: false };
  t.equal(noticeFor(resolved, { told: undefined, waiting }, noEnds, NOW), 'resolved');
  t.equal(noticeFor(resolved, told(firing, true), FEW, NOW), undefined, 'what was left out');
});

t.test('silenced and inhibited', async (t) => {
  for (const quiet of [{ silence: 's1' }, { inhibitedBy: 'gateway_down' }]) {
    t.equal(noticeFor(alertOf(quiet), UNTOLD, ALL, NOW), undefined);
    t.equal(noticeFor(alertOf({ ...quiet, state: 'resolved' }), told(), ALL, NOW), undefined);
  }
  t.equal(noticeFor(alertOf({ version: 3 }), UNTOLD, ALL, NOW), 'firing', 'after its end');
});

t.test('whatever the life of an alert, nothing is told twice', async (t) => {
  const step = fc.record({
    state: fc.constantFrom('pending', 'firing', 'acknowledged', 'resolved'),
    severity: fc.constantFrom(...ALERT_SEVERITIES),
    silence: fc.constantFrom('', '', 's1'),
    delivered: fc.boolean(),
  });
  const wants = fc.record({
    acknowledged: fc.boolean(),
    resolved: fc.boolean(),
    lowered: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), wants, (steps, prefers) => {
      const receiving: Receiving = { told: undefined, waiting: undefined };
      for (const [i, { delivered, ...fields }] of steps.entries()) {
        const alert = alertOf({ ...fields, version: i + 1 });
        const kind = noticeFor(alert, receiving, prefers, Date.now());
        receiving.waiting = kind && { kind, sinceMs: NOW };
        if (kind === undefined) continue;
        if (alert.state === 'pending' || alert.silence !== '') throw new Error('not silent');
        if (!delivered) continue;
        receiving.told = toldOf(alert, false);
        receiving.waiting = undefined;
        if (noticeFor(alert, receiving, prefers, Date.now()) !== undefined)
          throw new Error(`${kind} would be told again`);
      }
    }),
  );
  t.pass('held');
});
