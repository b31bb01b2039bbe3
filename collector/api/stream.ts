/**
 * Live readings for many callers at once, as server-sent events. Each text is made once and shared. A
 * caller that does not keep up loses events, never the collector's memory, and is told in an event
 * `lost`; one that reads nothing at all is cut off.
 */

import { codesOf } from '../findings.ts';
import type { AlertEntry } from '../processor/outputs/alert.ts';
import type { AnomalyEntry } from '../processor/outputs/anomaly.ts';
import type { DeviceEntry } from '../processor/outputs/device.ts';
import type { MarkEntry } from '../processor/outputs/mark.ts';
import { alertItem, anomalyItem } from './alert_items.ts';
import type { LiveDevice, LiveReading, LiveRecord } from './live/records.ts';
import { TREATMENT_NAMES } from './schemas.ts';

/** Where events go: the part of http.ServerResponse that is used. */
export interface StreamSink {
  write(text: string): boolean;
  /** Bytes written and not yet taken by the caller. */
  readonly writableLength: number;
  destroy(): void;
  end(): void;
}

export const STREAM_KINDS = ['readings', 'device', 'alert', 'anomaly'] as const;
export type StreamKind = (typeof STREAM_KINDS)[number];

export interface StreamFilter {
  site: string | undefined;
  device: string | undefined;
  /** Events that are sent; undefined: all. `hello` and `lost` always are. */
  kinds?: readonly StreamKind[] | undefined;
  /** Those that the caller may see; undefined: every one. */
  sites?: ReadonlySet<string> | undefined;
}

export interface StreamBounds {
  clients: number;
  /** Of one caller that waits to be sent. */
  bufferBytes: number;
  heartbeatMs: number;
  /** A caller that took nothing for this long is cut off. */
  stuckMs: number;
}

export const STREAM_BOUNDS: StreamBounds = {
  clients: 250,
  bufferBytes: 256 * 1024,
  heartbeatMs: 10_000,
  stuckMs: 60_000,
};

export type LostReason = 'slow' | 'trimmed' | 'too_old';

interface Client {
  sink: StreamSink;
  filter: StreamFilter;
  lost: number;
  lostTotal: number;
  /** monotonic ms since which the buffer has been over its bound; undefined: it is not. */
  overSinceMs: number | undefined;
  /** Live records that came while older ones are being sent again; undefined: live. */
  held: LiveRecord[] | undefined;
}

export interface StreamHandle {
  close(): void;
}

export interface StreamStats {
  clients: number;
  eventsTotal: number;
  lostTotal: number;
  cutOffTotal: number;
}

const HELD_RECORDS_MAX = 1_000;

