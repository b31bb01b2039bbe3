/**
 * From the two packages to the first reading on the API, on a throw-away copy of this machine without a network: what
 * a person would type, without the time for typing it. systemd does not run there: the programs are started as their
 * services start them.
 */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { ThrowawayMachine, whyNoThrowawayMachine } from '../support/throwaway-machine.ts';
import type { Figures } from './main.ts';
import { round } from './rig.ts';

const TIMEOUT_MS = 300_000;
const NODE = '/usr/lib/fms-collector/bin/node';
const SITE = 'plant';
/** A device that answers on port 9872 of that machine. */
const DEVICE = `require('node:http').createServer((request, response) =>
  response.end(JSON.stringify({ time: new Date().toISOString(), value: 1 }))).listen(9872, '127.0.0.1')`;
const DEVICES_YAML = `devices:
  - name: press-1
    reader: http
    interval_ms: 1000
    http: { url: "http://127.0.0.1:9872/", time_field: time }
    channels: { value: {} }
`;

export async function measureInstallation(
  debs: { agent: string; collector: string },
  log: (line: string) => void,
): Promise<Figures> {
  const missing = whyNoThrowawayMachine();
  if (missing !== false) {
    log(`install: not measured: ${missing}`);
    return { install_to_first_reading_s: null };
  }
  log(
    'install: dpkg -i of both, start of the collector, gateway add, enroll, one device in conf.d,',
  );
  log('start of the agent, until the API has the reading; left out: typing, systemd, the download');
  const machine = await ThrowawayMachine.make();
  const started: ChildProcess[] = [];
  try {
    const paths = Object.entries(debs).map(([name, deb]) => machine.bring(deb, `${name}.deb`));
    const beganMs = performance.now();
    const sinceS = (): number => round((performance.now() - beganMs) / 1_000);
    machine.must('dpkg', '-i', ...paths);
    const installS = sinceS();
    const start = (...command: string[]): void => void started.push(machine.start(...command));
    const asCollector = ['setpriv', '--reuid', 'fms-collector', '--regid', 'fms-collector'];
    start(...asCollector, '--clear-groups', '/usr/bin/fms-collector', 'run');
    await until('the collector', () => machine.run('fms-collector', 'health').status === 0);
    const collectorS = sinceS();
    const made = machine.must('fms-collector', 'gateway', 'add', `${SITE}/gw1`, '--json');
    const token = /fms-gw1\.[\w-]+\.[\w-]+/.exec(made)?.[0] ?? '';
    machine.must('fms-agent', 'enroll', 'mqtts://localhost:8883', token);
    const enrolS = sinceS();
    machine.must(
      'sh',
      '-c',
      `cat > /etc/fms-agent/conf.d/devices.yaml <<'END'\n${DEVICES_YAML}END`,
    );
    start(NODE, '-e', DEVICE);
    const credentials = 'mkdir -p /run/c && cp /etc/fms-agent/buffer.key /run/c/buffer.key';
    machine.must('sh', '-c', `${credentials} && chown -R fms-agent /run/c`);
    const asAgent = ['setpriv', '--reuid', 'fms-agent', '--regid', 'fms-agent', '--clear-groups'];
    start(...asAgent, 'env', 'CREDENTIALS_DIRECTORY=/run/c', '/usr/bin/fms-agent', 'run');
    await until('the reading', () => hasReading(machine));
    const figures = {
      install_to_first_reading_s: sinceS(),
      dpkg_s: installS,
      collector_ready_s: collectorS,
      enrolled_s: enrolS,
    };
    log(JSON.stringify(figures));
    return figures;
  } finally {
    await Promise.all(started.map(end));
    await machine.close();
  }
}

/** Asked of the API, by the command: the ledger counts it as stored. */
function hasReading(machine: ThrowawayMachine): boolean {
  const { stdout } = machine.run('fms-collector', 'ledger', '--json');
  return /"stored":\s*[1-9]/.test(stdout);
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + TIMEOUT_MS;
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await delay(100);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
