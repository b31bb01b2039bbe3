/** Layer 1: the machines and parts that carry the readings, from Prometheus. */

import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { headLink, valueLink } from '../links.ts';
import { fallingLimits, risingLimits, wellWords, wrongWords } from '../look.ts';
import type { Section } from '../page.ts';
import { dashboardOf } from '../page.ts';
import { curves, figure, table } from '../panels.ts';
import { promNow, promSeries, promTable } from '../targets.ts';
import { instanceVariable, OF_INSTANCE as OF } from '../variables.ts';
import type { Page } from '../words.ts';
import { log, processes, store } from './infrastructure_parts.ts';

export function infrastructure(page: Page): Dashboard {
  const { say } = page;
  return dashboardOf(page, {
    name: 'infrastructure',
    layer: 1,
    title: say('Infrastructure', '인프라'),
    about: say(
      'Gateways, broker, log, store and the processes of the collector. Grey is well; a colour needs a person.',
      '게이트웨이, 브로커, 로그, 저장소, 수집기 프로세스입니다. 회색은 정상이며, 색은 조치가 필요함을 뜻합니다.',
    ),
    range: '6h',
    refresh: '30s',
    variables: [instanceVariable(say)],
    links: [
      headLink(page, 'application', say('2 Application', '2 애플리케이션')),
      headLink(page, 'plant', say('3 Plant', '3 공장')),
    ],
    sections: [now(page), gateways(page), broker(page), log(page), store(page), processes(page)],
  });
}

function now({ say }: Page): Section {
  const height = 4;
  const width = 4;
  return {
    title: say('Now', '현재'),
    panels: [
      figure({
        title: say('Checks that fail', '실패한 점검'),
        about: say(
          'Parts of /readyz that are not ready, of all processes.',
          '모든 프로세스의 /readyz에서 준비되지 않은 항목 수입니다.',
        ),
        width,
        height,
        asks: [promNow(`count(fms_collector_ready{${OF}} == 0) or vector(0)`, '')],
        limits: risingLimits({ at: 1, severity: 'ERROR' }),
        decimals: 0,
      }),
      figure({
        title: say('Gateways offline', '오프라인 게이트웨이'),
        about: say(
          'Gateways that are not connected now.',
          '현재 연결되지 않은 게이트웨이 수입니다.',
        ),
        width,
        height,
        asks: [
          promNow(
            'count(max by (site, gateway) (fms_collector_gateway_online) == 0) or vector(0)',
            '',
          ),
        ],
        limits: risingLimits({ at: 1, severity: 'WARNING' }),
        decimals: 0,
      }),
      figure({
        title: say('Log in use', '로그 사용량'),
        about: say(
          'Of log.max_bytes. When it is full, gateways keep their readings and intake stops.',
          'log.max_bytes 대비 비율입니다. 가득 차면 수신이 멈추고 게이트웨이가 측정값을 보관합니다.',
        ),
        width,
        height,
        asks: [promNow(`fms_collector:log_used:ratio`, '')],
        unit: 'percentunit',
        decimals: 0,
        limits: risingLimits({ at: 0.8, severity: 'WARNING' }, { at: 0.95, severity: 'CRITICAL' }),
        nothing: say('no cap', '제한 없음'),
      }),
      figure({
        title: say('Not yet processed', '처리 대기'),
        about: say(
          'Raw records of the log that the processor has not taken yet.',
          '프로세서가 아직 처리하지 않은 로그의 원시 레코드 수입니다.',
        ),
        width,
        height,
        asks: [promNow('max(fms_collector_log_processor_lag_records)', '')],
        limits: risingLimits({ at: 10_000, severity: 'WARNING' }),
        decimals: 0,
      }),
      figure({
        title: say('Not yet stored', '저장 대기'),
        about: say(
          'Records of the log that the slowest consumer has not taken yet.',
          '가장 느린 소비자가 아직 처리하지 않은 로그 레코드 수입니다.',
        ),
        width,
        height,
        asks: [promNow('max(fms_collector_log_consumer_lag_records)', '')],
        limits: risingLimits({ at: 100_000, severity: 'WARNING' }),
        decimals: 0,
      }),
      figure({
        title: say('Room on the disk', '디스크 여유'),
        about: say(
          'Free bytes above the floor at which the writers pause; the smallest of all processes.',
          '기록기가 멈추는 하한선까지 남은 공간입니다. 프로세스 중 가장 작은 값입니다.',
        ),
        width,
        height,
        asks: [
          promNow(
            'min((fms_collector_disk_free_bytes > 0) - on (instance, job) fms_collector_disk_floor_bytes)',
            '',
          ),
        ],
        unit: 'bytes',
        decimals: 1,
        limits: fallingLimits(
          'CRITICAL',
          { at: 1, severity: 'WARNING' },
          { at: 5 * 1024 ** 3, severity: undefined },
        ),
      }),
    ],
  };
}