export class StreamHub {
  readonly #bounds: StreamBounds;
  readonly #monoMs: () => number;
  readonly #clients = new Set<Client>();
  /** Next offset of each partition: what every live client has been sent or been told to have lost. */
  readonly #positions: number[];
  #events = 0;
  #lost = 0;
  #cutOff = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    partitions: number,
    bounds: StreamBounds = STREAM_BOUNDS,
    monoMs: () => number = () => performance.now(),
  ) {
    this.#bounds = bounds;
    this.#monoMs = monoMs;
    this.#positions = new Array<number>(partitions).fill(0);
  }

  get isFull(): boolean {
    return this.#clients.size >= this.#bounds.clients;
  }

  /** Copy. What a caller that joins now will be sent first, by partition. */
  get positions(): number[] {
    return [...this.#positions];
  }

  /** Event id for positions: `next offset` of each partition. */
  static idOf(positions: readonly number[]): string {
    return positions.join('-');
  }

  /** Undefined when the id is not one of ours or of another partition count. */
  positionsOf(id: string): number[] | undefined {
    if (!/^\d{1,15}(-\d{1,15})*$/.test(id)) return undefined;
    const parts = id.split('-').map(Number);
    return parts.length === this.#positions.length ? parts : undefined;
  }

  stats(): StreamStats {
    return {
      clients: this.#clients.size,
      eventsTotal: this.#events,
      lostTotal: this.#lost,
      cutOffTotal: this.#cutOff,
    };
  }

  setPosition(partition: number, next: number): void {
    this.#positions[partition] = next;
  }

  /** Called once a record, in offset order of its partition. */
  publish(record: LiveRecord): void {
    this.#positions[record.partition] = record.offset + 1;
    if (this.#clients.size === 0) return;
    const texts = new EventTexts(record, StreamHub.idOf(this.#positions));
    for (const client of this.#clients) {
      if (client.filter.kinds?.includes('readings') === false) continue;
      if (client.held === undefined) this.#send(client, texts);
      else if (client.held.length < HELD_RECORDS_MAX) client.held.push(record);
      else this.#lose(client, 1);
    }
  }

  /** What is known of a device changed. Not sent again to callers that come again: they ask. */
  publishDevice(entry: DeviceEntry): void {
    this.#tell('device', entry, () => deviceText(entry));
  }

  /** An alert began or changed; likewise. One of a gateway itself is of no device. */
  publishAlert(entry: AlertEntry): void {
    this.#tell('alert', entry, () => `event: alert\ndata: ${JSON.stringify(alertItem(entry))}\n\n`);
  }

  /** An anomaly began, changed or was marked; likewise. */
  publishAnomaly(entry: AnomalyEntry, mark: MarkEntry | undefined): void {
    this.#tell(
      'anomaly',
      entry,
      () => `event: anomaly\ndata: ${JSON.stringify(anomalyItem(entry, mark))}\n\n`,
    );
  }

  #tell(kind: StreamKind, about: { site: string; device: string }, make: () => string): void {
    let text: string | undefined;
    for (const client of this.#clients) {
      const { site, device, kinds, sites } = client.filter;
      if (kinds !== undefined && !kinds.includes(kind)) continue;
      if (site !== undefined && site !== about.site) continue;
      if (sites?.has(about.site) === false) continue;
      if (device !== undefined && device !== about.device) continue;
      text ??= make();
      this.#write(client, text);
    }
  }

  /** Records were not seen by the hub: everyone is told. */
  skipped(partition: number, next: number): void {
    this.#positions[partition] = next;
    for (const client of this.#clients) this.#write(client, lostEvent('trimmed', null));
  }

  /**
   * Adds a caller. `replay` yields older records up to the positions at this call; they are sent before
   * the live ones, at the caller's own pace.
   */
  attach(
    sink: StreamSink,
    filter: StreamFilter,
    replay?: { records: AsyncIterable<LiveRecord>; drained: () => Promise<void> },
  ): StreamHandle {
    const client: Client = {
      sink,
      filter,
      lost: 0,
      lostTotal: 0,
      overSinceMs: undefined,
      held: replay === undefined ? undefined : [],
    };
    this.#clients.add(client);
    this.#timer ??= setInterval(() => this.#beat(), this.#bounds.heartbeatMs).unref();
    const hello = JSON.stringify({ heartbeat_ms: this.#bounds.heartbeatMs });
    // While older records are sent again the caller's last event id must not move past them.
    const id = replay === undefined ? `id: ${StreamHub.idOf(this.#positions)}\n` : '';
    sink.write(`retry: 2000\n${id}event: hello\ndata: ${hello}\n\n`);
    if (replay) void this.#replay(client, replay);
    return { close: () => this.#remove(client) };
  }

  /** Tells a caller that what it asked to be sent again is no longer there. */
  static lostText(reason: LostReason): string {
    return lostEvent(reason, null);
  }

  close(): void {
    for (const client of [...this.#clients]) {
      client.sink.end();
      this.#remove(client);
    }
  }

  async #replay(
    client: Client,
    replay: { records: AsyncIterable<LiveRecord>; drained: () => Promise<void> },
  ): Promise<void> {
    try {
      for await (const record of replay.records) {
        if (!this.#clients.has(client)) return;
        this.#send(client, new EventTexts(record, undefined));
        if (client.sink.writableLength > this.#bounds.bufferBytes / 2) await replay.drained();
      }
    } catch {
      this.#write(client, lostEvent('trimmed', null));
    }
    const held = client.held ?? [];
    client.held = undefined;
    for (const record of held) this.#send(client, new EventTexts(record, undefined));
  }

  #send(client: Client, texts: EventTexts): void {
    const { site, device, sites } = client.filter;
    if (sites?.has(texts.record.site) === false) return;
    if (site !== undefined && site !== texts.record.site) return;
    const text = texts.forDevice(device);
    if (text === '') return;
    this.#write(client, text);
  }

  #write(client: Client, text: string): void {
    if (client.sink.writableLength > this.#bounds.bufferBytes) {
      client.overSinceMs ??= this.#monoMs();
      this.#lose(client, 1);
      return;
    }
    client.overSinceMs = undefined;
    if (client.lost > 0) {
      client.sink.write(lostEvent('slow', client.lost));
      client.lost = 0;
    }
    client.sink.write(text);
    this.#events++;
  }

  #lose(client: Client, events: number): void {
    client.lost += events;
    client.lostTotal += events;
    this.#lost += events;
  }

  #beat(): void {
    const now = this.#monoMs();
    for (const client of [...this.#clients]) {
      if (client.overSinceMs !== undefined && now - client.overSinceMs > this.#bounds.stuckMs) {
        this.#cutOff++;
        client.sink.destroy();
        this.#remove(client);
      } else if (client.sink.writableLength <= this.#bounds.bufferBytes) {
        // The id moves on even when nothing matches the caller's filter.
        const upToDate = client.held === undefined && client.lost === 0;
        const id = upToDate ? `id: ${StreamHub.idOf(this.#positions)}\n` : '';
        client.sink.write(`: still here\n${id}\n`);
      }
    }
  }

  #remove(client: Client): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0 || this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function lostEvent(reason: LostReason, events: number | null): string {
  return `event: lost\ndata: ${JSON.stringify({ reason, events })}\n\n`;
}

/** treatment and findings only where there are any: most readings have none. */
function readingItem(channel: string, reading: LiveReading): object {
  const { timeMs, value, quality, treatment, findings } = reading;
  const item = { channel, time_ms: timeMs, value, quality };
  if (treatment === 0 && findings === 0) return item;
  return { ...item, treatment: TREATMENT_NAMES[treatment], findings: codesOf(findings) };
}

function deviceText(entry: DeviceEntry): string {
  const data = {
    site: entry.site,
    device: entry.device,
    gateway: entry.gateway,
    state: entry.state,
    area: entry.area,
    line: entry.line,
    profile: entry.profile,
    last_ms: entry.lastMs,
    received_ms: entry.lastReceivedMs,
    updated_ms: entry.updatedMs,
  };
  return `event: device\ndata: ${JSON.stringify(data)}\n\n`;
}

/** The events of one record, made when the first caller wants them. */
class EventTexts {
  readonly record: LiveRecord;
  readonly #id: string | undefined;
  readonly #byDevice = new Map<string, string>();
  #all: string | undefined;

  constructor(record: LiveRecord, id: string | undefined) {
    this.record = record;
    this.#id = id;
  }

  /** '' when the record has nothing of the device. */
  forDevice(device: string | undefined): string {
    if (device === undefined) {
      this.#all ??= this.#withId(this.record.devices.map((d) => this.#textOf(d)).join(''));
      return this.#all;
    }
    const found = this.record.devices.find((d) => d.device === device);
    return found === undefined ? '' : this.#withId(this.#textOf(found));
  }

  /** The id comes after the last event of the record: a caller cut off in between gets all again. */
  #withId(text: string): string {
    return text === '' || this.#id === undefined ? text : `${text}id: ${this.#id}\n\n`;
  }

  #textOf(device: LiveDevice): string {
    const known = this.#byDevice.get(device.device);
    if (known !== undefined) return known;
    const { site, gateway, receivedMs } = this.record;
    const readings = device.series.flatMap((series) =>
      series.readings().map((reading) => readingItem(series.channel, reading)),
    );
    const data = { site, gateway, device: device.device, received_ms: receivedMs, readings };
    const text = `event: readings\ndata: ${JSON.stringify(data)}\n\n`;
    this.#byDevice.set(device.device, text);
    return text;
  }
}
