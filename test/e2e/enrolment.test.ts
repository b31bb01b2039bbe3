/** Gateways and a collector that learn to trust each other, with all that may come between. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readIdentity } from '../../agent/identity/files.ts';
import { explain, renew } from '../../agent/identity/renewal.ts';
import { formatFingerprint, formatToken, parseToken } from '../../proto/enrolment.ts';
import { QualityReason, reasonOf, Severity, severityOf } from '../../proto/model.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { BentClock, TestGateway } from '../support/enrolled-agent.ts';
import { TestCollector, until } from '../support/running-collector.ts';
import { invite } from '../support/trust.ts';

t.setTimeout(1_200_000);

const DAY = 86_400_000;
/** What a question to a busy machine may add to a time. */
const SLACK_MS = 20_000;
const AGENT = join(import.meta.dirname, '../../agent');

const collector = new TestCollector({}, { tls: { names: ['127.0.0.1'] } });
await collector.start();
t.teardown(() => collector.remove());
const url = `mqtts://127.0.0.1:${collector.mqttTlsPort}`;

async function tokenFor(gateway: string): Promise<string> {
  const [invited] = await invite(collector.base, [{ site: 'demo', gateway }]);
  return invited?.token ?? '';
}

async function post(path: string, body: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(`${collector.base}/api/v1/enrolment/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

interface Stored {
  time_ms: number;
  value: number;
  quality: number;
}

/** What the store has of a device, in the order of the values. */
async function storedOf(device: string): Promise<Stored[]> {
  const range = `from=0&to=${Date.UTC(2100, 0, 1)}&limit=1000`;
  const { body } = await collector.get(`/api/v1/readings?site=demo&device=${device}&${range}`);
  return ((body.items ?? []) as Stored[]).toSorted((a, b) => a.value - b.value);
}

/** Resolves when the store has as many; answers their values. */
async function valuesOf(device: string, count: number): Promise<number[]> {
  await until(async () => (await storedOf(device)).length >= count);
  return (await storedOf(device)).map(({ value }) => value);
}

function oneTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function isOnline(gateway: TestGateway): boolean {
  return gateway.agent?.snapshot().forwarder?.connection === 'online';
}

function lastError(gateway: TestGateway): string {
  return gateway.agent?.snapshot().forwarder?.lastError?.code ?? '';
}

t.test('enrolled with a token, revoked, and enrolled again: nothing is lost', async (t) => {
  const gateway = new TestGateway(t, 'a');
  await gateway.enrol({ url, token: await tokenFor('a') });
  t.match(gateway.printed.join(''), /^enrolled +demo\/a, at mqtts/);
  t.same(readdirSync(gateway.folder).sort(), ['agent.yaml', 'data'], 'only data_dir was written');
  await gateway.start();
  for (const value of oneTo(5)) await gateway.say(value);
  t.same(await valuesOf('a', 5), oneTo(5));
  const { body } = await collector.get('/api/v1/gateways');
  t.match(
    (body.items as { gateway: string }[]).find((item) => item.gateway === 'a'),
    { transport: 'tls' },
  );

  await post('gateways/demo/a/revoke', { reason: 'a test' });
  await until(async () => lastError(gateway) === 'AGENT_CERTIFICATE_REVOKED');
  for (const value of [6, 7, 8]) await gateway.say(value);
  t.equal(gateway.agent?.snapshot().buffer.readings, 3, 'the buffer keeps them');

  const renewed = await post('gateways/demo/a/token', { valid_hours: 1 });
  await gateway.enrol({ url, token: String(renewed.token) });
  t.match(gateway.printed.join(''), /takes the new certificate over by itself/);
  t.same(await valuesOf('a', 8), oneTo(8), 'the running agent went on by itself');
  t.equal(gateway.agent?.snapshot().forwarder?.lastError, undefined);
});

t.test('renewed while readings flow: a new key, and each reading once', async (t) => {
  // A machine two thirds through the certificate's validity, by a clock that a time service keeps.
  const gateway = new TestGateway(t, 'b', new BentClock(61 * DAY));
  gateway.isClockKept = true;
  await gateway.enrol({ url, token: await tokenFor('b') });
  const before = readIdentity(gateway.dataDir);
  await gateway.start();
  let said = 0;
  const isRenewed = (): boolean =>
    (gateway.agent?.snapshot().forwarder?.connectionsTotal ?? 0) >= 2 && isOnline(gateway);
  await until(async () => {
    await gateway.say(++said, Date.now());
    return isRenewed();
  });
  for (const end = said + 20; said < end; ) await gateway.say(++said, Date.now());
  t.same(await valuesOf('b', said), oneTo(said));
  const after = readIdentity(gateway.dataDir);
  t.not(after?.key, before?.key);
  t.not(after?.certificate, before?.certificate);
  t.match(gateway.agent?.snapshot().identity, { renewalsTotal: 1, lastError: undefined });
  t.ok(gateway.logged.some(({ fields }) => fields.code === 'AGENT_CLOCK_DISPUTED'));
});

t.test('approved by an admin who compares the fingerprint', async (t) => {
  const gateway = new TestGateway(t, 'c');
  gateway.write({ site: 'demo', gateway: 'c' });
  const { body: authority } = await collector.get('/api/v1/enrolment/ca');
  const caFingerprint = formatFingerprint(String(authority.fingerprint));
  await t.rejects(gateway.enrol({ url }), { code: 'AGENT_ENROL_UNCONFIRMED' });
  const wrong = { url, caFingerprint: 'ab'.repeat(32) };
  await t.rejects(gateway.enrol(wrong), { code: 'AGENT_ENROL_STRANGER' });
  const { body: none } = await collector.get('/api/v1/enrolment/requests');
  t.same(none.items, [], 'a stranger is asked nothing');

  const enrolling = gateway.enrol({ url, caFingerprint });
  let request: { id: string; key_fingerprint: string } | undefined;
  await until(async () => {
    const { body } = await collector.get('/api/v1/enrolment/requests');
    [request] = body.items as { id: string; key_fingerprint: string }[];
    return request !== undefined;
  });
  const { id = '', key_fingerprint: key = '' } = request ?? {};
  await until(async () => gateway.printed.join('').includes(formatFingerprint(key)));
  t.ok(gateway.printed.join('').includes(`gateway approve ${id}`));
  await post(`requests/${id}/approve`, { key_fingerprint: key });
  await enrolling;
  await gateway.start();
  await gateway.say(1);
  t.same(await valuesOf('c', 1), [1]);
});

t.test('what is refused, and costs no token', async (t) => {
  const gateway = new TestGateway(t, 'd');
  const token = await tokenFor('d');
  const { secret = '' } = parseToken(token) ?? {};
  for (const [what, args, code] of [
    [
      'another authority',
      { url, token: formatToken({ secret, caFingerprint: 'cd'.repeat(32) }) },
      'AGENT_ENROL_STRANGER',
    ],
    ['another name', { url: url.replace('127.0.0.1', 'localhost'), token }, 'AGENT_COLLECTOR_NAME'],
    ['half a token', { url, token: token.slice(0, -3) }, 'AGENT_ENROL_TOKEN'],
    ['no TLS', { url: 'mqtt://127.0.0.1:1883', token }, 'AGENT_ENROL_URL'],
    [
      'the port without TLS',
      { url: `127.0.0.1:${collector.mqttPort}`, token },
      /AGENT_(TLS_FAILED|COLLECTOR_UNREACHABLE)/,
    ],
    [
      'a secret that nobody gave',
      { url, token: token.replace(secret, 'A'.repeat(22)) },
      'AGENT_ENROL_REFUSED',
    ],
  ] as const) {
    await t.rejects(gateway.enrol(args), { code }, what);
  }
  gateway.write({ collector: { url: 'mqtt://127.0.0.1:1883', token: 'x' } });
  await t.rejects(gateway.enrol({ url, token }), {
    code: 'AGENT_ENROL_CONTRADICTS',
    message: /agent\.yaml:\d+:\d+: "collector\.token"/,
  });
  gateway.write({ site: 'elsewhere' });
  await t.rejects(gateway.enrol({ url, token }), { code: 'AGENT_ENROL_CONTRADICTS' });
  t.equal(readIdentity(gateway.dataDir), undefined, 'nothing was written');
  gateway.write({ site: 'demo' });
  await gateway.enrol({ url, token: '-' }, `${token}\n`);
  t.match(readIdentity(gateway.dataDir)?.enrolment, { site: 'demo', gateway: 'd' });

  const thief = new TestGateway(t, 'thief');
  await t.rejects(thief.enrol({ url, token }), {
    code: 'AGENT_ENROL_REFUSED',
    message: /ENROL_TOKEN_USED/,
  });
});

/** Runs statements of the agent's modules in a process of its own, which ends itself at the named step. */
async function killedAt(step: string, statements: string): Promise<void> {
  const program = `
    import { askingKey, enrolByToken } from ${JSON.stringify(join(AGENT, 'identity/enrolment.ts'))};
    import { readIdentity, writeIdentity } from ${JSON.stringify(join(AGENT, 'identity/files.ts'))};
    import { renew } from ${JSON.stringify(join(AGENT, 'identity/renewal.ts'))};
    import { parseToken } from ${JSON.stringify(join(AGENT, '../proto/enrolment.ts'))};
    const monoMs = () => performance.now();
    const wallMs = () => Date.now();
    const common = { url: ${JSON.stringify(url)}, version: '0', timeoutMs: 60_000, monoMs };
    const step = (name) => name === ${JSON.stringify(step)} && process.kill(process.pid, 'SIGKILL');
    ${statements}`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (signal !== 'SIGKILL') throw new Error(`it did not come to "${step}"`);
}

/** Of the key that asks, of the answer (which is then lost), of the journal, of its end. */
const STEPS = ['rename asking-key.pem', 'write new.json', 'write key.pem', 'remove the journal'];

t.test('killed while it enrols and while it renews: the same command again helps', async (t) => {
  for (const [index, step] of STEPS.entries()) {
    const gateway = new TestGateway(t, `killed-${index}`);
    const { dataDir } = gateway;
    const token = await tokenFor(`killed-${index}`);
    const folder = JSON.stringify(dataDir);
    await killedAt(
      step,
      `const token = parseToken(${JSON.stringify(token)});
      const key = await askingKey(${folder}, step);
      const options = { ...common, ...token, dataDir: ${folder}, wallMs };
      const { identity } = await enrolByToken(options, key, token);
      writeIdentity(${folder}, identity, step);`,
    );
    await gateway.enrol({ url, token });
    await killedAt(
      step,
      `const signal = new AbortController().signal;
      const options = { ...common, dataDir: ${folder}, installId: 'i', signal, step };
      await renew(readIdentity(${folder}), options);`,
    );
    const { signal } = new AbortController();
    const common = { url, installId: 'i', version: '0', timeoutMs: 60_000, signal };
    const options = { ...common, monoMs: () => performance.now() };
    const kept = readIdentity(dataDir);
    if (kept === undefined) throw new Error('the identity is gone');
    t.equal(await explain(kept, options), undefined, `${step}: what is left counts`);
    const renewed = await renew(kept, { ...options, dataDir });
    t.not(renewed.key, kept.key, `${step}: and is renewed`);
    t.same(readIdentity(dataDir), renewed);
  }
});

for (const [device, startMs] of [
  ['of-1970', Date.UTC(1970, 0, 1, 0, 5)],
  ['of-2090', Date.UTC(2090, 5, 1)],
] as const) {
  t.test(`a machine ${device} without a time service: right times in the store`, async (t) => {
    const gateway = new TestGateway(t, device, new BentClock(startMs - Date.now()));
    await gateway.enrol({ url, token: await tokenFor(device) });
    t.match(gateway.printed.join(''), /clock +\d+ days (behind|ahead of) the collector/);
    const saidMs: number[] = [];
    const say = async (): Promise<void> => {
      saidMs.push(Date.now());
      await gateway.say(saidMs.length);
    };
    // The agent is up before its forwarder: what is said first was timed by the wrong clock.
    const starting = gateway.start();
    await until(async () => gateway.agent !== undefined);
    await say();
    await starting;
    await until(async () => gateway.agent?.snapshot().clocks.isOverruled === true);
    await say();
    // The machine gets its time after all, and the agent goes on in right time.
    gateway.clock.aheadMs = 0;
    await until(async () => gateway.agent?.snapshot().clocks.isOverruled === false);
    await say();
    t.same(await valuesOf(device, 3), [1, 2, 3]);
    for (const [index, { time_ms: timeMs, quality }] of (await storedOf(device)).entries()) {
      const lateMs = timeMs - (saidMs[index] ?? 0);
      t.ok(Math.abs(lateMs) < SLACK_MS, `${lateMs} ms off`);
      t.equal(severityOf(quality), Severity.GOOD);
      if (index === 0) t.equal(reasonOf(quality), QualityReason.CLOCK_CORRECTED);
    }
  });
}

t.test('the command: run by root, files of the owner of data_dir', async (t) => {
  const gateway = new TestGateway(t, 'command');
  const tokenFile = join(gateway.folder, 'token');
  writeFileSync(tokenFile, await tokenFor('command'), { mode: 0o600 });
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(gateway.dataDir, 12_345, 12_345);
  writeFileSync(gateway.config, 'data_dir: ./data\n');
  const args = ['enrol', url, '--token-file', tokenFile, '--config', gateway.config];
  const agent = new AgentProcess(args);
  t.equal(await agent.exited, 0, agent.stderr);
  t.match(agent.stdout, /^enrolled +demo\/command/);
  t.match(agent.stdout, /systemctl restart fms-agent/);
  const folder = join(gateway.dataDir, 'identity');
  for (const path of [folder, ...readdirSync(folder).map((name) => join(folder, name))]) {
    t.equal(statSync(path).uid, isRoot ? 12_345 : process.getuid?.(), path);
  }
  const check = new AgentProcess(['check', '--config', gateway.config]);
  t.equal(await check.exited, 0, check.stderr);
  const again = new AgentProcess(args);
  t.equal(await again.exited, 1);
  t.match(again.stderr, /AGENT_ENROL_REFUSED: ENROL_TOKEN_USED/);
});
