/** `fms-collector health`, for supervisors that can only run a program. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { health } from '../../collector/commands/health.ts';
import { freePort } from '../support/free-port.ts';

const answers: Record<string, [number, string]> = {
  '/healthz': [200, '{"status":"ok","version":"0.1.0"}'],
  '/readyz': [200, '{"ready":true,"checks":[]}'],
};
const server = createServer((question, answer) => {
  const [status, body] = answers[question.url ?? ''] ?? [404, ''];
  seen.push(String(question.headers.authorization));
  answer.writeHead(status).end(body);
});
const seen: string[] = [];
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
t.teardown(() => server.close());
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function ask(options: { ready?: boolean; url?: string }): Promise<[number, string]> {
  const said: string[] = [];
  const output = {
    log: (line: string) => said.push(line),
    error: (line: string) => said.push(line),
  };
  const env = { FMS_COLLECTOR_TOKEN: 'secret-of-the-test' };
  const code = await health({ config: '/nowhere/collector.yaml', url, ...options }, env, output);
  return [code, said.join('\n')];
}

t.test('alive and ready', async (t) => {
  t.same(await ask({}), [0, 'alive']);
  t.same(await ask({ ready: true }), [0, 'ready']);
  t.same(new Set(seen), new Set(['undefined']), 'no token is shown');
});

t.test('not ready: which parts, and why', async (t) => {
  const checks = [
    { name: 'log', ready: true, reason: '' },
    { name: 'store', ready: false, reason: 'STORE_UNAVAILABLE: no answer' },
    { name: 'view', ready: false, reason: 'not read yet' },
  ];
  answers['/readyz'] = [503, JSON.stringify({ ready: false, checks })];
  const reasons = 'store (STORE_UNAVAILABLE: no answer), view (not read yet)';
  t.same(await ask({ ready: true }), [1, `not ready: ${reasons}`]);
  t.same(await ask({}), [0, 'alive'], 'alive all the same');
  answers['/readyz'] = [502, '<html>a proxy</html>'];
  t.same(await ask({ ready: true }), [1, 'not ready: <html>a proxy</html>']);
});

t.test('nobody answers', async (t) => {
  const [code, said] = await ask({ url: `http://127.0.0.1:${await freePort()}` });
  t.equal(code, 3);
  t.match(said, /^COLLECTOR_UNREACHABLE: .*ECONNREFUSED/);
});

t.test('mistakes in the configuration', async (t) => {
  const said: string[] = [];
  const output = { log: () => undefined, error: (line: string) => said.push(line) };
  t.equal(await health({ config: '/nowhere/collector.yaml' }, {}, output), 2);
  t.match(said.join('\n'), 'COLLECTOR_CONFIG_UNREADABLE');
});
