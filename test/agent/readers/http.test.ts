import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Test } from 'tap';
import t from 'tap';
import { httpReader } from '../../../agent/readers/http/reader.ts';
import type { PolledReader, ReaderOutput } from '../../../agent/types.ts';
import { Quality } from '../../../proto/model.ts';

const NOW = Date.UTC(2026, 10, 22, 19, 0, 0);
const clock = { wallMs: () => NOW, monoMs: () => 0 };
const quiet = new AbortController().signal;

const FMS_CHANNELS = {
  sensor1: {},
  sensor2: {},
  motor1: {},
  isFail: { type: 'boolean' },
};
const FMS_OPTIONS = { time_field: 'time', device_field: 'DeviceId' };
const ROW = {
  time: '2026-11-22T18:59:58.000Z',
  DeviceId: 'D01',
  sensor1: 23.7,
  sensor2: 45,
  motor1: 1200,
  isFail: false,
};

interface Device {
  port: number;
  url: string;
  requests: IncomingMessage[];
  sockets: Set<Socket>;
  /** What it answers from now on. */
  listener: RequestListener;
}

/** A server that answers as `listener` says, closed at the end of the test. */
async function device(t: Test, listener: RequestListener): Promise<Device> {
  const state: Device = { port: 0, url: '', requests: [], sockets: new Set(), listener };
  const server = createServer((request, response) => {
    state.requests.push(request);
    state.listener(request, response);
  });
  server.on('connection', (socket) => {
    state.sockets.add(socket);
    socket.once('close', () => state.sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  state.port = (server.address() as AddressInfo).port;
  state.url = `http://127.0.0.1:${state.port}/D01/`;
  return state;
}

function open(
  t: Test,
  options: Record<string, unknown>,
  channels: Record<string, Record<string, unknown>> = FMS_CHANNELS,
  rest: { env?: Record<string, string>; baseDir?: string } = {},
): PolledReader {
  const spec = { device: 'D01', options, channels, timeoutMs: 2_000, baseDir: rest.baseDir ?? '/' };
  t.same(httpReader.check(spec), []);
  const reader = httpReader.create(spec, { clock, env: rest.env ?? {} }) as PolledReader;
  t.teardown(() => reader.close());
  return reader;
}

/** What the FMS reader makes of one answer. */
async function readOne(
  t: Test,
  answer: (response: ServerResponse) => void,
  options: Record<string, unknown> = {},
): Promise<ReaderOutput> {
  const { url } = await device(t, (_, response) => answer(response));
  return open(t, { url, ...FMS_OPTIONS, ...options }).poll(quiet);
}

const json = (value: unknown) => (response: ServerResponse) => {
  response.end(typeof value === 'string' ? value : JSON.stringify(value));
};

t.test('a row of the FMS API', async (t) => {
  const output = await readOne(t, json(ROW));
  t.same(output, {
    samples: [
      {
        sourceTimeMs: NOW - 2_000,
        values: [
          { channel: 'sensor1', value: 23.7, quality: Quality.GOOD },
          { channel: 'sensor2', value: 45, quality: Quality.GOOD },
          { channel: 'motor1', value: 1200, quality: Quality.GOOD },
          { channel: 'isFail', value: false, quality: Quality.GOOD },
        ],
      },
    ],
    rejects: [],
  });
});

t.test('without fields for time and device both are taken as they are', async (t) => {
  const { url } = await device(t, (_, response) => response.end('{"sensor1": 1}'));
  const output = await open(t, { url }, { sensor1: {} }).poll(quiet);
  t.equal(output.samples[0]?.sourceTimeMs, undefined);
});

t.test('field mapping, naive times, device id', async (t) => {
  const body = {
    meta: { when: '2026-11-22 19:00:00', id: 7 },
    'a.b': 1,
    list: [{ v: 2 }],
    text: 'run',
    number: '5',
  };
  const { url } = await device(t, (_, response) => response.end(JSON.stringify(body)));
  const reader = open(
    t,
    {
      url,
      time_field: 'meta.when',
      time_zone: 'Asia/Seoul',
      device_field: 'meta.id',
      device_id: '7',
    },
    {
      flat: { field: 'a.b' },
      deep: { field: 'list.0.v' },
      state: { field: 'text', type: 'string' },
      number: { coerce: true },
    },
  );
  const [sample] = (await reader.poll(quiet)).samples;
  t.equal(sample?.sourceTimeMs, Date.UTC(2026, 10, 22, 10));
  t.same(
    sample?.values.map(({ value }) => value),
    [1, 2, 'run', 5],
  );
});

t.test('a bad channel beside good ones', async (t) => {
  const { sensor1, sensor2, ...rest } = ROW;
  const cases: [name: string, body: string, quality: number, value: unknown][] = [
    ['null', JSON.stringify({ ...ROW, sensor1: null }), Quality.NULL, null],
    ['missing', JSON.stringify({ ...rest, sensor2 }), Quality.NULL, null],
    ['text', JSON.stringify({ ...ROW, sensor1: '23.7' }), Quality.WRONG_TYPE, null],
    ['object', JSON.stringify({ ...ROW, sensor1: { v: 1 } }), Quality.WRONG_TYPE, null],
    ['array', JSON.stringify({ ...ROW, sensor1: [1] }), Quality.WRONG_TYPE, null],
    ['boolean', JSON.stringify({ ...ROW, sensor1: true }), Quality.WRONG_TYPE, null],
    [
      'infinite',
      JSON.stringify({ ...ROW, sensor1: 12345 }).replace('12345', '1e999'),
      Quality.NOT_FINITE,
      Infinity,
    ],
  ];
  for (const [name, body, quality, value] of cases) {
    const { samples, rejects } = await readOne(t, json(body));
    t.same(rejects, [], name);
    t.same(samples[0]?.values[0], { channel: 'sensor1', value, quality }, name);
    t.same(
      samples[0]?.values.slice(1).map((other) => other.quality),
      [0, 0, 0],
      `${name}: the others are good`,
    );
  }
});

t.test('rejects keep the payload', async (t) => {
  const { time, DeviceId, ...values } = ROW;
  const cases: [name: string, body: string, reason: string][] = [
    ['not JSON', '<html>busy</html>', 'garbage'],
    ['cut JSON', JSON.stringify(ROW).slice(0, 40), 'garbage'],
    ['two documents', `${JSON.stringify(ROW)}${JSON.stringify(ROW)}`, 'garbage'],
    ['empty', '', 'garbage'],
    ['null', 'null', 'garbage'],
    ['array', `[${JSON.stringify(ROW)}]`, 'garbage'],
    ['number', '5', 'garbage'],
    ['deep', '['.repeat(30_000), 'garbage'],
    ['NaN', JSON.stringify(ROW).replace('23.7', 'NaN'), 'garbage'],
    ['no time', JSON.stringify({ DeviceId, ...values }), 'missing_time'],
    ['null time', JSON.stringify({ ...ROW, time: null }), 'missing_time'],
    ['empty time', JSON.stringify({ ...ROW, time: '' }), 'missing_time'],
    ['bad time', JSON.stringify({ ...ROW, time: 'noon' }), 'bad_time'],
    ['time of a wrong type', JSON.stringify({ ...ROW, time: [] }), 'bad_time'],
    ['time beyond all bounds', JSON.stringify({ ...ROW, time: 1e18 }), 'bad_time'],
    ['no device', JSON.stringify({ time, ...values }), 'missing_device'],
    ['wrong device', JSON.stringify({ ...ROW, DeviceId: 'D02' }), 'wrong_device'],
    ['device of a wrong type', JSON.stringify({ ...ROW, DeviceId: { a: 1 } }), 'wrong_device'],
    ['no channel at all', JSON.stringify({ time, DeviceId, error: 'x' }), 'no_channels'],
  ];
  for (const [name, body, reason] of cases) {
    const { samples, rejects } = await readOne(t, json(body));
    t.same(samples, [], name);
    t.match(rejects, [{ reason, detail: /./ }], name);
    t.equal(Buffer.from(rejects[0]?.payload ?? []).toString(), body, `${name}: payload`);
  }
});

t.test('bytes that are not text', async (t) => {
  const utf8 = Buffer.from('{"time":"2026-11-22T19:00:00Z","DeviceId":"D01","sensor1":1,"x":"é"}');
  const latin1 = Buffer.from(utf8.toString(), 'latin1');
  const { rejects } = await readOne(t, (response) => response.end(latin1));
  t.match(rejects, [{ reason: 'garbage' }], 'Latin-1 that calls itself nothing');
  for (const [type, body] of [
    ['application/json; charset=ISO-8859-1', latin1],
    ['application/json; charset="utf-8"', utf8],
    ['application/json; charset=klingon', utf8],
    ['text/plain', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), utf8])],
  ] as const) {
    const { samples } = await readOne(t, (response) => {
      response.setHeader('content-type', type).end(body);
    });
    t.equal(samples.length, 1, type);
  }
  const packed = await readOne(t, (response) => {
    response.setHeader('content-encoding', 'gzip').end(gzipSync(utf8));
  });
  t.match(packed.rejects, [{ reason: 'garbage', detail: /gzip/ }]);
});

