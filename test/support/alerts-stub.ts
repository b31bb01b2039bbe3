/**
 * A server for tests of the pages: real pages, headers and empty lists of the collector's API, and in front
 * of it alerts, anomalies, silences, devices and readings as a test wants them, with a stream that tells of changes.
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { AccessPolicy } from '../../collector/access/access.ts';
import { createApi } from '../../collector/api/server.ts';
import { fakeAccess, fakeContext } from './api-context.ts';

export type StubAlert = ReturnType<typeof stubAlert>;
export type StubAnomaly = ReturnType<typeof stubAnomaly>;
export type StubSilence = Record<string, string | number> & { id: string };

type Json = Record<string, unknown>;

interface Answer {
  status: number;
  body: unknown;
}

/** An alert of D01 as the API shows it; `more` overrides. */
export function stubAlert(id: string, more: Json = {}) {
  const nowMs = Date.now();
  return {
    id: id.padStart(16, '0'),
    site: 'demo',
    gateway: 'gw1',
    device: 'D01',
    area: 'Press shop',
    line: 'L1',
    rule: 'temperature_high',
    severity: 'WARNING',
    state: 'firing',
    title: 'Temperature is high',
    title_ko: '온도가 높음',
    summary: 'sensor1 is 92.4 °C, over 90 °C.',
    summary_ko: 'sensor1이 92.4 °C로 90 °C를 넘었습니다.',
    values: { sensor1: 92.4 } as Json,
    started_ms: nowMs - 200_000,
    fired_ms: (nowMs - 190_000) as number | null,
    acknowledged_ms: null as number | null,
    acknowledged_by: '',
    acknowledged_note: '',
    resolved_ms: null as number | null,
    resolved_by: '',
    silence: '',
    inhibited_by: '',
    version: 1,
    received_ms: nowMs,
    updated_ms: nowMs,
    ...more,
  };
}

/** An anomaly of D01 as the API shows it; `more` overrides. */
export function stubAnomaly(id: string, more: Json = {}) {
  const nowMs = Date.now();
  return {
    id: id.padStart(16, '0'),
    site: 'demo',
    gateway: 'gw1',
    device: 'D01',
    detector: 'novelty',
    channel: 'sensor1',
    state: 'ended',
    onset_ms: nowMs - 200_000,
    peak_ms: nowMs - 150_000,
    end_ms: (nowMs - 120_000) as number | null,
    score: 0.871,
    value: 92.42 as number | null,
    expected_low: 21 as number | null,
    expected_high: 27.5 as number | null,
    reason: {
      en: 'sensor1 is 92.42 °C; at this hour it is usually 21 to 27.5 °C. Since 2026-03-01 22:30:00 UTC.',
      ko: 'sensor1이 92.42 °C입니다. 이 시간대에는 보통 21~27.5 °C입니다.',
    },
    channels: [{ channel: 'motor1', detector: 'novelty', score: 0.6 }],
    maintenance: '',
    mark: null as string | null,
    marked_by: null as string | null,
    marked_note: null as string | null,
    marked_ms: null as number | null,
    version: 1,
    updated_ms: nowMs,
    ...more,
  };
}

/** A device that reads now, as /api/v1/devices shows it. */
export function stubDevice(device: string): Json {
  const channels = Object.entries(UNITS).map(([channel, unit]) => ({
    channel,
    title: { en: channel, ko: channel },
    unit,
    time_ms: Date.now(),
    value: 24.5,
    quality: 0,
    decimals: 2,
    kind: 'number',
    min: 0,
    max: 100,
    treatment: 'kept',
    findings: [],
    attention_when: null,
  }));
  const place = { site: 'demo', gateway: 'gw1', area: 'Press shop', line: 'L1' };
  const judged = {
    profile: 'fms',
    unprofiled: false,
    state: 'online',
    expected_interval_ms: 1_000,
  };
  return { ...place, ...judged, device, interval_ms: 1_000, channels };
}

const UNITS = { sensor1: '°C', sensor2: '%', motor1: 'rpm' };

export class AlertsStub {
  readonly alerts = new Map<string, StubAlert>();
  readonly anomalies = new Map<string, StubAnomaly>();
  readonly silences = new Map<string, StubSilence>();
  devices: Json[] = [];
  readings: Json[] = [];
  events: Json[] = [];
  /** What was asked to be changed. */
  readonly changes: { method: string; path: string; body: Json }[] = [];
  /** In place of doing what is asked. */
  refusal: { status: number; code: string; message: string; hint: string } | undefined;
  /** While true, nothing is answered but streams. */
  isBroken = false;
  readonly #streams = new Set<ServerResponse>();
  #api: FastifyInstance | undefined;
  #server: Server | undefined;

