/**
 * The alerts of one gateway and its devices. Deterministic. Which alerts there are is hard state; what is
 * pending, baselines and counters are soft state.
 *
 * Readings are judged as they come, in their own time. What is about log time (silence, latency, the
 * gateway itself, silences of people) is judged by tick(), at most once a second.
 */

import type { AcknowledgeValue, SilenceValue } from '../../types.ts';
import type { AnomalyChange } from '../anomaly/detection.ts';
import { DEVICES_PER_GATEWAY_MAX } from '../limits.ts';
import type { AlertEntry } from '../outputs/alert.ts';
import { parseJson } from '../parse.ts';
import { eachRun } from '../validation/run.ts';
import type { AlertContext, AlertInput } from './context.ts';
import type { EncodedDevice } from './device.ts';
import { DeviceWatch } from './device.ts';
import { DeviceLooks } from './device_looks.ts';
import { AlertEntries } from './entries.ts';
import type { EncodedGateway } from './gateway.ts';
import { GatewayOwn } from './gateway.ts';
import { ALERTS_FULL_FOR_MS, BEHIND_INFO_SECONDS } from './limits.ts';
import { DeviceRows } from './rows.ts';

const FORMAT = 1;
/** Of devices at the bound, this part makes room at a time. */
const EVICTED_PART = 16;
const NEVER = Number.POSITIVE_INFINITY;

interface Encoded {
  format: number;
  dueMs: number | null;
  standMs: number | null;
  isReviewDue: boolean;
  anewMs: number;
  backMs: number;
  batch: { receivedMs: number; newestMs: number | null };
  refused: number;
  refusedMs: number;
  isGatewaySilent: boolean;
  own: EncodedGateway;
  devices: EncodedDevice[];
}

/** What a chunk has of a device; one for all gateways: it matters only while a chunk is judged. */
interface Part {
  device: DeviceWatch;
  rows: DeviceRows;
}

export class GatewayAlerts {
  readonly #entries = new AlertEntries();
  #own = new GatewayOwn(new Map());
  #devices = new Map<string, DeviceWatch>();
  readonly #looks = new DeviceLooks(this.#entries);
  readonly #parts: Part[] = [];
  #dueMs = NEVER;
  /** Log time at which the next silence begins or ends. */
  #standMs = NEVER;
  /** Configuration or silences changed. */
  #isReviewDue = false;
  #isGatewaySilent = false;
  /** Log time from which silence counts after a cold start. */
  #anewMs = 0;
  /** Log time at which the gateway was last back. */
  #backMs = 0;
  /** The newest reading of the last record with readings; newestMs: NaN when there was none yet. */
  #batch = { receivedMs: 0, newestMs: Number.NaN };

  /** Whether tick() may have something to say. */
  isDue(nowMs: number, isGatewaySilent: boolean): boolean {
    return nowMs >= this.#dueMs || isGatewaySilent !== this.#isGatewaySilent;
  }

