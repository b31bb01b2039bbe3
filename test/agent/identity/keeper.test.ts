/** What keeps the identity while an agent runs: renewal, taking over, and the collector's time. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { ClockMonitor } from '../../../agent/clock.ts';
import type { Identity } from '../../../agent/identity/files.ts';
import { readIdentity, writeIdentity } from '../../../agent/identity/files.ts';
import { IdentityKeeper } from '../../../agent/identity/keeper.ts';
import { makeKey, publicKeyOf } from '../../../agent/identity/keys.ts';
import { ENROLMENT_PATHS } from '../../../proto/enrolment.ts';
import { BentClock, QUICK_PACE } from '../../support/enrolled-agent.ts';
import { SmallAuthority, validNow } from '../../support/small-authority.ts';
import type { Answering, Asked, SmallCollector } from '../../support/small-collector.ts';
import { startSmallCollector } from '../../support/small-collector.ts';

const HOUR = 3_600_000;
const NAME = 'plant/gw';
const authority = await SmallAuthority.make('CN=test authority', {
  fromMs: Date.now() - 400 * 24 * HOUR,
  toMs: Date.now() + 4_000 * 24 * HOUR,
});

async function identityAt(url: string, leftPart: number, name = NAME): Promise<Identity> {
  const key = await makeKey();
  const lengthMs = 90 * 24 * HOUR;
  const toMs = Date.now() + lengthMs * leftPart;
  const validity = { fromMs: toMs - lengthMs, toMs };
  const certificate = await authority.gateway(name, publicKeyOf(key), validity);
  const [site = '', gateway = ''] = name.split('/');
  return { enrolment: { url, site, gateway }, ca: authority.pem, certificate, key };
}

interface Rig {
  collector: SmallCollector;
  dataDir: string;
  keeper: IdentityKeeper;
  clock: ClockMonitor;
  machine: BentClock;
  logged: string[];
  changes: () => number;
  kept: { asked: number; answer: boolean };
  online: { now: boolean };
  /** Ticks until it is so. */
  until: (isDone: () => boolean) => Promise<void>;
  asked: (path: string) => Asked[];
}

async function makeRig(
  test: Pick<typeof t, 'testdir' | 'teardown'>,
  { leftPart = 0.9, aheadMs = 0 }: { leftPart?: number; aheadMs?: number } = {},
): Promise<Rig> {
  const collector = await startSmallCollector(test, await authority.server(['127.0.0.1']));
  const dataDir = test.testdir({});
  writeIdentity(dataDir, await identityAt(collector.url, leftPart));
  const machine = new BentClock(aheadMs);
  const clock = new ClockMonitor({
    clock: machine,
    boot: '00000000000000b1',
    awaitsCollector: true,
    load: () => undefined,
    save: () => {},
  });
  const logged: string[] = [];
  const note = (message: string, fields: object = {}): void =>
    void logged.push(`${message} ${JSON.stringify(fields)}`);
  let changes = 0;
  const kept = { asked: 0, answer: false };
  const online = { now: false };
  const keeper = new IdentityKeeper({
    dataDir,
    site: 'plant',
    gateway: 'gw',
    url: collector.url,
    installId: 'install',
    version: '0.0.0-test',
    clock,
    random: Math.random,
    log: { debug: note, info: note, warn: note, error: note },
    onChange: () => void changes++,
    isOnline: () => online.now,
    pace: QUICK_PACE,
    isClockKept: async () => {
      kept.asked++;
      return kept.answer;
    },
  });
  test.teardown(() => keeper.stop());
  return {
    collector,
    dataDir,
    keeper,
    clock,
    machine,
    logged,
    changes: () => changes,
    kept,
    online,
    until: async (isDone) => {
      const endMs = performance.now() + 60_000;
      while (!isDone()) {
        if (performance.now() > endMs) throw new Error(`never so: ${isDone}`);
        keeper.tick();
        await delay(5);
      }
    },
    asked: (path) => collector.asked.filter((asked) => asked.path === path),
  };
}

const TIME = (): Answering => ({ status: 200, body: { now_ms: Date.now() } });

async function renewed({ body }: Asked, name = NAME): Promise<Answering> {
  const certificate = await authority.gateway(name, String(body.public_key), validNow());
  const [site, gateway] = name.split('/');
  const answer = { site, gateway, certificate, authorities: authority.pem };
  return {
    status: 201,
    body: { ...answer, now_ms: Date.now(), not_before_ms: 0, not_after_ms: 0 },
  };
}

