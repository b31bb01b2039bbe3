/** A gateway and its devices, as the processor hears of them: for tests of alerts. */

import type { AlertEntry } from '../../collector/processor/outputs/alert.ts';
import type { EventEntry } from '../../collector/processor/outputs/event.ts';
import { Processor } from '../../collector/processor/processor.ts';
import type { Configuration, DeviceProfile } from '../../collector/profile.ts';
import { loadConfiguration } from '../../collector/profiles/load.ts';
import type { SilenceValue } from '../../collector/types.ts';
import { RawKind } from '../../collector/types.ts';
import type { GatewayState, Reading, Reject } from '../../proto/model.ts';
import { RawRecords, said } from './raw-records.ts';
import { EPOCH, reading, sealAll } from './wire.ts';

/** What an FMS device measures while all is well. */
export const WELL: Readonly<Record<string, Reading['value']>> = {
  sensor1: 60,
  sensor2: 50,
  sensor3: 100,
  motor1: 1_000,
  motor2: 800,
  motor3: 900,
  isFail: false,
};

const INTERVAL_MS = 10_000;

export class AlertPlant {
  readonly raw = new RawRecords();
  processor = new Processor(new Map());
  readonly alerts: AlertEntry[] = [];
  readonly events: EventEntry[] = [];
  #seq = 1;

  /** Undefined: the built-in profile. */
  constructor(profiles?: Record<string, DeviceProfile>) {
    this.configure(profiles);
  }

  configure(profiles?: Record<string, DeviceProfile>, version = 'v1'): void {
    const value: Configuration = {
      version,
      retentionMs: 0,
      aheadMaxMs: 86_400_000,
      profiles: profiles ?? builtIn(),
      assignments: [],
    };
    this.run(RawKind.CONFIGURATION, value, '');
  }

  /** Readings as one batch; `behindMs`: so much older than their receipt. */
  send(readings: readonly Reading[], rejects: readonly Reject[] = [], epoch = EPOCH): void {
    const chunks = sealAll(readings, rejects, this.#seq);
    this.#seq += readings.length + rejects.length;
    this.#take(this.raw.batch(chunks, { epoch }));
  }

  /** One row of a device, just taken. */
  row(values: Record<string, Reading['value']> = {}, device = 'D01', behindMs = 0): void {
    const timeMs = this.raw.timeMs - behindMs;
    const all = Object.entries({ ...WELL, ...values });
    this.send(all.map(([channel, value]) => reading(channel, value, { device, timeMs })));
  }

  /** Rows at the interval, with the gateway's states and ticks of the collector. */
  rows(count: number, values: Record<string, Reading['value']> = {}, device = 'D01'): void {
    for (let i = 0; i < count; i++) {
      this.state();
      this.row(values, device);
      this.pass(INTERVAL_MS);
    }
  }

  state(state: Partial<GatewayState> = {}, kind: string = RawKind.STATE): void {
    this.#take(this.raw.state({ epoch: EPOCH, ...state }, kind));
  }

  /** Time passes, tick by tick. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 1_000) this.#take(this.raw.tick(Math.min(left, 1_000)));
  }

  /** The same, and the gateway goes on saying that it is there. */
  passOnline(ms: number): void {
    for (let left = ms; left > 0; left -= 10_000) {
      this.state();
      this.pass(Math.min(left, 10_000));
    }
  }

  silence(silence: Partial<SilenceValue>): void {
    const { timeMs } = this.raw;
    const names = { id: 's1', site: '*', area: '*', line: '*', device: '*', rule: '*' };
    const times = { fromMs: timeMs, untilMs: timeMs + 60_000 };
    const all = { ...names, ...times, kind: 'silence', by: 'kim', reason: 'test', ...silence };
    this.run(RawKind.SILENCE, all, '');
  }

  run(kind: string, value: unknown, key?: string): void {
    this.#take(this.raw.add(kind, Buffer.from(JSON.stringify(value)), key));
  }

  /** What was put out since it was asked last: `rule state severity`, with the device where it is not D01. */
  told(): string[] {
    return this.alerts.splice(0).map(shown);
  }

  #take(record: ReturnType<RawRecords['add']>): void {
    const { alerts, events } = said(this.processor.process(record));
    this.alerts.push(...alerts);
    this.events.push(...events);
  }
}

function builtIn(): Record<string, DeviceProfile> {
  return loadConfiguration({ profilesDir: undefined, retentionMs: 0 }).profiles;
}

function shown({ rule, state, severity, device, silence, inhibitedBy }: AlertEntry): string {
  const whose = device === 'D01' || device === '' ? '' : `${device} `;
  const why = `${silence === '' ? '' : ` silence ${silence}`}${inhibitedBy === '' ? '' : ` by ${inhibitedBy}`}`;
  return `${whose}${rule} ${state} ${severity}${why}`;
}
