/** Alert rules that hold without being configured: for every device, and for gateways themselves. */

import type { AlertRule, AlertSeverity, DeviceProfile } from '../../profile.ts';
import { UNPROFILED_SILENT_AFTER_MS } from '../limits.ts';
import type { GatewayEntry } from '../outputs/gateway.ts';
import { durationOf } from './duration.ts';
import {
  ALERTS_FULL_FOR_MS,
  BEHIND_FOR_MS,
  BEHIND_INFO_SECONDS,
  BEHIND_WARNING_SECONDS,
  BUFFER_CRITICAL_SECONDS,
  BUFFER_FOR_MS,
  BUFFER_WARNING_SECONDS,
  CLOCK_FOR_MS,
  GATEWAY_BACK_FOR_MS,
  GATEWAY_DOWN_FOR_MS,
  STOPPED_MS,
} from './limits.ts';

export const ANOMALY_RULE = 'anomaly';
export const NO_DATA_RULE = 'no_data';

/** A rule of this name in the profile takes the place of the built-in one; without levels it switches it off. */
export const BUILT_IN_RULES: readonly string[] = [NO_DATA_RULE, ANOMALY_RULE];

export function builtInRules(profile: DeviceProfile | undefined): AlertRule[] {
  const silentMs = profile?.silentAfterMs ?? UNPROFILED_SILENT_AFTER_MS;
  return [
    {
      name: NO_DATA_RULE,
      title: 'No data',
      titleKo: '데이터 없음',
      levels: [{ severity: 'ERROR', when: `silent_seconds > ${silentMs / 1_000}` }],
      forMs: 0,
      resolveAfterMs: 0,
    },
    {
      name: ANOMALY_RULE,
      title: 'Anomaly',
      titleKo: '이상 감지',
      levels: [{ severity: 'WARNING', when: 'anomaly' }],
      forMs: 0,
      resolveAfterMs: 0,
    },
  ];
}

/** What is known of a gateway. */
export interface GatewayFacts {
  entry: GatewayEntry | undefined;
  isSilent: boolean;
  nowMs: number;
  resumedMs: number;
  /** Seconds from reading time to receipt of the newest reading; undefined: none came yet. */
  behindSeconds: number | undefined;
  /** How often an alert could not be opened for want of room, and when last. */
  refused: number;
  refusedMs: number;
}

export interface GatewayRule {
  name: string;
  title: string;
  titleKo: string;
  /** Mildest first. */
  levels: readonly { severity: AlertSeverity }[];
  forMs: number;
  resolveAfterMs: number;
  /** Index of the severest level that holds, -1: none; undefined: nothing can be said. */
  rank(facts: GatewayFacts): number | undefined;
  values(facts: GatewayFacts): Record<string, number | string | boolean | null>;
  summary(facts: GatewayFacts): { en: string; ko: string };
  /** Log time at which rank() changes if nothing is heard; +Infinity: never. */
  turnsMs?(facts: GatewayFacts): number;
}

export const GATEWAY_DOWN = 'gateway_down';
export const GATEWAY_BEHIND = 'gateway_behind';

const WARNING = { severity: 'WARNING' } as const;

