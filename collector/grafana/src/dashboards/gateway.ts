/** Layer 1, one gateway: what the collector knows of it, and its agent's own metrics where scraped. */

import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { headLink } from '../links.ts';
import { fallingLimits, risingLimits, wellWords, wrongWords } from '../look.ts';
import type { Section } from '../page.ts';
import { dashboardOf } from '../page.ts';
import { curves, figure, states, table } from '../panels.ts';
import { promNow, promSeries, promTable } from '../targets.ts';
import { gatewayVariables } from '../variables.ts';
import type { Page } from '../words.ts';

const OF = 'site="$site",gateway="$gateway"';

export function gateway(page: Page): Dashboard {
  const { say } = page;
  return dashboardOf(page, {
    name: 'gateway',
    layer: 1,
    title: say('Gateway', '게이트웨이'),
    about: say(
      'One gateway: connection, buffer, clock and ledger, and its agent.',
      '게이트웨이 하나의 연결, 버퍼, 시계, 원장과 에이전트입니다.',
    ),
    range: '6h',
    refresh: '30s',
    variables: gatewayVariables(say),
    links: [
      headLink(page, 'infrastructure', say('1 Infrastructure', '1 인프라')),
      headLink(page, 'application', say('2 Application', '2 애플리케이션')),
    ],
    sections: [now(page), asTheCollectorHasIt(page), agent(page)],
  });
}

function now({ say }: Page): Section {
  const size = { width: 6, height: 4 };
  const of = (metric: string): string => `max(fms_collector_${metric}{${OF}})`;
  return {
    title: say('Now', '현재'),
    panels: [
      figure({
        ...size,
        title: say('Online', '온라인'),
        about: say(
          'Connected to the collector. If not: fms-agent status on the gateway.',
          '수집기와의 연결 여부입니다. 끊겼다면 게이트웨이에서 fms-agent status를 확인하십시오.',
        ),
        asks: [promNow(of('gateway_online'), '')],
        words: wellWords(say),
      }),
      figure({
        ...size,
        title: say('Readings in its buffer', '버퍼의 측정값'),
        about: say('They wait for the collector.', '수집기로 전송을 기다리는 측정값입니다.'),
        asks: [promNow(of('gateway_buffer_readings'), '')],
        unit: 'locale',
        decimals: 0,
      }),
      figure({
        ...size,
        title: say('Until the oldest are lost', '오래된 측정값 손실까지'),
        about: say(
          'At the present rate; no limit while the buffer is not filling.',
          '현재 속도 기준입니다. 버퍼가 차고 있지 않으면 제한이 없습니다.',
        ),
        asks: [promNow(`${of('gateway_buffer_seconds_until_eviction')} < +Inf`, '')],
        unit: 's',
        decimals: 0,
        nothing: say('not filling', '차지 않음'),
        limits: fallingLimits(
          'CRITICAL',
          { at: 3_600, severity: 'WARNING' },
          { at: 86_400, severity: undefined },
        ),
      }),
      figure({
        ...size,
        title: say('Clock wrong', '시계 오류'),
        about: say(
          'While it is, times of readings are doubtful: repair time synchronisation.',
          '오류가 있으면 측정 시각을 신뢰할 수 없습니다. 시각 동기화를 복구하십시오.',
        ),
        asks: [promNow(of('gateway_clock_unsynced'), '')],
        words: wrongWords(say),
      }),
    ],
  };
}

function asTheCollectorHasIt({ say }: Page): Section {
  const size = { width: 12, height: 7 };
  const by = 'max by (state)';
  return {
    title: say('As the collector has it', '수집기 기준'),
    panels: [
      states({
        ...size,
        title: say('Connection', '연결'),
        about: say('When it was connected.', '연결되어 있던 시간입니다.'),
        asks: [promSeries(`max(fms_collector_gateway_online{${OF}})`, say('online', '온라인'))],
        words: wellWords(say),
      }),
      curves({
        ...size,
        title: say('Buffer', '버퍼'),
        about: say('Readings that wait on the gateway.', '게이트웨이에서 대기 중인 측정값입니다.'),
        asks: [
          promSeries(
            `max(fms_collector_gateway_buffer_readings{${OF}})`,
            say('readings', '측정값'),
          ),
        ],
        unit: 'locale',
        min: 0,
      }),
      table({
        ...size,
        title: say('Ledger', '원장'),
        about: say(
          'What became of the readings that the gateway has numbered. The balance must be 0.',
          '게이트웨이가 번호를 매긴 측정값의 처리 결과입니다. 수지는 0이어야 합니다.',
        ),
        asks: [promTable(`${by} (fms_collector_ledger_readings{${OF}})`)],
        columns: [
          { name: 'Time', title: say('Time', '시각'), hidden: true },
          { name: 'state', title: say('What became of them', '처리 결과') },
          { name: 'Value', title: say('Readings', '측정값'), unit: 'locale', decimals: 0 },
        ],
      }),
      figure({
        ...size,
        title: say('Balance', '수지'),
        about: say(
          'Readings that the ledger cannot account for. Anything but 0 is a defect: TROUBLESHOOTING, "balance is not 0".',
          '원장이 설명하지 못하는 측정값 수입니다. 0이 아니면 결함이므로 TROUBLESHOOTING의 "balance is not 0"을 참조하십시오.',
        ),
        asks: [promNow(`max(abs(fms_collector_ledger_balance_readings{${OF}}))`, '')],
        decimals: 0,
        limits: risingLimits({ at: 1, severity: 'CRITICAL' }),
      }),
    ],
  };
}

/** An agent's metrics carry site and gateway where the scrape configuration adds them. */
function agent({ say }: Page): Section {
  const size = { width: 8, height: 7 };
  return {
    title: say('Its agent, where Prometheus scrapes it', '에이전트 (Prometheus가 수집하는 경우)'),
    panels: [
      curves({
        ...size,
        title: say('Readings', '측정값'),
        about: say(
          'Taken from the devices, and acknowledged by the collector, a second.',
          '초당 장치에서 수집한 측정값과 수집기가 확인한 측정값입니다.',
        ),
        asks: [
          promSeries(
            `rate(fms_agent_readings_total{${OF}}[$__rate_interval])`,
            say('taken', '수집'),
            'A',
          ),
          promSeries(
            `rate(fms_agent_acknowledged_readings_total{${OF}}[$__rate_interval])`,
            say('acknowledged', '확인'),
            'B',
          ),
        ],
        unit: 'cps',
        min: 0,
      }),
      curves({
        ...size,
        title: say('Failures by device', '장치별 실패'),
        about: say(
          'Polls a second without an answer, and answers that were not understood.',
          '초당 응답이 없거나 해석하지 못한 폴링 수입니다.',
        ),
        asks: [
          promSeries(
            `sum by (device) (rate(fms_agent_reader_errors_total{${OF}}[$__rate_interval])) > 0`,
            '{{device}}',
          ),
        ],
        unit: 'cps',
        min: 0,
      }),
      curves({
        ...size,
        title: say('CPU and memory', 'CPU와 메모리'),
        about: say('Cores in use, and resident memory.', '사용 중인 코어 수와 상주 메모리입니다.'),
        asks: [
          promSeries(`rate(fms_agent_cpu_seconds_total{${OF}}[$__rate_interval])`, 'CPU', 'A'),
          promSeries(`fms_agent_resident_memory_bytes{${OF}}`, say('memory', '메모리'), 'B'),
        ],
        min: 0,
      }).overrideByQuery('B', [
        { id: 'unit', value: 'bytes' },
        { id: 'custom.axisPlacement', value: 'right' },
      ]),
    ],
  };
}
