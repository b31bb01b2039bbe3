/** Rows of one device through the detectors. One object serves all devices of a gateway, one after the other. */

import type { ChunkColumns } from '../../../proto/model.ts';
import type { Sheet } from '../validation/run.ts';
import { IMPLAUSIBLE, Mark, TIME_FAULT, UNUSABLE } from '../validation/run.ts';
import type { AnomalyChange, RowScore } from './change.ts';
import type { ReadingAtHand } from './detector.ts';
import type { DeviceState, DeviceStates } from './devices.ts';
import { ChannelField, DETECTOR_AT, DeviceField } from './devices.ts';
import { advance, THRESHOLD } from './event.ts';
import {
  HOLD_INTERVALS,
  LATE_QUIET_MS,
  PAUSE_INTERVALS,
  PAUSE_MS_MIN,
  TIME_MS_MAX,
  VALUE_MAX,
} from './limits.ts';
import { DETECTORS } from './registry.ts';
import type { RowTaker } from './rows.ts';
import { sayOf } from './say.ts';
import type { DetectionPlan } from './settings.ts';

const DAY_MS = 86_400_000;
/** Of the learnt interval: it shrinks faster than it grows, so that a pause at the start does no harm. */
const INTERVAL_RATE_DOWN = 0.1;
const INTERVAL_RATE_UP = 0.05;
const INTERVAL_TIMES_MAX = 4;
/** How rare an alarm must be is reckoned again after so many rows, at most. */
const RARE_ROWS = 64;

/** What a row said most: who, of which channel. */
interface Loudest {
  score: number;
  place: number;
  detector: number;
}

export class Judging implements RowTaker {
  readonly #states: DeviceStates;
  readonly #reading: ReadingAtHand;
  #onRow: ((row: RowScore) => void) | undefined;
  #changes: AnomalyChange[] = [];
  #columns: ChunkColumns | undefined;
  #sheet: Sheet | undefined;
  #device: DeviceState;
  #plan: DetectionPlan;
  readonly #loudest: Loudest = { score: 0, place: -1, detector: -1 };
  readonly #late: Loudest = { score: 0, place: -1, detector: -1 };
  #lateValue = 0;
  /** Readings of the row at hand in their turn, and late ones. */
  #inTurn = 0;
  #lateCount = 0;
  /** By place: the number of the row in which the channel was read last, of this object. */
  #readIn: number[] = [];
  #row = 0;