  /** Judges what came. Answers what changed, in order. No content makes it throw. */
  judge(input: AlertInput, context: AlertContext): AlertEntry[] {
    const count = this.#collect(input, context);
    for (let p = 0; p < count; p++) {
      const { device, rows } = this.#parts[p]!;
      this.#looks.begin(device, context, this.#own);
      device.score = input.scoreOf(device.name);
      const beforeMs = device.newestMs;
      rows.walk(device, input.columns, input.sheet, this.#looks);
      device.countRejects();
      if (device.newestMs !== beforeMs) this.#noteLatency(device, context);
      this.#looks.end(device);
      this.#dueMs = Math.min(this.#dueMs, device.isDirty ? 0 : device.dueMs);
    }
    for (const change of input.anomalies) this.#noteAnomaly(change, context);
    if (context.isGatewaySilent !== this.#isGatewaySilent) this.#dueMs = 0;
    if (this.#entries.refused > 0 && this.#entries.refusedMs === context.nowMs) this.#dueMs = 0;
    return this.#entries.take();
  }

  /** Anomalies began or ended without a reading. */
  anomalies(changes: readonly AnomalyChange[], context: AlertContext): AlertEntry[] {
    for (const change of changes) this.#noteAnomaly(change, context);
    return this.#entries.take();
  }

  /** Rejects came of a device. One that never sent a reading is not known. */
  rejected(device: string, count: number): void {
    const known = this.#devices.get(device);
    if (known !== undefined) known.rejects += count;
  }

  /** The gateway said how it is: that is looked at with the next tick. */
  gatewaySpoke(): void {
    this.#dueMs = 0;
  }

  /** Time has passed. Called at reports, when it is due. */
  tick(context: AlertContext): AlertEntry[] {
    const { nowMs, silences } = context;
    const isReview = this.#isReviewDue;
    this.#isReviewDue = false;
    this.#isGatewaySilent = context.isGatewaySilent;
    if (isReview) this.#review(context);
    this.#dueMs = this.#lookAtGateway(context);
    const away = { anewMs: this.#anewMs, backMs: this.#backMs };
    for (const device of this.#devices.values()) {
      if (device.isDirty || nowMs >= device.dueMs) {
        this.#bind(device, context);
        this.#looks.begin(device, context, this.#own);
        if (this.#looks.tick(device, away)) this.#forget(device, context);
      }
      this.#dueMs = Math.min(this.#dueMs, device.dueMs);
    }
    if (isReview || nowMs >= this.#standMs) {
      this.#entries.stand(context);
      this.#standMs = nextEdgeOf(silences, nowMs);
    }
    this.#dueMs = Math.min(this.#dueMs, this.#standMs);
    return this.#entries.take();
  }

  /** Undefined: there is no such alert that fires, or it is over. */
  acknowledge(value: AcknowledgeValue, context: AlertContext): AlertEntry | undefined {
    const entry = this.#entries.open.byId(value.alert);
    if (entry === undefined || entry.state === 'pending') return undefined;
    return this.#entries.acknowledge(entry, value, context);
  }

  /** Another configuration holds, or other silences: everything is due. */
  review(): void {
    this.#isReviewDue = true;
    this.#dueMs = 0;
  }

  /** What was soft is lost; `nowMs` is the time from which silence counts. */
  beginAnew(nowMs: number): void {
    this.#anewMs = nowMs;
    this.#devices.clear();
    this.#own = new GatewayOwn(this.#entries.open.ofDevice(''));
    this.#findDevices();
    this.review();
  }

  /** By part of the key: what differs from the hard state as last taken; null: nothing is left of it. */
  takeHard(): Map<string, Uint8Array | null> {
    return this.#entries.open.takeHard();
  }

  /** What takeHard() answered for one part. Throws PROCESSOR_STATE_VERSION. */
  restoreHard(bytes: Uint8Array): void {
    this.#entries.open.restoreHard(bytes);
    this.#own = new GatewayOwn(this.#entries.open.ofDevice(''));
    this.#findDevices();
    this.review();
  }

  encodeSoft(): Uint8Array {
    const { receivedMs, newestMs } = this.#batch;
    const body: Encoded = {
      format: FORMAT,
      dueMs: orNull(this.#dueMs),
      standMs: orNull(this.#standMs),
      isReviewDue: this.#isReviewDue,
      anewMs: this.#anewMs,
      backMs: this.#backMs,
      batch: { receivedMs, newestMs: orNull(newestMs) },
      refused: this.#entries.refused,
      refusedMs: this.#entries.refusedMs,
      isGatewaySilent: this.#isGatewaySilent,
      own: this.#own.encode(),
      devices: [...this.#devices.values()].map((device) => device.encode()),
    };
    return Buffer.from(JSON.stringify(body));
  }

  /** False: another version wrote it; nothing is restored then. */
  restoreSoft(bytes: Uint8Array): boolean {
    const body = parseJson<Encoded>(bytes) as Encoded | undefined;
    if (body?.format !== FORMAT) return false;
    this.#dueMs = body.dueMs ?? NEVER;
    this.#standMs = body.standMs ?? NEVER;
    this.#isReviewDue = body.isReviewDue;
    this.#anewMs = body.anewMs;
    this.#backMs = body.backMs;
    const { receivedMs, newestMs } = body.batch;
    this.#batch = { receivedMs, newestMs: newestMs ?? Number.NaN };
    this.#entries.refused = body.refused;
    this.#entries.refusedMs = body.refusedMs;
    this.#isGatewaySilent = body.isGatewaySilent;
    this.#own = new GatewayOwn(this.#entries.open.ofDevice(''), body.own);
    this.#devices = new Map(body.devices.map((one) => [one.name, DeviceWatch.decode(one)]));
    return true;
  }

  /** Sorts the chunk's runs by device; answers how many devices there are. */
  #collect({ columns, firstSeq, fresh }: AlertInput, context: AlertContext): number {
    let count = 0;
    let part: Part | undefined;
    eachRun(columns.series, firstSeq, fresh, (series, from, to) => {
      if (part?.device.name !== series.device) {
        part = undefined;
        for (let p = 0; p < count && part === undefined; p++)
          if (this.#parts[p]!.device.name === series.device) part = this.#parts[p];
        if (part === undefined) {
          const device = this.#seen(series.device, context);
          part = this.#parts[count] ?? { device, rows: new DeviceRows() };
          this.#parts[count] = part;
          part.device = device;
          part.rows.clear();
          count++;
        }
      }
      const slot = part.device.plan.slots.get(series.channel) ?? -1;
      part.rows.add(slot, series.kind, from, to);
    });
    return count;
  }

  #seen(name: string, context: AlertContext): DeviceWatch {
    let device = this.#devices.get(name);
    if (device === undefined) {
      if (this.#devices.size >= DEVICES_PER_GATEWAY_MAX) this.#evict(context);
      device = new DeviceWatch(name);
      this.#devices.set(name, device);
    }
    this.#bind(device, context);
    device.receivedMs = context.nowMs;
    return device;
  }

  #bind(device: DeviceWatch, { configuration, site }: AlertContext): void {
    device.bind(configuration.placeOf(site, device.name), this.#entries.open.ofDevice(device.name));
  }

  /** From reading time to durable, of the newest reading. */
  #noteLatency(device: DeviceWatch, { receivedMs }: AlertContext): void {
    device.latencyMs = Math.max(0, receivedMs - device.newestMs);
    const batch = this.#batch;
    if (batch.receivedMs !== receivedMs) this.#batch = { receivedMs, newestMs: device.newestMs };
    else if (!(device.newestMs <= batch.newestMs)) batch.newestMs = device.newestMs;
    const behindSeconds = this.#behindSeconds() ?? 0;
    if (this.#own.isBehind || behindSeconds > BEHIND_INFO_SECONDS) this.#dueMs = 0;
  }

  #behindSeconds(): number | undefined {
    const { receivedMs, newestMs } = this.#batch;
    return Number.isNaN(newestMs) ? undefined : Math.max(0, receivedMs - newestMs) / 1_000;
  }

  #noteAnomaly(change: AnomalyChange, context: AlertContext): void {
    const device = this.#devices.get(change.device);
    if (device === undefined || change.phase === 'peak') return;
    this.#bind(device, context);
    this.#looks.begin(device, context, this.#own);
    this.#looks.anomaly(device, change);
    this.#dueMs = Math.min(this.#dueMs, device.dueMs);
  }

  #lookAtGateway(context: AlertContext): number {
    const { entry, isGatewaySilent: isSilent, nowMs, resumedMs } = context;
    const entries = this.#entries;
    if (entries.refused > 0 && nowMs - entries.refusedMs >= 2 * ALERTS_FULL_FOR_MS)
      entries.refused = 0;
    const facts = {
      entry,
      isSilent,
      nowMs,
      resumedMs,
      behindSeconds: this.#behindSeconds(),
      refused: entries.refused,
      refusedMs: entries.refusedMs,
    };
    const before = {
      wasDown: this.#own.wasDown,
      isDown: this.#own.isDown,
      isBehind: this.#own.isBehind,
    };
    const dueMs = this.#own.look(facts, entries, context);
    if (before.wasDown && !this.#own.wasDown) this.#backMs = nowMs;
    const isReleased =
      (before.wasDown && !this.#own.wasDown) ||
      (before.isDown && !this.#own.isDown) ||
      (before.isBehind && !this.#own.isBehind);
    if (isReleased) for (const device of this.#devices.values()) device.isDirty = true;
    return dueMs;
  }

  /** Devices may have other rules now, and rules may be gone. */
  #review(context: AlertContext): void {
    for (const device of this.#devices.values()) {
      this.#bind(device, context);
      device.isDirty = true;
    }
    for (const entry of this.#entries.open.sorted()) {
      // '': the gateway itself, whose rules are in no configuration.
      const plan = entry.device === '' ? undefined : this.#devices.get(entry.device)?.plan;
      if (plan === undefined || plan.rules.some(({ name }) => name === entry.rule)) continue;
      this.#entries.end(entry, 'rule_removed', context);
    }
  }

  /** Devices of open alerts of which nothing else is known. */
  #findDevices(): void {
    for (const { device } of this.#entries.open.sorted())
      if (device !== '' && !this.#devices.has(device))
        this.#devices.set(device, new DeviceWatch(device));
  }

  #forget(device: DeviceWatch, context: AlertContext): void {
    this.#devices.delete(device.name);
    for (const entry of [...this.#entries.open.ofDevice(device.name).values()])
      this.#entries.end(entry, 'no_device', context);
  }

  /** Those that were not seen for longest make room. */
  #evict(context: AlertContext): void {
    const oldest = [...this.#devices.values()].sort((a, b) => a.receivedMs - b.receivedMs);
    for (const device of oldest.slice(0, Math.ceil(oldest.length / EVICTED_PART)))
      this.#forget(device, context);
  }
}

/** When one of these begins or ends next. */
function nextEdgeOf(silences: readonly SilenceValue[], nowMs: number): number {
  let nextMs = NEVER;
  for (const { fromMs, untilMs } of silences) {
    if (fromMs > nowMs) nextMs = Math.min(nextMs, fromMs);
    if (untilMs > nowMs) nextMs = Math.min(nextMs, untilMs);
  }
  return nextMs;
}

/** JSON knows neither NaN nor infinity. */
function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
