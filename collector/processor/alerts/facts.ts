/** What conditions may name beside the channels of the device. */

import type { ChannelType } from '../../profile.ts';

/** Names and their types; a channel of such a name stands in backticks. */
export const FACTS = {
  /** 0 to 100: data quality of the last WINDOW_MINUTES of reading time. */
  quality: 'number',
  /** Since the last reading was received; the time that the collector was away does not count. */
  silent_seconds: 'number',
  /** Of the readings of the last WINDOW_MINUTES: those without a usable value, and rejects. */
  error_percent: 'number',
  /** From reading time to durable, of the newest readings. */
  latency_seconds: 'number',
  /** An anomaly of the device is open. */
  anomaly: 'boolean',
  /** 0 to 1: all detectors joined, as of the device's last row. */
  anomaly_score: 'number',
} as const satisfies Record<string, ChannelType>;

export type FactName = keyof typeof FACTS;

export function isFact(name: string): name is FactName {
  return Object.hasOwn(FACTS, name);
}

/** How a summary calls it. */
export const FACT_WORDS: Record<FactName, { en: string; ko: string; unit: string }> = {
  quality: { en: 'Data quality', ko: '데이터 품질', unit: '' },
  silent_seconds: { en: 'Time without a reading', ko: '측정값 없는 시간', unit: 's' },
  error_percent: { en: 'Readings without a usable value', ko: '사용할 수 없는 측정값', unit: '%' },
  latency_seconds: { en: 'Latency', ko: '지연', unit: 's' },
  anomaly: { en: 'Anomaly', ko: '이상', unit: '' },
  anomaly_score: { en: 'Anomaly score', ko: '이상 점수', unit: '' },
};

export const BASELINE_WORDS = { en: 'baseline of', ko: '기준값' };