t.test('too large', async (t) => {
  t.test('by its own account', async (t) => {
    const { rejects } = await readOne(t, json(`{"x":"${'y'.repeat(2_000)}"}`), {
      max_bytes: 1_000,
    });
    t.match(rejects, [{ reason: 'too_large' }]);
    t.equal(rejects[0]?.payload.length, 1_024, 'the head is kept');
  });
  t.test('without end and without a length: the stream is cut off', async (t) => {
    let sent = 0;
    const dev = await device(t, (_, response) => {
      const part = Buffer.alloc(16_384, 'x');
      const write = (): void => {
        while (!response.destroyed && response.write(part)) sent += part.length;
      };
      response.on('drain', write);
      write();
    });
    const reader = open(t, { url: dev.url, ...FMS_OPTIONS, max_bytes: 100_000 });
    const { rejects } = await reader.poll(quiet);
    t.match(rejects, [{ reason: 'too_large', detail: /100000/ }]);
    while (dev.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    t.ok(sent < 20_000_000, `${sent} bytes left the device`);
    dev.listener = (_, response) => response.end(JSON.stringify(ROW));
    t.equal((await reader.poll(quiet)).samples.length, 1, 'and the next poll is fine');
  });
  t.test('exactly the limit passes', async (t) => {
    const body = JSON.stringify({ ...ROW, pad: '' });
    const padded = JSON.stringify({ ...ROW, pad: 'x'.repeat(1_000 - body.length) });
    t.equal((await readOne(t, json(padded), { max_bytes: 1_000 })).samples.length, 1);
  });
});

t.test('status codes', async (t) => {
  const dev = await device(t, () => {});
  const reader = open(t, { url: dev.url, ...FMS_OPTIONS });
  const answer = async (status: number, headers: Record<string, string> = {}) => {
    dev.listener = (_, response) => {
      response.writeHead(status, headers).end('sorry');
    };
    return reader.poll(quiet).then(
      () => undefined,
      (error: unknown) => error,
    );
  };
  for (const status of [400, 401, 403, 404, 410, 304, 301]) {
    const error = await answer(status);
    t.match(error, { name: 'ReaderFailure', message: `HTTP ${status}`, retryable: false });
  }
  for (const status of [408, 429, 500, 502, 503, 504]) {
    const error = await answer(status);
    t.match(error, { message: `HTTP ${status}`, retryable: true, retryAfterMs: undefined });
  }
  for (const status of [429, 503]) {
    t.match(await answer(status, { 'retry-after': '7' }), { retryAfterMs: 7_000 });
  }
  const date = new Date(NOW + 30_000).toUTCString();
  const deviceDate = new Date(NOW - 60_000).toUTCString();
  t.match(await answer(503, { 'retry-after': date, date: deviceDate }), { retryAfterMs: 90_000 });
  dev.listener = (_, response) => {
    response.sendDate = false;
    response.writeHead(503, { 'retry-after': date }).end();
  };
  // Without a Date our own clock counts.
  await t.rejects(reader.poll(quiet), { message: 'HTTP 503', retryAfterMs: 30_000 });
  t.match(await answer(503, { 'retry-after': deviceDate, date }), { retryAfterMs: 0 }, 'past');
  t.match(await answer(503, { 'retry-after': 'soon' }), { retryAfterMs: undefined });
  t.match(await answer(503, { 'retry-after': '-5' }), { retryAfterMs: undefined });
  t.equal(dev.sockets.size, 1, 'one connection for all of it');
});

t.test('connections', async (t) => {
  t.test('one for many polls', async (t) => {
    const dev = await device(t, (_, response) => response.end(JSON.stringify(ROW)));
    const reader = open(t, { url: dev.url, ...FMS_OPTIONS });
    const ports = new Set<number | undefined>();
    for (let i = 0; i < 50; i++) {
      await reader.poll(quiet);
      ports.add(dev.requests.at(-1)?.socket.remotePort);
    }
    t.equal(ports.size, 1);
    await reader.close();
    while (dev.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    t.pass('and none after the close');
  });
  t.test(
    'a device that closes after each answer, or in the moment of the next question',
    async (t) => {
      let closeNext = false;
      const dev = await device(t, (request, response) => {
        if (closeNext) {
          closeNext = false;
          request.socket.destroy();
        } else response.end(JSON.stringify(ROW));
      });
      const reader = open(t, { url: dev.url, ...FMS_OPTIONS });
      for (let i = 0; i < 10; i++) {
        t.equal((await reader.poll(quiet)).samples.length, 1);
        closeNext = i % 2 === 0;
      }
    },
  );
  t.test('a fresh connection that is closed is a failure', async (t) => {
    const dev = await device(t, (request) => request.socket.destroy());
    const reader = open(t, { url: dev.url, ...FMS_OPTIONS });
    await t.rejects(reader.poll(quiet), { name: 'ReaderFailure', retryable: true });
    t.equal(dev.requests.length, 1);
  });
  t.test('an answer that ends in its middle is a failure', async (t) => {
    for (const headers of [{ 'content-length': '1000' }, { 'transfer-encoding': 'chunked' }]) {
      const dev = await device(t, (request, response) => {
        response.writeHead(200, headers);
        response.write('{"time":', () => request.socket.destroy());
      });
      const reader = open(t, { url: dev.url, ...FMS_OPTIONS });
      await t.rejects(reader.poll(quiet), { name: 'ReaderFailure' });
    }
  });
  t.test('an abort in the middle of a body', async (t) => {
    const dev = await device(t, (_, response) => {
      response.writeHead(200);
      response.write('{"time":');
    });
    const reader = open(t, { url: dev.url, ...FMS_OPTIONS });
    const abort = new AbortController();
    const poll = reader.poll(abort.signal);
    while (dev.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort(new Error('enough'));
    await t.rejects(poll, /enough/);
    while (dev.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    t.pass('the connection is gone');
  });
  t.test('nothing that is HTTP', async (t) => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.end(`SSH-2.0-OpenSSH\r\n${'x'.repeat(100_000)}`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as AddressInfo;
    const reader = open(t, { url: `http://127.0.0.1:${port}/` });
    await t.rejects(reader.poll(quiet), { name: 'ReaderFailure', message: /127\.0\.0\.1/ });
  });
  t.test('endless headers', async (t) => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.write(`HTTP/1.1 200 OK\r\n${'x-a: bbbbbbbbbbbbbbbb\r\n'.repeat(20_000)}`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as AddressInfo;
    const reader = open(t, { url: `http://127.0.0.1:${port}/` });
    await t.rejects(reader.poll(quiet), { name: 'ReaderFailure' });
  });
});

t.test('redirects stay with their host', async (t) => {
  const other = await device(t, (_, response) => response.end(JSON.stringify(ROW)));
  const dev = await device(t, (request, response) => {
    if (request.url === '/D01/') response.writeHead(302, { location: '/new/' }).end();
    else if (request.url === '/loop/') response.writeHead(302, { location: '/loop/' }).end();
    else if (request.url === '/away/') response.writeHead(302, { location: other.url }).end();
    else response.end(JSON.stringify(ROW));
  });
  const secret = { headers: { 'x-key': 'secret' } };
  const here = open(t, { url: dev.url, ...FMS_OPTIONS });
  t.equal((await here.poll(quiet)).samples.length, 1);
  const root = dev.url.replace('/D01/', '');
  const loop = open(t, { url: `${root}/loop/`, ...FMS_OPTIONS });
  await t.rejects(loop.poll(quiet), { message: /redirected/, retryable: false });
  const away = open(t, { url: `${root}/away/`, ...FMS_OPTIONS, ...secret });
  await t.rejects(away.poll(quiet), { message: /redirected/, retryable: false });
  t.equal(other.requests.length, 0, 'the other host was not asked');
});

t.test('credentials', async (t) => {
  const dir = t.testdir({ token: 'first\n', password: 'p w' });
  const seen: (string | undefined)[] = [];
  const dev = await device(t, (request, response) => {
    seen.push(request.headers.authorization);
    if (request.headers.authorization === 'Bearer first') response.writeHead(401).end();
    else response.end(JSON.stringify(ROW));
  });
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
  const ask = (options: Record<string, unknown>, env = {}): Promise<ReaderOutput> =>
    open(t, { url: dev.url, ...options }, undefined, { env, baseDir: dir }).poll(quiet);

  await ask({});
  await ask({ username: 'u', password: 'p' });
  await ask({ username: 'u', password_file: 'password' });
  await ask({ token_env: 'KEY' }, { KEY: 'fromenv' });
  await ask({ token: 'inline', headers: { 'x-other': 'y' } });
  t.same(seen, [undefined, basic('u:p'), basic('u:p w'), 'Bearer fromenv', 'Bearer inline']);
  t.equal(dev.requests.at(-1)?.headers['x-other'], 'y');

  const renewed = open(t, { url: dev.url, token_file: 'token' }, undefined, { baseDir: dir });
  await t.rejects(renewed.poll(quiet), { message: 'HTTP 401', retryable: false });
  writeFileSync(`${dir}/token`, 'second\n');
  t.equal((await renewed.poll(quiet)).samples.length, 1, 'the renewed file is read');

  await t.rejects(ask({ token_env: 'NONE' }), { message: /NONE/, retryable: false });
  await t.rejects(ask({ token_file: 'absent' }), { message: /ENOENT/, retryable: false });
});

/** A certificate for localhost that is its own authority. */
function makeCertificate(dir: string): { key: Buffer; cert: Buffer } {
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const files = ['-keyout', `${dir}/key`, '-out', `${dir}/ca.pem`];
  execFileSync('openssl', [...args, ...names, ...files], { stdio: 'ignore' });
  return { key: readFileSync(`${dir}/key`), cert: readFileSync(`${dir}/ca.pem`) };
}

const noOpenssl =
  spawnSync('openssl', ['version']).status !== 0 && 'no openssl program to make a certificate with';

t.test('https with an authority of its own', { skip: noOpenssl }, async (t) => {
  const dir = t.testdir({});
  const pair = makeCertificate(dir);
  const server = createHttpsServer(pair, (_, response) => response.end(JSON.stringify(ROW)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const url = `https://localhost:${(server.address() as AddressInfo).port}/D01/`;
  const trusting = open(t, { url, ca_file: 'ca.pem', ...FMS_OPTIONS }, undefined, { baseDir: dir });
  t.equal((await trusting.poll(quiet)).samples.length, 1);
  await t.rejects(open(t, { url }).poll(quiet), { name: 'ReaderFailure', message: /certificate/ });
});

t.test('configuration mistakes that no schema sees', async (t) => {
  const check = (options: Record<string, unknown>): unknown =>
    httpReader
      .check({ device: 'D', options, channels: {}, timeoutMs: 1, baseDir: '/' })
      .map(({ path }) => path.join('.'));
  const url = 'http://d/';
  t.same(check({ url: 'http://' }), ['http.url']);
  t.same(check({ url: 'http://u:p@d/' }), ['http.url']);
  t.same(check({ url, time_zone: 'Mars/Olympus' }), ['http.time_zone']);
  t.same(check({ url, token: 'a', token_file: 'b' }), ['http.token_file']);
  t.same(check({ url, password: 'a' }), ['http.password']);
  t.same(check({ url, username: 'u', token: 'a' }), ['http.token']);
  t.same(check({ url, ca_file: 'x' }), ['http.ca_file']);
  t.same(check({ url, headers: { 'a b': 'c' } }), ['http.headers.a b']);
  t.same(check({ url, headers: { a: 'c\r\nd: e' } }), ['http.headers.a']);
  t.same(check({ url, username: 'u', password_env: 'X', headers: { a: 'b' } }), []);
});