  get base(): string {
    const address = this.#server?.address() as AddressInfo | undefined;
    return `http://127.0.0.1:${address?.port}`;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  async start(policy: Partial<AccessPolicy> = {}): Promise<void> {
    const context = fakeContext(Date.now(), {
      clock: { wallMs: () => Date.now() },
      access: fakeAccess(Date.now(), policy),
    });
    this.#api = await createApi(context, { allowedHosts: [], onDefect: () => undefined });
    const server = createServer((request, response) => {
      this.#serve(request, response).catch((error) => response.destroy(error));
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
    await this.#api?.close();
  }

  /** The stream does not tell of it. */
  add(alert: StubAlert): void {
    this.alerts.set(alert.id, alert);
  }

  /** New or changed; the stream tells of it. */
  putAlert(alert: StubAlert): void {
    this.add(alert);
    this.#tell('alert', alert);
  }

  putAnomaly(anomaly: StubAnomaly): void {
    this.anomalies.set(anomaly.id, anomaly);
    this.#tell('anomaly', anomaly);
  }

  /** Five minutes of every channel, each second; in sensor2 the rules doubt those of the middle minute. */
  fillReadings(): void {
    const nowMs = Date.now();
    for (const channel of Object.keys(UNITS))
      for (let second = -300; second < 0; second++) {
        const isDoubted = channel === 'sensor2' && Math.abs(second + 150) < 30;
        this.readings.push({
          channel,
          time_ms: nowMs + second * 1_000,
          value: 24 + 3 * Math.sin(second / 9),
          quality: 0,
          raw_value: null,
          treatment: isDoubted ? 'flagged' : 'kept',
          findings: isDoubted ? ['outlier'] : [],
          gateway: 'gw1',
          epoch: '0123456789abcdef',
          seq: this.readings.length + 1,
          received_ms: nowMs + second * 1_000 + 200,
        });
      }
  }

  cutStreams(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  #tell(event: string, data: object): void {
    for (const stream of this.#streams)
      stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://stub');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const payload = Buffer.concat(chunks);
    if (url.pathname === '/api/v1/stream') {
      this.#stream(response);
      return;
    }
    if (this.isBroken && url.pathname.startsWith('/api/')) {
      response.destroy();
      return;
    }
    const answer = this.#answer(request.method ?? 'GET', url, payload);
    if (answer !== undefined) {
      response.writeHead(answer.status, { 'content-type': 'application/json; charset=utf-8' });
      response.end(JSON.stringify(answer.body));
      return;
    }
    const real = await this.#api?.inject({
      method: request.method as 'GET',
      url: request.url ?? '/',
      headers: { ...request.headers, host: 'localhost' },
      payload,
    });
    response.writeHead(real?.statusCode ?? 500, real?.headers as Record<string, string>);
    response.end(real?.rawPayload);
  }

  #stream(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write('retry: 100\nevent: hello\ndata: {"heartbeat_ms":10000}\n\n');
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
  }

  /** Undefined: the real API's. */
  #answer(method: string, url: URL, payload: Buffer): Answer | undefined {
    const [, , , list = '', id = '', action = ''] = url.pathname.split('/');
    if (method === 'GET') return this.#list(list, id, url.searchParams);
    const body = payload.length === 0 ? {} : (JSON.parse(String(payload)) as Json);
    this.changes.push({ method, path: url.pathname, body });
    if (this.refusal !== undefined) {
      const { status, ...error } = this.refusal;
      return { status, body: { error } };
    }
    if (action === 'acknowledge') this.#acknowledge(id, body);
    else if (action === 'mark') this.#mark(id, body);
    else if (method === 'POST') return this.#silence(body);
    else if (method === 'PATCH') this.#changeSilence(id, body);
    else this.#endSilence(id);
    return { status: 202, body: { accepted: true, log_partition: 0, log_offset: 1 } };
  }