/** In the order in which they are looked at: gateway_down stands for what follows from it. */
export const GATEWAY_RULES: readonly GatewayRule[] = [
  {
    name: GATEWAY_DOWN,
    title: 'Gateway down',
    titleKo: '게이트웨이 중단',
    levels: [WARNING, { severity: 'ERROR' }],
    forMs: GATEWAY_DOWN_FOR_MS,
    resolveAfterMs: GATEWAY_BACK_FOR_MS,
    rank: ({ entry, isSilent, nowMs, resumedMs }) => {
      if (entry === undefined) return -1;
      if (isSilent) return 1;
      if (entry.online) return -1;
      if (entry.endedCleanly !== true) return 1;
      return nowMs - Math.max(entry.updatedMs, resumedMs) >= STOPPED_MS ? 0 : -1;
    },
    values: ({ entry, isSilent }) => ({
      online: entry?.online === true,
      silent: isSilent,
      ended_cleanly: entry?.endedCleanly === true,
    }),
    summary: ({ entry, isSilent }) => {
      if (isSilent)
        return {
          en: 'The gateway is connected by its last word, and says nothing',
          ko: '게이트웨이가 연결된 것으로 되어 있으나 응답이 없습니다',
        };
      if (entry?.online === true)
        return { en: 'The gateway is back', ko: '게이트웨이가 다시 연결되었습니다' };
      if (entry?.endedCleanly === true)
        return {
          en: 'The gateway was stopped and has not come back',
          ko: '게이트웨이가 정지된 후 다시 시작되지 않았습니다',
        };
      return {
        en: 'The connection to the gateway was lost',
        ko: '게이트웨이와의 연결이 끊어졌습니다',
      };
    },
    turnsMs: ({ entry, resumedMs }) =>
      entry !== undefined && !entry.online && entry.endedCleanly === true
        ? Math.max(entry.updatedMs, resumedMs) + STOPPED_MS
        : Number.POSITIVE_INFINITY,
  },
  {
    name: 'gateway_buffer',
    title: 'Gateway buffer is filling up',
    titleKo: '게이트웨이 버퍼 부족',
    levels: [WARNING, { severity: 'CRITICAL' }],
    forMs: BUFFER_FOR_MS,
    resolveAfterMs: BUFFER_FOR_MS,
    rank: ({ entry, isSilent }) => {
      if (entry?.online !== true || isSilent) return undefined;
      const seconds = entry.bufferSecondsUntilEviction;
      // Negative: it is not filling.
      if (!(seconds >= 0) || entry.bufferReadings === 0) return -1;
      return seconds < BUFFER_CRITICAL_SECONDS ? 1 : seconds < BUFFER_WARNING_SECONDS ? 0 : -1;
    },
    values: ({ entry }) => ({
      buffer_readings: entry?.bufferReadings ?? null,
      buffer_seconds_until_eviction: entry?.bufferSecondsUntilEviction ?? null,
    }),
    summary: ({ entry }) => {
      const seconds = entry?.bufferSecondsUntilEviction ?? -1;
      const readings = entry?.bufferReadings ?? 0;
      if (seconds < 0) return { en: 'The buffer empties', ko: '버퍼가 비워지고 있습니다' };
      const left = durationOf(seconds * 1_000);
      return {
        en: `${readings} readings wait on the gateway; in ${left.en} the oldest are lost`,
        ko: `게이트웨이에 측정값 ${readings}개가 대기 중이며, ${left.ko} 후 가장 오래된 것부터 사라집니다`,
      };
    },
  },
  {
    name: 'gateway_clock',
    title: 'Gateway clock is not synchronised',
    titleKo: '게이트웨이 시계 미동기화',
    levels: [WARNING],
    forMs: CLOCK_FOR_MS,
    resolveAfterMs: 0,
    rank: ({ entry, isSilent }) => {
      if (entry?.online !== true || isSilent) return undefined;
      return entry.clockUnsynced ? 0 : -1;
    },
    values: ({ entry }) => ({ clock_unsynced: entry?.clockUnsynced ?? null }),
    summary: ({ entry }) =>
      entry?.clockUnsynced === true
        ? {
            en: 'The clock is not synchronised: times of readings are doubtful',
            ko: '시계가 동기화되지 않아 측정 시각을 신뢰할 수 없습니다',
          }
        : { en: 'The clock is synchronised', ko: '시계가 동기화되었습니다' },
  },
  {
    name: GATEWAY_BEHIND,
    title: 'Gateway is behind',
    titleKo: '게이트웨이 전송 지연',
    levels: [{ severity: 'INFO' }, WARNING],
    forMs: BEHIND_FOR_MS,
    resolveAfterMs: BEHIND_FOR_MS,
    rank: ({ behindSeconds }) => {
      if (behindSeconds === undefined) return undefined;
      return behindSeconds > BEHIND_WARNING_SECONDS
        ? 1
        : behindSeconds > BEHIND_INFO_SECONDS
          ? 0
          : -1;
    },
    values: ({ behindSeconds }) => ({ latency_seconds: behindSeconds ?? null }),
    summary: ({ behindSeconds }) => {
      const by = durationOf((behindSeconds ?? 0) * 1_000);
      return {
        en: `The newest readings are ${by.en} old: the gateway sends what it had buffered`,
        ko: `최신 측정값이 ${by.ko} 전 것입니다: 게이트웨이가 버퍼에 있던 데이터를 전송 중입니다`,
      };
    },
  },
  {
    name: 'alerts_full',
    title: 'Too many alerts',
    titleKo: '알림이 너무 많음',
    levels: [{ severity: 'ERROR' }],
    forMs: 0,
    resolveAfterMs: 0,
    rank: ({ refused, refusedMs, nowMs }) =>
      refused > 0 && nowMs - refusedMs < ALERTS_FULL_FOR_MS ? 0 : -1,
    values: ({ refused }) => ({ not_opened: refused }),
    summary: () => ({
      en: "Too many alerts of the gateway's devices are open: milder ones were not opened",
      ko: '게이트웨이 장치의 열린 알림이 너무 많아 덜 심각한 알림은 생성하지 않았습니다',
    }),
    turnsMs: ({ refused, refusedMs }) =>
      refused > 0 ? refusedMs + ALERTS_FULL_FOR_MS : Number.POSITIVE_INFINITY,
  },
];
