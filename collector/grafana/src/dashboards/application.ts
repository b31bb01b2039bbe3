/** Layer 2: what the program does with the readings: throughput, latency, errors, data quality. */

import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { headLink, labelOf, valueLink } from '../links.ts';
import { fallingLimits, risingLimits } from '../look.ts';
import type { Section } from '../page.ts';
import { dashboardOf } from '../page.ts';
import { curves, figure, table } from '../panels.ts';
import { isChosenOrAll, OF_CHOSEN_DEVICES, rollup } from '../sql.ts';
import { clickhouseSeries, clickhouseTable, promNow, promSeries } from '../targets.ts';
import { placeVariables } from '../variables.ts';
import type { Page } from '../words.ts';
import { qualityBySite, quarantineByReason } from './quality_sql.ts';

export function application(page: Page): Dashboard {
  const { say } = page;
  return dashboardOf(page, {
    name: 'application',
    layer: 2,
    title: say('Application', '애플리케이션'),
    about: say(
      'Throughput, latency, errors and data quality, from the broker to the store.',
      '브로커에서 저장소까지의 처리량, 지연, 오류, 데이터 품질입니다.',
    ),
    range: '6h',
    refresh: '1m',
    variables: placeVariables(say),
    links: [
      headLink(page, 'infrastructure', say('1 Infrastructure', '1 인프라')),
      headLink(page, 'quality', say('Data quality', '데이터 품질')),
      headLink(page, 'plant', say('3 Plant', '3 공장')),
    ],
    sections: [throughput(page), latency(page), errors(page), quality(page)],
  });
}

const rate = (metric: string): string => `rate(fms_collector_${metric}[$__rate_interval])`;

function throughput({ say }: Page): Section {
  const size = { width: 8, height: 7, min: 0 };
  return {
    title: say('Throughput', '처리량'),
    panels: [
      curves({
        ...size,
        title: say('Readings', '측정값'),
        about: say(
          'Passed on to the store, put into quarantine, and removed as duplicates, a second.',
          '초당 저장소로 전달, 격리, 중복으로 제거된 측정값입니다.',
        ),
        asks: [
          promSeries(`sum(${rate('processed_readings_total')})`, say('stored', '저장'), 'A'),
          promSeries(`sum(${rate('quarantined_readings_total')})`, say('quarantined', '격리'), 'B'),
          promSeries(`sum(${rate('duplicate_readings_total')})`, say('duplicates', '중복'), 'C'),
        ],
        unit: 'cps',
      }),
      curves({
        ...size,
        title: say('Payloads', '수신 데이터'),
        about: say('Bytes a second that the broker took in.', '초당 브로커가 수신한 바이트입니다.'),
        asks: [promSeries(`sum by (kind) (${rate('mqtt_payload_bytes_total')})`, '{{kind}}')],
        unit: 'Bps',
      }),
      curves({
        ...size,
        title: say('Rows written', '기록된 행'),
        about: say('By the writers, a second and topic.', '토픽별 초당 기록된 행입니다.'),
        asks: [promSeries(`sum by (topic) (${rate('writer_rows_total')})`, '{{topic}}')],
        unit: 'cps',
      }),
    ],
  };
}

function latency({ say }: Page): Section {
  const size = { width: 8, height: 7, unit: 's', min: 0 };
  const ack = (quantile: number): string =>
    `histogram_quantile(${quantile}, sum by (le) (${rate('mqtt_ack_latency_seconds_bucket')}))`;
  return {
    title: say('Latency', '지연'),
    panels: [
      curves({
        ...size,
        title: say('Until acknowledged', '확인 응답까지'),
        about: say(
          'From the arrival of a payload until it is durable and acknowledged.',
          '데이터 도착부터 기록 및 확인 응답까지의 시간입니다.',
        ),
        asks: [
          promSeries(ack(0.5), '50 %', 'A'),
          promSeries(ack(0.95), '95 %', 'B'),
          promSeries(ack(0.99), '99 %', 'C'),
        ],
      }),
      curves({
        ...size,
        title: say('Until processed', '처리까지'),
        about: say(
          'How far the slowest processor is behind the clock.',
          '가장 느린 프로세서가 현재 시각보다 뒤처진 시간입니다.',
        ),
        asks: [
          promSeries(
            'max(time() - (fms_collector_processor_time_seconds > 0))',
            say('processor', '프로세서'),
          ),
        ],
        limits: risingLimits({ at: 30, severity: 'WARNING' }),
        withLimits: true,
      }),
      curves({
        ...size,
        unit: 'ms',
        title: say('From reading to receipt', '측정부터 수신까지'),
        about: say(
          'Mean over the readings of each site; readings that waited in a buffer count as late as they are.',
          '사업장별 측정값의 평균입니다. 버퍼에서 대기한 측정값은 그만큼 늦은 것으로 계산합니다.',
        ),
        asks: [
          clickhouseSeries(`SELECT $__timeInterval(time) AS time, site,
  sum(latency_sum_ms) / sum(received) AS latency
FROM (
  ${rollup('quality', 'site, time, received, latency_sum_ms', isChosenOrAll('site'))}
)
GROUP BY time, site
HAVING sum(received) > 0
ORDER BY time`),
        ],
        atLeast: '1m',
        curveName: labelOf('site'),
        limits: risingLimits({ at: 30_000, severity: 'WARNING' }),
        withLimits: true,
      }),
    ],
  };
}