t.test(
  'renewed at a third of the validity, with a new key, which counts from then on',
  async (t) => {
    const rig = await makeRig(t, { leftPart: 0.3 });
    const before = readIdentity(rig.dataDir);
    rig.collector.answer = (asked) =>
      asked.path === ENROLMENT_PATHS.renew ? renewed(asked) : TIME();
    await rig.until(() => rig.keeper.status().renewalsTotal === 1);
    const after = readIdentity(rig.dataDir);
    t.not(after?.key, before?.key);
    t.equal(rig.changes(), 1);
    t.same(rig.keeper.credentials(), {
      ca: after?.ca,
      own: { cert: after?.certificate, key: after?.key },
    });
    const [asked] = rig.asked(ENROLMENT_PATHS.renew);
    t.match(asked, { shown: NAME, body: { install_id: 'install' } }, 'with the certificate before');
    for (let i = 0; i < 50; i++) rig.keeper.tick();
    t.equal(rig.asked(ENROLMENT_PATHS.renew).length, 1, 'once');
  },
);

t.test('not before its time', async (t) => {
  const rig = await makeRig(t, { leftPart: 0.5 });
  rig.collector.answer = TIME;
  await rig.until(() => rig.clock.compare().aheadMs !== undefined);
  for (let i = 0; i < 50; i++) rig.keeper.tick();
  await delay(50);
  t.same(rig.asked(ENROLMENT_PATHS.renew), []);
  const { certificate, renewalDueMs = 0 } = rig.keeper.status();
  const leftMs = (certificate?.notAfterMs ?? 0) - renewalDueMs;
  const third = (90 * 24 * HOUR) / 3;
  t.ok(leftMs >= third && leftMs < third * 1.11, `${leftMs / third} of a third`);
});

t.test(
  'a renewal that fails goes on with the same key, and the old certificate counts',
  async (t) => {
    const rig = await makeRig(t, { leftPart: -0.1 });
    const before = readIdentity(rig.dataDir);
    const refusals: (Answering | undefined)[] = [
      undefined,
      { status: 503, body: { error: { code: 'LOG_UNAVAILABLE', message: 'later' } } },
      { status: 401, body: { error: { code: 'ENROL_CERTIFICATE_REFUSED', message: 'revoked' } } },
      { status: 201, body: { site: 'plant', gateway: 'gw', certificate: 'no', authorities: 'no' } },
    ];
    let answers = 0;
    rig.collector.answer = async (asked) => {
      if (asked.path !== ENROLMENT_PATHS.renew) return TIME();
      const index = answers++;
      if (index === refusals.length) return renewed(asked, 'plant/other');
      return index < refusals.length ? refusals[index] : renewed(asked);
    };
    await rig.until(() => answers > 0 && rig.keeper.status().lastError !== undefined);
    t.equal(rig.keeper.status().lastError?.code, 'AGENT_RENEWAL_FAILED');
    t.same(readIdentity(rig.dataDir), before);
    await rig.until(() => rig.keeper.status().renewalsTotal === 1);
    const asked = rig.asked(ENROLMENT_PATHS.renew);
    t.equal(asked.length, refusals.length + 2);
    t.equal(new Set(asked.map(({ body }) => body.public_key)).size, 1, 'one key for all attempts');
    t.equal(rig.keeper.status().lastError, undefined);
    for (const reason of [/LOG_UNAVAILABLE/, /CERTIFICATE_REVOKED/, /ENROL_ANSWER/]) {
      t.ok(
        rig.logged.some((line) => reason.test(line)),
        String(reason),
      );
    }
  },
);

t.test(
  'what `enroll` writes is taken over; another name is not, and neither is nothing',
  async (t) => {
    const rig = await makeRig(t);
    rig.collector.answer = TIME;
    await rig.until(() => rig.clock.compare().aheadMs !== undefined);
    const next = await identityAt(rig.collector.url, 0.8);
    writeIdentity(rig.dataDir, next);
    await rig.until(() => rig.changes() === 1);
    t.equal(rig.keeper.credentials().own?.key, next.key);
    writeIdentity(rig.dataDir, await identityAt(rig.collector.url, 0.8, 'plant/other'));
    await rig.until(() => rig.logged.some((line) => /needs a restart/.test(line)));
    t.equal(rig.keeper.credentials().own?.key, next.key);
    rmSync(join(rig.dataDir, 'identity'), { recursive: true });
    await rig.until(() => rig.keeper.status().lastError !== undefined);
    t.equal(rig.keeper.credentials().own?.key, next.key, 'what was there goes on');
    t.equal(rig.changes(), 1);
  },
);

