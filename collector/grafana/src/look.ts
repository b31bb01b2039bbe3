/**
 * What the dashboards look like, after ISA-101: grey while all is well, alarm colours only for what needs a
 * person and for nothing else, and never a colour without a word or a shape.
 */

import type { ThresholdsConfigBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import type { Say } from './words.ts';

/** Grafana's own colour of text: follows its light and dark theme. */
export const CALM = 'text';
/** One hue for all lines; several lines of a chart are shades of it. */
export const LINE = '#7d8fa3';
/** Of alarms only. Told apart by lightness too, for those who see no colours. */
export const ALARM = {
  CRITICAL: '#c4162a',
  ERROR: '#e55400',
  WARNING: '#e0b400',
  INFO: '#5794f2',
} as const;
export type Severity = keyof typeof ALARM;
export const SEVERITIES = ['CRITICAL', 'ERROR', 'WARNING', 'INFO'] as const;

export interface Limit {
  /** From this value on. */
  at: number;
  severity: Severity | undefined;
}

/** Ascending. Calm below the first. */
export function risingLimits(...limits: Limit[]): ThresholdsConfigBuilder {
  return steps([{ at: null, severity: undefined }, ...limits]);
}

/** Something is wrong below `from`: ascending, the first holds from the bottom. */
export function fallingLimits(
  worst: Severity,
  ...limits: [{ at: number; severity: Severity | undefined }, ...Limit[]]
): ThresholdsConfigBuilder {
  return steps([{ at: null, severity: worst }, ...limits]);
}

function steps(
  limits: readonly { at: number | null; severity: Severity | undefined }[],
): ThresholdsConfigBuilder {
  return new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps(
    limits.map(({ at, severity }) => ({
      value: at,
      color: severity === undefined ? CALM : ALARM[severity],
    })),
  );
}

interface Word {
  text: string;
  severity?: Severity;
}

/** Values to words; those without a severity stay calm. */
export function wordsFor(words: Readonly<Record<string, Word>>): dashboard.ValueMapping[] {
  return [
    {
      type: dashboard.MappingType.ValueToText,
      options: Object.fromEntries(
        Object.entries(words).map(([value, { text, severity }], index) => [
          value,
          { text, color: severity === undefined ? CALM : ALARM[severity], index },
        ]),
      ),
    },
  ];
}

export function severityWords(say: Say): dashboard.ValueMapping[] {
  return wordsFor({
    CRITICAL: { text: say('■ critical', '■ 심각'), severity: 'CRITICAL' },
    ERROR: { text: say('▲ error', '▲ 오류'), severity: 'ERROR' },
    WARNING: { text: say('◆ warning', '◆ 경고'), severity: 'WARNING' },
    INFO: { text: say('○ information', '○ 정보') },
  });
}

export function alertStateWords(say: Say): dashboard.ValueMapping[] {
  return wordsFor({
    pending: { text: say('pending', '대기') },
    firing: { text: say('▲ firing', '▲ 발생'), severity: 'ERROR' },
    acknowledged: { text: say('acknowledged', '확인됨') },
    resolved: { text: say('resolved', '해결됨') },
  });
}

export function deviceStateWords(say: Say): dashboard.ValueMapping[] {
  return wordsFor({
    online: { text: say('online', '온라인') },
    late: { text: say('◆ late', '◆ 지연'), severity: 'WARNING' },
    silent: { text: say('▲ silent', '▲ 무응답'), severity: 'ERROR' },
  });
}

/** Of a metric that is 1 while all is well. */
export function wellWords(say: Say): dashboard.ValueMapping[] {
  return wordsFor({
    0: { text: say('▲ no', '▲ 아니요'), severity: 'ERROR' },
    1: { text: say('yes', '예') },
  });
}

/** Of a metric that is 1 while something is wrong. */
export function wrongWords(say: Say): dashboard.ValueMapping[] {
  return wordsFor({
    0: { text: say('no', '아니요') },
    1: { text: say('◆ yes', '◆ 예'), severity: 'WARNING' },
  });
}
