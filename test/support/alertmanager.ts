/** Debian's real Alertmanager on a port of the loopback. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import { freePort } from './free-port.ts';
import { findProgram } from './programs.ts';

/** As it answers. */
export interface SeenAlert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt: string;
  endsAt: string;
}

export interface Alertmanager {
  url: string;
  /** What is active now. */
  active(): Promise<SeenAlert[]>;
  /** Asks until it is so. */
  until(isSo: (active: SeenAlert[]) => boolean): Promise<SeenAlert[]>;
}

export async function startAlertmanager(t: Test, hookUrl: string): Promise<Alertmanager> {
  const program = findProgram('prometheus-alertmanager');
  if (program === undefined)
    throw new Error('prometheus-alertmanager is missing: npm test says what to install');
  const folder = mkdtempSync(join(tmpdir(), 'fms-alertmanager-'));
  const port = await freePort();
  const config = join(folder, 'alertmanager.yml');
  writeFileSync(
    config,
    `route: {receiver: hook, group_by: [alertname], group_wait: 10ms, group_interval: 100ms}
receivers: [{name: hook, webhook_configs: [{url: "${hookUrl}"}]}]
`,
  );
  const child = spawn(
    program,
    [
      `--config.file=${config}`,
      `--storage.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-4_000);
  });
  t.teardown(async () => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  const active = async (): Promise<SeenAlert[]> => {
    const response = await fetch(`${url}/api/v2/alerts?active=true`);
    return (await response.json()) as SeenAlert[];
  };
  const until: Alertmanager['until'] = async (isSo) => {
    const endMs = performance.now() + 120_000;
    for (;;) {
      const alerts = await active().catch(() => undefined);
      if (alerts !== undefined && isSo(alerts)) return alerts;
      if (performance.now() > endMs)
        throw new Error(`not within two minutes: ${isSo}; ${JSON.stringify(alerts)}\n${said}`);
      await delay(25);
    }
  };
  await until(() => true);
  return { url, active, until };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