  constructor(states: DeviceStates, device: DeviceState, plan: DetectionPlan) {
    this.#states = states;
    this.#device = device;
    this.#plan = plan;
    this.#reading = {
      slab: device.slab,
      value: 0,
      timeMs: 0,
      sinceMs: 0,
      intervalMs: 0,
      findings: 0,
      teaches: false,
      isLate: false,
      isSettled: true,
      isClean: true,
      channels: 0,
      lnRare: 1,
      plan: plan.channelOf('', false),
    };
  }

  /** Changes are added to `changes`. */
  begin(
    device: DeviceState,
    plan: DetectionPlan,
    given: { columns: ChunkColumns; sheet: Sheet },
    changes: AnomalyChange[],
    onRow: ((row: RowScore) => void) | undefined,
  ): void {
    this.#device = device;
    this.#plan = plan;
    this.#columns = given.columns;
    this.#sheet = given.sheet;
    this.#changes = changes;
    this.#onRow = onRow;
    this.#readIn.length = 0;
    this.#beginRow();
  }

  reading(channel: string, isBoolean: boolean, index: number): void {
    const findings = this.#sheet!.findings[index]!;
    const marks = this.#sheet!.marks[index]!;
    const value = this.#columns!.numbers[index]!;
    const timeMs = this.#columns!.timesMs[index]!;
    // Not `>`: what is no number is no measurement either.
    if (!(Math.abs(value) <= VALUE_MAX) || !(Math.abs(timeMs) <= TIME_MS_MAX)) return;
    if ((findings & UNUSABLE) !== 0 || (marks & TIME_FAULT) !== 0) return;
    const plan = this.#plan.channelOf(channel, isBoolean);
    if (plan.detectors.length === 0) return;
    const reading = this.#reading;
    // Not -0: it would come back as 0 from the snapshot of an open anomaly.
    reading.value = value + 0;
    reading.timeMs = timeMs;
    reading.findings = findings;
    reading.teaches = (findings & IMPLAUSIBLE) === 0;
    reading.plan = plan;
    if ((marks & Mark.ASIDE) !== 0) this.#judgeLate(channel);
    else this.#judge(channel);
  }

  endRow(timeMs: number): void {
    if (this.#inTurn > 0) this.#endRowInTurn(timeMs);
    else if (this.#lateCount > 0) this.#endLateRow(timeMs);
    this.#beginRow();
  }

  #beginRow(): void {
    const { slab } = this.#device;
    const reading = this.#reading;
    reading.slab = slab;
    reading.isClean = this.#device.open === undefined;
    reading.channels = this.#device.channels.length;
    reading.lnRare = slab[DeviceField.LN_RARE]! || 1;
    this.#row++;
    this.#inTurn = 0;
    this.#lateCount = 0;
    this.#loudest.score = -1;
    this.#late.score = -1;
  }

  #judge(channel: string): void {
    const place = this.#states.placeOf(this.#device, channel);
    if (place < 0) return;
    const reading = this.#reading;
    const slab = this.#device.slab;
    reading.slab = slab;
    reading.isLate = false;
    const at = this.#device.at(place);
    reading.sinceMs = noteTime(slab, at, reading.timeMs);
    reading.intervalMs = slab[at + ChannelField.INTERVAL_MS]!;
    reading.isSettled = slab[at + ChannelField.HELD]! < THRESHOLD;
    slab[at + ChannelField.LAST_VALUE] = reading.value;
    let held = 0;
    const loudest = this.#loudest;
    const { detectors } = reading.plan;
    for (let i = 0; i < detectors.length; i++) {
      const d = detectors[i]!;
      const detector = DETECTORS[d]!;
      const score = detector.judge(reading, at + DETECTOR_AT[d]!);
      slab[at + ChannelField.SCORES + d] = score;
      if (detector.lasts && score > held) held = score;
      if (score > loudest.score) {
        loudest.score = score;
        loudest.place = place;
        loudest.detector = d;
      }
    }
    slab[at + ChannelField.HELD] = held;
    this.#readIn[place] = this.#row;
    this.#inTurn++;
  }

  /** Against what is known, in its own time; nothing of what is known changes by it. */
  #judgeLate(channel: string): void {
    const place = this.#device.places.get(channel);
    if (place === undefined) return;
    const reading = this.#reading;
    const at = this.#device.at(place);
    reading.slab = this.#device.slab;
    reading.isLate = true;
    reading.teaches = false;
    reading.sinceMs = 0;
    this.#lateCount++;
    for (const d of reading.plan.detectors) {
      const detector = DETECTORS[d]!;
      if (!detector.judgesLate) continue;
      const score = detector.judge(reading, at + DETECTOR_AT[d]!);
      if (score <= this.#late.score) continue;
      this.#late.score = score;
      this.#late.place = place;
      this.#late.detector = d;
      this.#lateValue = reading.value;
    }
  }

  #endRowInTurn(timeMs: number): void {
    const device = this.#device;
    const { slab } = device;
    if (this.#inTurn < device.channels.length) this.#listenToOthers(timeMs);
    const score = Math.max(0, this.#loudest.score);
    slab[DeviceField.SCORE] = score;
    slab[DeviceField.NEWEST_MS] = timeMs;
    slab[DeviceField.SEEN] = ++this.#states.rows;
    slab[DeviceField.ROWS] = slab[DeviceField.ROWS]! + 1;
    if (slab[DeviceField.ROWS]! >= slab[DeviceField.LN_RARE_AT]!) this.#reckonRare();
    const change = advance(this.#states, device, timeMs, score, () => this.#say(score));
    if (change !== undefined) this.#changes.push(change);
    if (this.#onRow === undefined) return;
    // The quiet rows by which its end is known are not part of it any more.
    const isOpen = device.open !== undefined && slab[DeviceField.QUIET_ROWS] === 0;
    const isOnset = change?.phase === 'onset';
    const isSaid = isOnset || change?.phase === 'peak' || score >= THRESHOLD;
    const reason = change?.reason ?? (isSaid ? this.#say(score).reason : undefined);
    this.#onRow({ device: device.name, timeMs, score, isOnset, isOpen, reason });
  }

  /** What was said of channels that this row does not have and that were read a short while ago. */
  #listenToOthers(timeMs: number): void {
    const { slab } = this.#device;
    const count = this.#device.channels.length;
    for (let place = 0; place < count; place++) {
      const at = this.#device.at(place);
      const held = slab[at + ChannelField.HELD]!;
      if (held <= this.#loudest.score || this.#readIn[place] === this.#row) continue;
      if (!this.#isHeld(at, timeMs)) continue;
      this.#loudest.score = held;
      this.#loudest.place = place;
      this.#loudest.detector = DETECTORS.findIndex(
        ({ lasts }, d) => lasts && slab[at + ChannelField.SCORES + d] === held,
      );
    }
  }

  #isHeld(at: number, timeMs: number): boolean {
    const { slab } = this.#device;
    const forMs = HOLD_INTERVALS * slab[at + ChannelField.INTERVAL_MS]!;
    return Math.abs(timeMs - slab[at + ChannelField.LAST_MS]!) <= Math.max(PAUSE_MS_MIN, forMs);
  }

  #reckonRare(): void {
    const { slab } = this.#device;
    const count = this.#device.channels.length;
    let readingsPerDay = 0;
    for (let place = 0; place < count; place++) {
      const intervalMs = slab[this.#device.at(place) + ChannelField.INTERVAL_MS]!;
      if (intervalMs > 0) readingsPerDay += DAY_MS / Math.max(1, intervalMs);
    }
    const rare = readingsPerDay / this.#plan.falseAlarmsPerDay;
    slab[DeviceField.LN_RARE] = Math.max(1, Math.log(Math.max(1, rare)));
    const rows = slab[DeviceField.ROWS]!;
    slab[DeviceField.LN_RARE_AT] = rows + Math.min(rows, RARE_ROWS);
  }

  #endLateRow(timeMs: number): void {
    const device = this.#device;
    const { slab } = device;
    const score = Math.max(0, this.#late.score);
    const { place, detector } = this.#late;
    const isQuiet =
      slab[DeviceField.HAD_LATE] === 1 &&
      Math.abs(timeMs - slab[DeviceField.LATE_MS]!) <= LATE_QUIET_MS;
    const isOnset = score >= THRESHOLD && device.open === undefined && !isQuiet;
    let reason: RowScore['reason'];
    if (isOnset) {
      slab[DeviceField.HAD_LATE] = 1;
      slab[DeviceField.LATE_MS] = timeMs;
      const reading = { ...this.#reading, value: this.#lateValue };
      const said = sayOf(device, this.#plan, reading, { score, place, detector, timeMs }, []);
      const times = { onsetMs: timeMs, peakMs: timeMs };
      this.#changes.push({ ...said, ...times, phase: 'onset', endMs: 0 });
      this.#changes.push({ ...said, ...times, phase: 'end', endMs: timeMs });
      reason = said.reason;
    }
    const isOpen = device.open !== undefined;
    this.#onRow?.({ device: device.name, timeMs, score, isOnset, isOpen, reason });
  }

  #say(score: number): ReturnType<typeof sayOf> {
    const device = this.#device;
    const { place, detector } = this.#loudest;
    const timeMs = device.slab[DeviceField.NEWEST_MS]!;
    const heard = device.channels
      .map((_, i) => i)
      .filter((i) => {
        return this.#readIn[i] === this.#row || this.#isHeld(device.at(i), timeMs);
      });
    const at = device.at(place);
    const reading = {
      ...this.#reading,
      value: device.slab[at + ChannelField.LAST_VALUE]!,
      timeMs: device.slab[at + ChannelField.LAST_MS]!,
    };
    return sayOf(device, this.#plan, reading, { score, place, detector, timeMs }, heard);
  }
}

/** Answers how long after the one before it; 0: not known, or after a pause. Learns the interval. */
function noteTime(slab: Float64Array, at: number, timeMs: number): number {
  const count = slab[at + ChannelField.COUNT]!;
  const sinceMs = count === 0 ? 0 : timeMs - slab[at + ChannelField.LAST_MS]!;
  const intervalMs = slab[at + ChannelField.INTERVAL_MS]!;
  slab[at + ChannelField.COUNT] = count + 1;
  slab[at + ChannelField.LAST_MS] = timeMs;
  if (sinceMs <= 0) return 0;
  if (intervalMs === 0) {
    slab[at + ChannelField.INTERVAL_MS] = sinceMs;
    return sinceMs;
  }
  const change = Math.min(sinceMs, INTERVAL_TIMES_MAX * intervalMs) - intervalMs;
  const rate = change < 0 ? INTERVAL_RATE_DOWN : INTERVAL_RATE_UP;
  slab[at + ChannelField.INTERVAL_MS] = intervalMs + rate * change;
  return sinceMs > Math.max(PAUSE_MS_MIN, PAUSE_INTERVALS * intervalMs) ? 0 : sinceMs;
}