  #list(list: string, id: string, query: URLSearchParams): Answer | undefined {
    if (list === 'alerts' && id !== '') return one(this.alerts.get(id));
    if (list === 'alerts') return ok(page(this.#alertsOf(query), query));
    if (list === 'events') return ok(page(this.events, query));
    if (list === 'anomalies' && id === 'summary') return ok({ items: this.#summary() });
    if (list === 'anomalies') {
      const own = [...this.anomalies.values()].filter(
        (anomaly) =>
          isAsked(anomaly, query, ['site', 'device', 'detector', 'state']) &&
          (!query.has('mark') || (anomaly.mark ?? 'none') === query.get('mark')),
      );
      return ok(
        page(
          own.sort((a, b) => b.onset_ms - a.onset_ms),
          query,
        ),
      );
    }
    if (list === 'silences') return ok(page(this.#silencesOf(query), query));
    if (list === 'devices' && id === '') {
      const now = { last_ms: Date.now(), received_ms: Date.now() };
      const asked = query.get('device');
      const items = this.devices
        .filter(({ device }) => asked === null || device === asked)
        .map((device) => ({ ...device, ...now }));
      return ok({ items, next: null, total: items.length });
    }
    if (list === 'readings')
      return ok({ items: query.has('step_ms') ? [] : this.readings, next: null });
    return undefined;
  }

  #alertsOf(query: URLSearchParams): StubAlert[] {
    const state = query.get('state');
    return [...this.alerts.values()]
      .filter((alert) => (state === null ? alert.state !== 'resolved' : alert.state === state))
      .filter((alert) => isAsked(alert, query, ['site', 'line', 'severity', 'rule']))
      .filter(({ started_ms }) => started_ms >= Number(query.get('from') ?? 0))
      .sort((a, b) => b.started_ms - a.started_ms);
  }

  #silencesOf(query: URLSearchParams): StubSilence[] {
    const ended = query.get('ended');
    return [...this.silences.values()].filter(
      ({ until_ms }) => ended === null || Number(until_ms) <= Date.now() === (ended === 'true'),
    );
  }

  #summary(): Json[] {
    const of = Map.groupBy(this.anomalies.values(), ({ detector }) => detector);
    return [...of].map(([detector, own]) => {
      const marked = (mark: string | null) => own.filter((one) => one.mark === mark).length;
      return {
        detector,
        anomalies: own.length,
        marked_true: marked('true'),
        marked_false: marked('false'),
        marked_maintenance: marked('maintenance'),
        unmarked: marked(null),
      };
    });
  }

  #acknowledge(id: string, { by, note }: Json): void {
    const alert = this.alerts.get(id);
    if (alert === undefined) return;
    this.putAlert({
      ...alert,
      state: 'acknowledged',
      acknowledged_ms: Date.now(),
      acknowledged_by: String(by),
      acknowledged_note: String(note),
      version: alert.version + 1,
    });
  }

  #mark(id: string, { mark, by, note }: Json): void {
    const anomaly = this.anomalies.get(id);
    if (anomaly === undefined) return;
    this.putAnomaly({
      ...anomaly,
      mark: String(mark),
      marked_by: String(by),
      marked_note: String(note),
      marked_ms: Date.now(),
    });
  }

  #silence(body: Json): Answer {
    const id = `s${this.silences.size + 1}`;
    this.silences.set(id, { from_ms: Date.now(), ...body, id, state: 'active' } as StubSilence);
    for (const alert of this.alerts.values())
      if (body.device === '*' || body.device === alert.device)
        this.putAlert({ ...alert, silence: id, version: alert.version + 1 });
    return { status: 202, body: { id } };
  }

  #changeSilence(id: string, body: Json): void {
    const silence = this.silences.get(id);
    if (silence !== undefined) this.silences.set(id, { ...silence, ...body } as StubSilence);
  }

  #endSilence(id: string): void {
    const silence = this.silences.get(id);
    if (silence !== undefined) this.silences.set(id, { ...silence, until_ms: Date.now() });
    for (const alert of this.alerts.values())
      if (alert.silence === id)
        this.putAlert({ ...alert, silence: '', version: alert.version + 1 });
  }
}

function one(item: unknown): Answer {
  if (item !== undefined) return ok(item);
  const error = { code: 'API_NOT_FOUND', message: 'no such thing', hint: '' };
  return { status: 404, body: { error } };
}

/** Parameters that were not asked for match everything. */
function isAsked(item: object, query: URLSearchParams, names: readonly string[]): boolean {
  const values = item as Record<string, unknown>;
  return names.every((name) => !query.has(name) || values[name] === query.get(name));
}

function ok(body: unknown): Answer {
  return { status: 200, body };
}

function page<Item>(items: Item[], query: URLSearchParams): { items: Item[]; next: string | null } {
  const from = Number(query.get('cursor') ?? 0);
  const to = from + Number(query.get('limit') ?? 100);
  return { items: items.slice(from, to), next: to < items.length ? String(to) : null };
}