function gateways(page: Page): Section {
  const { say } = page;
  const by = 'max by (site, gateway)';
  return {
    title: say('Gateways', '게이트웨이'),
    panels: [
      table({
        title: say('Gateways', '게이트웨이'),
        about: say(
          'A click on the name opens the gateway.',
          '이름을 클릭하면 해당 게이트웨이가 열립니다.',
        ),
        width: 24,
        height: 9,
        asks: [
          promTable(`${by} (fms_collector_gateway_online)`, 'A'),
          promTable(`${by} (fms_collector_gateway_state_age_seconds)`, 'B'),
          promTable(`${by} (fms_collector_gateway_buffer_readings)`, 'C'),
          promTable(`${by} (fms_collector_gateway_buffer_seconds_until_eviction)`, 'D'),
          promTable(`${by} (fms_collector_gateway_clock_unsynced)`, 'E'),
          promTable(`${by} (fms_collector_ledger_balance_readings)`, 'F'),
        ],
        columns: [
          { name: 'Time', title: say('Time', '시각'), hidden: true },
          { name: 'site', title: say('Site', '사업장') },
          {
            name: 'gateway',
            title: say('Gateway', '게이트웨이'),
            links: [
              valueLink(page, 'gateway', say('Open the gateway', '게이트웨이 열기'), {
                site: 'site',
                gateway: 'gateway',
              }),
            ],
          },
          { name: 'Value #A', title: say('Online', '온라인'), words: wellWords(say) },
          { name: 'Value #B', title: say('Last word', '마지막 응답'), unit: 's', decimals: 0 },
          { name: 'Value #C', title: say('In its buffer', '버퍼의 측정값'), unit: 'locale' },
          {
            name: 'Value #D',
            title: say('Until eviction', '버퍼 소진까지'),
            unit: 's',
            decimals: 0,
            limits: fallingLimits(
              'CRITICAL',
              { at: 3_600, severity: 'WARNING' },
              { at: 86_400, severity: undefined },
            ),
          },
          { name: 'Value #E', title: say('Clock wrong', '시계 오류'), words: wrongWords(say) },
          {
            name: 'Value #F',
            title: say('Balance', '수지'),
            decimals: 0,
            limits: fallingLimits(
              'CRITICAL',
              { at: 0, severity: undefined },
              { at: 1, severity: 'CRITICAL' },
            ),
          },
        ],
      }).withTransformation({ id: 'merge', options: {} }),
    ],
  };
}

function broker({ say }: Page): Section {
  const half = { width: 8, height: 7 };
  return {
    title: say('Broker', '브로커'),
    panels: [
      curves({
        ...half,
        title: say('Connections', '연결'),
        about: say(
          'Open connections, and those of them that are gateways which were let in.',
          '열린 연결과 그중 인증된 게이트웨이 수입니다.',
        ),
        asks: [
          promSeries(`sum(fms_collector_mqtt_connections{${OF}})`, say('connections', '연결'), 'A'),
          promSeries(`sum(fms_collector_mqtt_gateways{${OF}})`, say('gateways', '게이트웨이'), 'B'),
        ],
        decimals: 0,
        min: 0,
      }),
      curves({
        ...half,
        title: say('Refused', '거부'),
        about: say(
          'Connections and packets refused a second, by reason.',
          '초당 거부된 연결 및 패킷 수(사유별)입니다.',
        ),
        asks: [
          promSeries(
            `sum by (reason) (rate(fms_collector_mqtt_refused_total{${OF}}[$__rate_interval]))`,
            '{{reason}}',
          ),
        ],
        unit: 'cps',
        min: 0,
      }),
      curves({
        ...half,
        title: say('Waiting for the log', '로그 대기'),
        about: say(
          'Bytes of payloads that wait to become durable; they are not acknowledged yet.',
          '아직 로그에 기록되지 않아 확인 응답을 보내지 않은 데이터의 크기입니다.',
        ),
        asks: [
          promSeries(
            `sum by (instance) (fms_collector_mqtt_in_flight_bytes{${OF}})`,
            '{{instance}}',
          ),
        ],
        unit: 'bytes',
        min: 0,
      }),
    ],
  };
}