function errors({ say }: Page): Section {
  const size = { width: 8, height: 7, min: 0 };
  return {
    title: say('Errors', '오류'),
    panels: [
      curves({
        ...size,
        title: say('Failed', '실패'),
        about: say(
          'Appends, inserts and roll-ups that failed, in ten minutes. All are tried again.',
          '10분 동안 실패한 로그 기록, 저장, 집계 수입니다. 모두 다시 시도합니다.',
        ),
        asks: [
          promSeries(
            'sum(increase(fms_collector_log_append_errors_total[10m]))',
            say('appends', '로그 기록'),
            'A',
          ),
          promSeries(
            'sum(increase(fms_collector_store_insert_errors_total[10m]))',
            say('inserts', '저장'),
            'B',
          ),
          promSeries(
            'sum(increase(fms_collector_rollup_failed_total[10m]))',
            say('roll-ups', '집계'),
            'C',
          ),
        ],
        decimals: 0,
      }),
      curves({
        ...size,
        title: say('Writers that wait', '대기 중인 기록기'),
        about: say(
          'Writers that wait out an error, by its code: see docs/ERRORS.md.',
          '오류로 대기 중인 기록기 수(오류 코드별)입니다. docs/ERRORS.md를 참조하십시오.',
        ),
        asks: [promSeries('sum by (code) (fms_collector_writer_waiting)', '{{code}}')],
        decimals: 0,
      }),
      curves({
        ...size,
        title: say('Messages not delivered', '전달하지 못한 메시지'),
        about: say(
          'Messages about alerts that failed, were refused or given up, in ten minutes, by receiver.',
          '10분 동안 실패, 거부, 포기된 알림 메시지 수(수신자별)입니다.',
        ),
        asks: [
          promSeries(
            'sum by (receiver, outcome) (increase(fms_collector_notifications_total{outcome!="sent"}[10m]))',
            '{{receiver}} {{outcome}}',
          ),
        ],
        decimals: 0,
      }),
    ],
  };
}

function quality(page: Page): Section {
  const { say } = page;
  const score = { unit: 'percent', decimals: 1 };
  const toSite = [
    valueLink(page, 'quality', say('Open data quality', '데이터 품질 열기'), { site: 'site' }),
  ];
  const below = (target: number) => fallingLimits('WARNING', { at: target, severity: undefined });
  return {
    title: say('Data quality', '데이터 품질'),
    panels: [
      table({
        title: say('By site', '사업장별'),
        about: say(
          'Scores over the range, 0 to 100. Targets: completeness 99, accuracy 95, consistency 98. A click opens the site.',
          '범위 전체의 점수(0~100)입니다. 목표: 완전성 99, 정확성 95, 일관성 98. 클릭하면 사업장이 열립니다.',
        ),
        width: 12,
        height: 8,
        asks: [clickhouseTable(qualityBySite(OF_CHOSEN_DEVICES))],
        columns: [
          { name: 'site', title: say('Site', '사업장'), links: toSite },
          {
            name: 'completeness',
            title: say('Completeness', '완전성'),
            ...score,
            limits: below(99),
          },
          { name: 'accuracy', title: say('Accuracy', '정확성'), ...score, limits: below(95) },
          { name: 'consistency', title: say('Consistency', '일관성'), ...score, limits: below(98) },
          { name: 'timeliness', title: say('Timeliness', '적시성'), ...score, limits: below(95) },
        ],
      }),
      table({
        title: say('Quarantine', '격리'),
        about: say(
          'Readings that were put into quarantine within the range, by reason.',
          '범위 내에 격리된 측정값(사유별)입니다.',
        ),
        width: 8,
        height: 8,
        asks: [clickhouseTable(quarantineByReason(isChosenOrAll('site')))],
        columns: [
          { name: 'site', title: say('Site', '사업장') },
          { name: 'reason', title: say('Reason', '사유') },
          { name: 'readings', title: say('Readings', '측정값'), unit: 'locale', decimals: 0 },
        ],
        nothing: say('none', '없음'),
      }),
      figure({
        title: say('Balance', '수지'),
        about: say(
          'Readings that the ledger cannot account for, of all gateways. Must be 0.',
          '모든 게이트웨이의 원장이 설명하지 못하는 측정값입니다. 0이어야 합니다.',
        ),
        width: 4,
        height: 8,
        asks: [
          promNow('sum(max by (site, gateway) (abs(fms_collector_ledger_balance_readings)))', ''),
        ],
        decimals: 0,
        limits: risingLimits({ at: 1, severity: 'CRITICAL' }),
      }),
    ],
  };
}
