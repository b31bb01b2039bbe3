/**
 * The network between agent and collector refuses connections, then drops packets silently, each for
 * longer than the keepalive. Runs in a network namespace of its own, so that packets are dropped for
 * real and nothing else on the machine is touched.
 *
 * Alone: `node test/faults/network.test.ts --seed N` (as root).
 */

import { execFileSync, spawnSync } from 'node:child_process';
import t from 'tap';
import { ofForm } from '../support/form.ts';
import { Plant, seedOfRun, until } from '../support/plant.ts';
import { account } from './support/account.ts';

// Not everybody has the administrator's programs there.
process.env.PATH += ':/usr/sbin:/sbin';
const KEEPALIVE_S = ofForm({ short: 2, long: 10 });

function canMakeNamespaces(): boolean {
  return (
    spawnSync('unshare', ['-n', 'sh', '-c', 'ip link set lo up && iptables -S'], {
      stdio: 'ignore',
    }).status === 0
  );
}

function iptables(...argv: string[]): void {
  execFileSync('iptables', ['-w', ...argv], { stdio: 'pipe' });
}

/** SYN packets that reached the counting rule of the MQTT port: attempts to connect. */
function attempts(port: number): number {
  const listing = execFileSync('iptables', ['-w', '-L', 'INPUT', '-v', '-x', '-n'], {
    encoding: 'utf8',
  });
  const line = listing
    .split('\n')
    .find((text) => text.includes('fms-attempts') && text.includes(`dpt:${port}`));
  return Number(line?.trim().split(/\s+/)[0] ?? Number.NaN);
}

// Also when run alone, without the runner's own limit.
t.setTimeout(1_200_000);

if (process.argv.includes('--inside')) {
  t.test('refused, then silently dropped', { timeout: 900_000 }, async (t) => {
    const seed = seedOfRun();
    t.comment(`seed ${seed}`);
    const plant = new Plant({
      name: 'network',
      seed,
      devices: 5,
      intervalMs: 100,
      agent: {
        forwarder: {
          keepalive_s: KEEPALIVE_S,
          publish_timeout_ms: KEEPALIVE_S * 1_000,
          backoff_max_ms: 2_000,
          state_interval_ms: 1_000,
        },
      },
    });
    t.comment(`folder ${plant.folder}`);
    t.teardown(() => plant.abandon());
    await plant.configure();
    await plant.startAll();
    const port = plant.ports.mqtt;
    iptables(
      '-A',
      'INPUT',
      '-p',
      'tcp',
      '--dport',
      String(port),
      '--syn',
      '-m',
      'comment',
      '--comment',
      'fms-attempts',
    );

    const buffered = async () => (await plant.agentStatus()).buffer.readings;
    for (const target of [['REJECT', '--reject-with', 'tcp-reset'], ['DROP']]) {
      await until('the agent to be drained', 300_000, async () => (await buffered()) < 200);
      const before = attempts(port);
      const rule = ['INPUT', '-p', 'tcp', '--dport', String(port), '-j', ...target];
      iptables('-A', ...rule);
      const began = performance.now();
      const outageMs = KEEPALIVE_S * 1_000 * 2.5;
      await until(
        `${target[0]} for ${outageMs} ms`,
        300_000,
        () => performance.now() - began > outageMs,
      );
      const made = attempts(port) - before;
      t.ok((await buffered()) > 35, `${target[0]}: the agent buffers`);
      t.ok(made >= 1, `${target[0]}: ${made} packets to connect in ${outageMs} ms: it tries`);
      t.ok(made <= 30, `${target[0]}: no reconnect storm`);
      iptables('-D', ...rule);
      await until('the agent to deliver again', 300_000, async () => (await buffered()) < 200);
    }
    const ledger = await plant.settle();
    const result = await account(plant, ledger);
    t.comment(JSON.stringify(result.summary));
    t.same(result.problems, [], 'store and truth file agree');
    t.equal(result.summary.unread, 0, 'the network costs no reading');
    if (t.passing()) plant.discard();
    else t.comment(`folder kept: ${plant.folder}`);
  });
} else if (!canMakeNamespaces()) {
  t.test(
    'cut network',
    { skip: process.env.CI === 'true' ? false : 'needs root, iproute2 and iptables' },
    async (t) => {
      t.fail('network namespaces are needed: run as root with iproute2 and iptables installed');
    },
  );
} else {
  t.spawn(
    'unshare',
    [
      '-n',
      'sh',
      '-c',
      'ip link set lo up && exec "$0" "$@"',
      process.execPath,
      import.meta.filename,
      '--inside',
      ...process.argv.slice(2),
    ],
    {},
    'in a network namespace',
  );
}
