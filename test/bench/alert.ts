/**
 * From the publish of a reading that fires an alert until a webhook has it: a real collector as a process of
 * its own with the rules as shipped (isFail is CRITICAL at once), readings over MQTT, one device after the other.
 */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fmsRow, Publisher } from '../support/publisher.ts';
import type { BenchOptions, Figures } from './main.ts';
import { quantile, Rig } from './rig.ts';

/** The profile as shipped is for devices D00 to D99. */
const ALERTS = 100;
/** Between two alerts, at random: they meet ticks and commits at any moment. */
const EVERY_MIN_MS = 50;
const EVERY_MAX_MS = 250;
const LOST_MS = 15_000;

export async function run({ log, dataDir }: BenchOptions): Promise<Figures> {
  log(`${ALERTS} devices fail one after the other; each fires an alert of its own`);
  log('counted: from the publish of the row until the webhook has the whole request; it tells of');
  log('each alert by itself (group_seconds 0), else those after the first wait for their group');
  log('left out: TLS; a network; the agent, which sends what it reads within its batch time');
  const figures = await measureAlertLatency(dataDir);
  log('target: alert_p99_ms ≤ 1,000');
  return figures;
}

/** Also a part of the bench detect. alerts: how many were fired; alert_copies: how many came more than once. */
export async function measureAlertLatency(dataDir?: string): Promise<Figures> {
  const hook = await listen();
  const receivers = [{ name: 'hook', type: 'webhook', url: hook.url, group_seconds: 0 }];
  const rig = new Rig({ name: 'alert', dataDir, collector: { notify: { receivers } } });
  try {
    await rig.start();
    const { port } = new URL(rig.fleet.url);
    const login = { port: Number(port), site: 'demo', gateway: 'bench', token: rig.token };
    const publisher = await Publisher.connect(login);
    const took: number[] = [];
    try {
      for (let i = 0; i < ALERTS; i++) {
        took.push(await fail(publisher, hook, `D${String(i).padStart(2, '0')}`));
        await delay(EVERY_MIN_MS + Math.random() * (EVERY_MAX_MS - EVERY_MIN_MS));
      }
    } finally {
      await publisher.close();
    }
    return {
      alert_p50_ms: Math.round(quantile(took, 0.5)),
      alert_p99_ms: Math.round(quantile(took, 0.99)),
      alert_max_ms: Math.round(quantile(took, 1)),
      alerts: took.length,
      alert_copies: hook.copies(),
    };
  } finally {
    await rig.close();
    hook.close();
  }
}

interface Hook {
  url: string;
  /** Resolves with when it came, on performance.now(). */
  heard(device: string): Promise<number>;
  copies(): number;
  close(): void;
}

/** Milliseconds from its publish until the webhook has it. */
async function fail(publisher: Publisher, hook: Hook, device: string): Promise<number> {
  const row = fmsRow(device, Date.now());
  const failed = row.map((one) => (one.channel === 'isFail' ? { ...one, value: true } : one));
  const heard = hook.heard(device);
  const fromMs = performance.now();
  await publisher.readings(failed);
  const lost = new AbortController();
  const late = delay(LOST_MS, undefined, { signal: lost.signal }).then(() => {
    throw new Error(`no alert of ${device} within ${LOST_MS} ms`);
  });
  late.catch(() => undefined);
  try {
    return (await Promise.race([heard, late])) - fromMs;
  } finally {
    lost.abort();
  }
}

async function listen(): Promise<Hook> {
  const waiting = new Map<string, (atMs: number) => void>();
  const seen = new Map<string, number>();
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const atMs = performance.now();
      const { alerts } = JSON.parse(Buffer.concat(parts).toString('utf8')) as {
        alerts: { key: string; device: string }[];
      };
      for (const { key, device } of alerts) {
        seen.set(key, (seen.get(key) ?? 0) + 1);
        waiting.get(device)?.(atMs);
      }
      response.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/`,
    heard: (device) => new Promise((resolve) => waiting.set(device, resolve)),
    copies: () => [...seen.values()].filter((count) => count > 1).length,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