t.test(
  'why it is refused, asked at most once an hour while the collector has nothing to say',
  async (t) => {
    const rig = await makeRig(t);
    for (const [message, code] of [
      ['revoked', 'AGENT_CERTIFICATE_REVOKED'],
      ['certificate_expired', 'AGENT_CERTIFICATE_EXPIRED'],
      ['certificate_unknown', 'AGENT_CERTIFICATE_REFUSED'],
    ]) {
      const error = { code: 'ENROL_CERTIFICATE_REFUSED', message };
      rig.collector.answer = () => ({ status: 401, body: { error } });
      t.equal((await rig.keeper.explainRefusal())?.code, code);
    }
    rig.collector.answer = () => ({ status: 400, body: { error: { code: 'ENROL_KEY_REFUSED' } } });
    const before = rig.collector.asked.length;
    for (let i = 0; i < 3; i++) t.equal(await rig.keeper.explainRefusal(), undefined);
    t.equal(rig.collector.asked.length, before + 1);
  },
);

t.test('a machine in 2090, whose TLS knows no better', async (t) => {
  const ahead = Date.UTC(2090, 0, 1) - Date.now();
  const rig = await makeRig(t, { aheadMs: ahead });
  rig.collector.show(
    await authority.server(['127.0.0.1'], { fromMs: 0, toMs: Date.UTC(2000, 0, 1) }),
  );
  rig.collector.answer = TIME;
  t.ok(rig.clock.state().unsynced);
  await rig.until(() => rig.clock.compare().isOverruled);
  t.notOk(rig.clock.state().unsynced);
  t.ok(Math.abs(rig.clock.wallMs() - Date.now()) < 10_000);
  t.equal(rig.kept.asked, 1, 'the time service was asked before');
  t.ok(rig.logged.some((line) => /not valid at this machine's time/.test(line)));
  t.equal(rig.asked(ENROLMENT_PATHS.renew).length, 0, 'by that clock its certificate is long over');
});

t.test('a clock that a time service keeps, and a collector that is wrong', async (t) => {
  const rig = await makeRig(t);
  rig.kept.answer = true;
  rig.collector.answer = () => ({ status: 200, body: { now_ms: Date.now() - 5 * HOUR } });
  await rig.until(() => rig.clock.compare().aheadMs !== undefined);
  t.match(rig.clock.compare(), { isOverruled: false, isKept: true });
  t.ok(rig.logged.some((line) => /AGENT_CLOCK_DISPUTED/.test(line)));
});

t.test(
  'nobody tells the time: readings wait for it only while nothing else works either',
  async (t) => {
    const rig = await makeRig(t);
    rig.collector.answer = () => ({ status: 404, body: {} });
    await rig.until(() => rig.asked(ENROLMENT_PATHS.time).length >= 5);
    t.ok(rig.clock.state().unsynced, 'offline it is still expected');
    rig.online.now = true;
    await rig.until(() => !rig.clock.state().unsynced);
    t.pass('online it is given up');
    for (const nonsense of [
      {},
      { now_ms: 'x' },
      { now_ms: -1 },
      { now_ms: 1e300 },
      { now_ms: null },
    ]) {
      const before = rig.asked(ENROLMENT_PATHS.time).length;
      rig.collector.answer = () => ({ status: 200, body: nonsense });
      await rig.until(() => rig.asked(ENROLMENT_PATHS.time).length >= before + 2);
      t.equal(rig.clock.compare().aheadMs, undefined, JSON.stringify(nonsense));
    }
  },
);

t.test('asked rarely: a contradiction is looked into, not dwelt upon', async (t) => {
  const rig = await makeRig(t, { aheadMs: 10 * HOUR });
  rig.collector.answer = TIME;
  await rig.until(() => rig.clock.compare().isOverruled);
  const once = rig.asked(ENROLMENT_PATHS.time).length;
  for (let i = 0; i < 100; i++) rig.keeper.tick();
  await delay(QUICK_PACE.timeRetryMaxMs ?? 0);
  rig.keeper.tick();
  t.equal(rig.asked(ENROLMENT_PATHS.time).length, once, 'nothing new, nothing asked');
  // The machine's clock is stepped: its word and the collector's do not fit any more.
  rig.machine.aheadMs = 20 * HOUR;
  rig.collector.answer = () => ({ status: 200, body: { now_ms: Date.now() + 3 * HOUR } });
  await rig.until(() => rig.asked(ENROLMENT_PATHS.time).length > once);
  await rig.until(() => !rig.clock.state().unsynced);
  const asked = rig.asked(ENROLMENT_PATHS.time).length;
  for (let i = 0; i < 100; i++) rig.keeper.tick();
  t.ok(rig.asked(ENROLMENT_PATHS.time).length <= asked + 1);
});
