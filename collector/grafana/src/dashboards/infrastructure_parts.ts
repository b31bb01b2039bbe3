/** Layer 1: log, store and processes of the dashboard Infrastructure. */

import { risingLimits } from '../look.ts';
import type { Section } from '../page.ts';
import { curves } from '../panels.ts';
import { promSeries } from '../targets.ts';
import { OF_INSTANCE as OF } from '../variables.ts';
import type { Page } from '../words.ts';

export function log({ say }: Page): Section {
  const half = { width: 8, height: 7 };
  return {
    title: say('Log', '로그'),
    panels: [
      curves({
        ...half,
        title: say('Lag', '지연'),
        about: say(
          'Records that wait: raw ones for the processor, outputs for each consumer.',
          '대기 중인 레코드 수입니다. 원시 레코드는 프로세서를, 출력은 각 소비자를 기다립니다.',
        ),
        asks: [
          promSeries(
            'max(fms_collector_log_processor_lag_records)',
            say('processor', '프로세서'),
            'A',
          ),
          promSeries(
            'max by (consumer) (fms_collector_log_consumer_lag_records)',
            '{{consumer}}',
            'B',
          ),
        ],
        decimals: 0,
        min: 0,
      }),
      curves({
        ...half,
        title: say('Size', '크기'),
        about: say('What the log takes up, and its cap.', '로그가 차지하는 크기와 상한입니다.'),
        asks: [
          promSeries('max(fms_collector_log_bytes)', say('in use', '사용'), 'A'),
          promSeries('max(fms_collector_log_max_bytes > 0)', say('cap', '상한'), 'B'),
        ],
        unit: 'bytes',
        min: 0,
      }),
      curves({
        ...half,
        title: say('Appended', '기록'),
        about: say(
          'Records a second that became durable, and appends that failed.',
          '초당 기록된 레코드 수와 실패한 기록 수입니다.',
        ),
        asks: [
          promSeries(
            `sum(rate(fms_collector_log_appended_records_total{${OF}}[$__rate_interval]))`,
            say('records', '레코드'),
            'A',
          ),
          promSeries(
            `sum(rate(fms_collector_log_append_errors_total{${OF}}[$__rate_interval]))`,
            say('failed', '실패'),
            'B',
          ),
        ],
        unit: 'cps',
        min: 0,
      }),
    ],
  };
}

export function store({ say }: Page): Section {
  const half = { width: 8, height: 7 };
  return {
    title: say('Store', '저장소'),
    panels: [
      curves({
        ...half,
        title: say('Rows stored', '저장된 행'),
        about: say(
          'Rows inserted a second, and inserts that failed.',
          '초당 저장된 행 수와 실패한 저장 수입니다.',
        ),
        asks: [
          promSeries(
            `sum(rate(fms_collector_store_inserted_rows_total{${OF}}[$__rate_interval]))`,
            say('rows', '행'),
            'A',
          ),
          promSeries(
            `sum(rate(fms_collector_store_insert_errors_total{${OF}}[$__rate_interval]))`,
            say('failed', '실패'),
            'B',
          ),
        ],
        unit: 'cps',
        min: 0,
      }),
      curves({
        ...half,
        title: say('Roll-ups behind', '집계 지연'),
        about: say(
          'How long the roll-ups have not been complete.',
          '집계가 완료되지 않은 상태로 지난 시간입니다.',
        ),
        asks: [promSeries('max(fms_collector_rollup_pending_seconds)', say('behind', '지연'))],
        unit: 's',
        min: 0,
        limits: risingLimits({ at: 600, severity: 'WARNING' }),
        withLimits: true,
      }),
      curves({
        ...half,
        title: say('Disk', '디스크'),
        about: say(
          'Size of the store, free on the disk of data_dir, and the floor at which writers pause.',
          '저장소 크기, data_dir 디스크의 여유 공간, 기록기가 멈추는 하한선입니다.',
        ),
        asks: [
          promSeries('max(fms_collector_store_bytes)', say('store', '저장소'), 'A'),
          promSeries('min(fms_collector_disk_free_bytes > 0)', say('free', '여유'), 'B'),
          promSeries('max(fms_collector_disk_floor_bytes)', say('floor', '하한선'), 'C'),
        ],
        unit: 'bytes',
        min: 0,
      }),
    ],
  };
}

export function processes({ say }: Page): Section {
  const half = { width: 8, height: 7 };
  return {
    title: say('Processes', '프로세스'),
    panels: [
      curves({
        ...half,
        title: 'CPU',
        about: say('Cores in use, by process.', '프로세스별 사용 중인 코어 수입니다.'),
        asks: [
          promSeries(
            `rate(fms_collector_process_cpu_seconds_total{${OF}}[$__rate_interval])`,
            '{{instance}}',
          ),
        ],
        decimals: 2,
        min: 0,
      }),
      curves({
        ...half,
        title: say('Memory', '메모리'),
        about: say('Resident memory, by process.', '프로세스별 상주 메모리입니다.'),
        asks: [promSeries(`fms_collector_process_resident_memory_bytes{${OF}}`, '{{instance}}')],
        unit: 'bytes',
        min: 0,
      }),
      curves({
        ...half,
        title: say('Event-loop lag', '이벤트 루프 지연'),
        about: say(
          '99th percentile. High values mean that the process has too much to do.',
          '99번째 백분위수입니다. 값이 크면 프로세스가 과부하 상태입니다.',
        ),
        asks: [promSeries(`fms_collector_nodejs_eventloop_lag_p99_seconds{${OF}}`, '{{instance}}')],
        unit: 's',
        min: 0,
      }),
    ],
  };
}
