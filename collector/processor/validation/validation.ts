/** The rules of one gateway's readings, with what they remember of them. Deterministic. */

import type { Series } from '../../../proto/model.ts';
import { annotationsOf, quarantine, recount } from './answer.ts';
import type { ChannelPlan, CompiledConfiguration, DevicePlan, JoinPlan } from './compile.ts';
import { Join } from './joins.ts';
import type { DeviceSeen, JudgeInput, Judgement } from './judgement.ts';
import { eachRun, Run, Sheet } from './run.ts';
import { settle } from './settle.ts';
import type { DeviceSlots } from './states.ts';
import { ChannelStates, Field } from './states.ts';

/** One for all gateways: what stands on it matters only while a chunk is judged. */
const sheet = new Sheet();

/** What was looked up of a channel; not part of the state. */
interface ChannelMemo {
  plan: ChannelPlan;
  /** Number of the chunk that it was last in, and the series there. */
  chunk: number;
  series: Series | undefined;
  /** Field.PREVIOUS_MS before that chunk. */
  previousMs: number;
}

/** What was looked up of a device; not part of the state. */
interface DeviceMemo {
  slots: DeviceSlots;
  plan: DevicePlan;
  /** Number of the chunk that `seen`, `join` and `channels` belong to. */
  chunk: number;
  seen: DeviceSeen;
  join: Join | undefined;
  channels: string[];
  /** How many of `channels` this chunk has had so far. */
  known: number;
}

export class GatewayValidation {
  readonly site: string;
  #states = new ChannelStates();
  #configuration: CompiledConfiguration | undefined;
  #devices = new WeakMap<DeviceSlots, DeviceMemo>();
  /** By slot. */
  #channels: (ChannelMemo | undefined)[] = [];
  /** Number of the chunk at hand. */
  #chunk = 0;
  readonly #forget = (slot: number): void => {
    this.#channels[slot] = undefined;
  };

  constructor(site: string) {
    this.site = site;
  }

  /** Judges the fresh readings of a chunk and learns from them. No content makes it throw. */
  judge(input: JudgeInput): Judgement {
    const { columns, firstSeq, fresh, configuration } = input;
    if (configuration !== this.#configuration) {
      this.#configuration = configuration;
      this.#devices = new WeakMap();
      this.#channels = [];
    }
    this.#chunk++;
    sheet.clear(columns.timesMs.length);
    const run = new Run(sheet, this.#states, input, configuration.unprofiled.others.channel);
    const devices: DeviceMemo[] = [];
    const refusedBy = new Map<number, JoinPlan>();
    let device: DeviceMemo | undefined;
    eachRun(columns.series, firstSeq, fresh, (series, from, to) => {
      if (device === undefined || device.slots.name !== series.device) {
        device = this.#device(series.device, configuration);
        if (device.chunk !== this.#chunk) this.#begin(device, devices);
      }
      this.#judgeRun(run, device, series, from, to);
      if (device.plan.joins.length > 0) {
        device.join ??= new Join(run, device.slots, device.plan, refusedBy);
        device.join.add(run);
      }
    });
    for (const { join } of devices) join?.judge();
    const judgement: Judgement = {
      annotations: [],
      quarantined: [],
      typeChanges: run.typeChanges,
      devices: devices.map(finishSeen),
      sheet,
    };
    if (sheet.any) {
      judgement.annotations = annotationsOf(sheet, firstSeq, fresh, columns.timesMs.length);
      judgement.quarantined = quarantine(sheet, input, this.site, refusedBy);
      if (judgement.quarantined.length > 0) recount(sheet, input, judgement.devices);
    }
    return judgement;
  }

  /** What was learnt: with it decode() makes one that judges alike. */
  encode(): Uint8Array {
    return this.#states.encode();
  }

  /** Undefined when another version wrote it, or it is damaged: then begin anew. */
  static decode(site: string, bytes: Uint8Array): GatewayValidation | undefined {
    const states = ChannelStates.decode(bytes);
    if (states === undefined) return undefined;
    const validation = new GatewayValidation(site);
    validation.#states = states;
    return validation;
  }

  #judgeRun(run: Run, device: DeviceMemo, series: Series, from: number, to: number): void {
    const states = this.#states;
    const slot = states.slotOf(device.slots, series.channel, this.#forget);
    let memo = this.#channels[slot];
    if (memo === undefined) {
      const plan = device.plan.channels.get(series.channel) ?? device.plan.others;
      memo = { plan, chunk: 0, series: undefined, previousMs: Number.NaN };
      this.#channels[slot] = memo;
    }
    run.begin(memo.plan.channel, series, slot, from, to);
    if (memo.chunk !== this.#chunk) {
      memo.chunk = this.#chunk;
      memo.previousMs = states.fields[run.at + Field.PREVIOUS_MS]!;
      memo.series = series;
      noteChannel(device, series.channel);
    } else if (memo.series !== series) {
      run.previousMs = memo.previousMs;
    }
    const { rules } = memo.plan;
    for (let r = 0; r < rules.length; r++) rules[r]!.judge(run);
    settle(run);
    const { seen } = device;
    seen.count += to - from;
    seen.kept += to - from;
    if (run.firstMs < seen.firstMs) seen.firstMs = run.firstMs;
    if (run.lastMs > seen.lastMs) seen.lastMs = run.lastMs;
  }

  #device(name: string, configuration: CompiledConfiguration): DeviceMemo {
    const slots = this.#states.device(name);
    let memo = this.#devices.get(slots);
    if (memo === undefined) {
      const { plan } = configuration.placeOf(this.site, name);
      const seen = emptySeen(name);
      memo = { slots, plan, chunk: 0, seen, join: undefined, channels: [], known: 0 };
      this.#devices.set(slots, memo);
    }
    return memo;
  }

  #begin(device: DeviceMemo, devices: DeviceMemo[]): void {
    device.chunk = this.#chunk;
    device.seen = emptySeen(device.slots.name);
    device.join = undefined;
    device.known = 0;
    devices.push(device);
  }
}

function emptySeen(device: string): DeviceSeen {
  return { device, count: 0, kept: 0, firstMs: Infinity, lastMs: -Infinity, channels: [] };
}

/** Keeps the list of the last chunk for as long as this one's channels are the same. */
function noteChannel(device: DeviceMemo, name: string): void {
  const { channels, known } = device;
  if (channels[known] !== name) device.channels = [...channels.slice(0, known), name];
  device.known = known + 1;
}

function finishSeen(device: DeviceMemo): DeviceSeen {
  const { channels, known, seen } = device;
  if (channels.length > known) device.channels = channels.slice(0, known);
  seen.channels = device.channels;
  return seen;
}
