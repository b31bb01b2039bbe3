/** Layer 3, one device: its channels from a year down to single readings, anomalies, alerts, failures. */

import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { AnnotationQueryBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { COLUMN_NAME, headLink, labelOf } from '../links.ts';
import { ALARM, deviceStateWords, risingLimits, wordsFor } from '../look.ts';
import type { Section } from '../page.ts';
import { dashboardOf } from '../page.ts';
import { curves, figures, table } from '../panels.ts';
import { channelValues, isChosen } from '../sql.ts';
import { CLICKHOUSE, clickhouseSeries, clickhouseTable } from '../targets.ts';
import { deviceVariables } from '../variables.ts';
import type { Page } from '../words.ts';
import { alertColumns } from './alert_columns.ts';
import {
  alertsOfDevice,
  anomaliesOfDevice,
  anomalyMarks,
  DEVICE_NOW,
  FAILURES_OF_DEVICE,
  NEWEST_OF_DEVICE,
} from './plant_sql.ts';
import { reasonsOfDevice, scoresOverTime } from './quality_sql.ts';

const OF_DEVICE = `${isChosen('site')} AND ${isChosen('device')}`;

export function device(page: Page): Dashboard {
  const { say } = page;
  return dashboardOf(page, {
    name: 'device',
    layer: 3,
    title: say('Device', '장치'),
    about: say(
      'One device with its channels. Up to three hours each reading, up to two days minutes, beyond that hours.',
      '장치 하나와 그 채널입니다. 3시간까지는 개별 측정값, 2일까지는 분 단위, 그 이상은 시간 단위로 표시합니다.',
    ),
    range: '24h',
    refresh: '30s',
    variables: deviceVariables(say),
    links: [
      headLink(page, 'line', say('Line', '라인')),
      headLink(page, 'plant', say('3 Plant', '3 공장')),
      headLink(page, 'quality', say('Data quality', '데이터 품질')),
    ],
    annotations: [
      new AnnotationQueryBuilder()
        .name(say('Anomalies', '이상'))
        .datasource(CLICKHOUSE)
        .enable(true)
        .hide(false)
        .iconColor(ALARM.WARNING)
        .target(clickhouseTable(anomalyMarks(page.language), 'Anno')),
    ],
    sections: [now(page), channels(page), wrong(page), quality(page)],
  });
}

function now({ say }: Page): Section {
  return {
    title: say('Now', '현재'),
    panels: [
      figures({
        title: say('Device', '장치'),
        about: say('State and place at the end of the range.', '범위 끝 시점의 상태와 위치입니다.'),
        width: 8,
        height: 8,
        asks: [clickhouseTable(DEVICE_NOW)],
      })
        .overrideByName('state', [
          { id: 'displayName', value: say('State', '상태') },
          { id: 'mappings', value: deviceStateWords(say) },
        ])
        .overrideByName('area', [{ id: 'displayName', value: say('Area', '구역') }])
        .overrideByName('line', [{ id: 'displayName', value: say('Line', '라인') }])
        .overrideByName('profile', [{ id: 'displayName', value: say('Profile', '프로파일') }])
        .overrideByName('interval_ms', [
          { id: 'displayName', value: say('Interval', '수집 주기') },
          { id: 'unit', value: 'ms' },
        ])
        .overrideByName('age_ms', [
          { id: 'displayName', value: say('Newest reading ago', '최근 측정 경과') },
          { id: 'unit', value: 'ms' },
          { id: 'decimals', value: 0 },
        ]),
      table({
        title: say('Newest values', '최근 값'),
        about: say(
          'Units are in the device profile; the collector’s own page shows them.',
          '단위는 장치 프로파일에 있으며 수집기 페이지에 표시됩니다.',
        ),
        width: 16,
        height: 8,
        asks: [clickhouseTable(NEWEST_OF_DEVICE)],
        columns: [
          { name: 'channel', title: say('Channel', '채널') },
          { name: 'time', title: say('Time', '시각'), unit: 'dateTimeAsIso' },
          { name: 'value', title: say('Value', '값'), decimals: 2 },
          { name: 'text', title: say('Text', '문자값') },
          {
            name: 'quality',
            title: say('Quality', '품질'),
            words: wordsFor({
              good: { text: say('good', '양호') },
              uncertain: { text: say('◆ uncertain', '◆ 불확실'), severity: 'WARNING' },
              bad: { text: say('▲ bad', '▲ 불량'), severity: 'ERROR' },
            }),
          },
        ],
      }),
    ],
  };
}

function channels({ say }: Page): Section {
  return {
    title: say('Channels', '채널'),
    panels: [
      curves({
        title: say('Channels', '채널'),
        about: say(
          'Mean of each point; anomalies are marked. Click a name in the legend to see one channel alone.',
          '각 지점의 평균이며 이상은 표시됩니다. 범례의 이름을 클릭하면 해당 채널만 표시됩니다.',
        ),
        width: 24,
        height: 12,
        asks: [
          clickhouseSeries(`SELECT time, channel, value FROM (
${channelValues(OF_DEVICE)}
) ORDER BY time`),
        ],
        atLeast: '1s',
        curveName: labelOf('channel'),
      }).maxDataPoints(1_000),
      curves({
        title: say('Lowest and highest', '최저와 최고'),
        about: say(
          'Of each point: shows peaks that the mean hides.',
          '각 지점의 최저·최고값으로, 평균에 가려진 극값을 보여 줍니다.',
        ),
        width: 24,
        height: 9,
        asks: [
          clickhouseSeries(`SELECT time, channel, low, high FROM (
${channelValues(OF_DEVICE)}
) ORDER BY time`),
        ],
        atLeast: '1s',
        curveName: `${labelOf('channel')} ${COLUMN_NAME}`,
      }).maxDataPoints(1_000),
    ],
  };
}

function wrong(page: Page): Section {
  const { say } = page;
  return {
    title: say('What was wrong', '문제'),
    panels: [
      table({
        title: say('Anomalies', '이상'),
        about: say(
          'With what was expected. To judge them true or false: the collector’s own page.',
          '예상 범위와 함께 표시합니다. 참·거짓 판정은 수집기 페이지에서 하십시오.',
        ),
        width: 24,
        height: 8,
        asks: [clickhouseTable(anomaliesOfDevice(page.language))],
        columns: [
          { name: 'onset', title: say('Began', '시작'), unit: 'dateTimeAsIso', width: 170 },
          { name: 'channel', title: say('Channel', '채널') },
          { name: 'detector', title: say('Detector', '감지기') },
          {
            name: 'state',
            title: say('State', '상태'),
            words: wordsFor({
              open: { text: say('◆ open', '◆ 진행 중'), severity: 'WARNING' },
              ended: { text: say('ended', '종료') },
            }),
          },
          { name: 'score', title: say('Score', '점수'), decimals: 2 },
          { name: 'value', title: say('Value', '값'), decimals: 2 },
          { name: 'expected_low', title: say('Expected from', '예상 하한'), decimals: 2 },
          { name: 'expected_high', title: say('to', '예상 상한'), decimals: 2 },
          { name: 'why', title: say('Reason', '사유') },
        ],
        nothing: say('none', '없음'),
      }),
      table({
        title: say('Alerts', '알림'),
        about: say(
          'That began within the range, newest first.',
          '범위 내에 시작된 알림입니다(최신순).',
        ),
        width: 16,
        height: 8,
        asks: [clickhouseTable(alertsOfDevice(page.language))],
        columns: [
          ...alertColumns(page).filter(({ name }) => !['site', 'line', 'device'].includes(name)),
          { name: 'site', title: say('Site', '사업장'), hidden: true },
          { name: 'line', title: say('Line', '라인'), hidden: true },
          { name: 'device', title: say('Device', '장치'), hidden: true },
          { name: 'lasted', title: say('Lasted', '지속 시간'), unit: 'ms', decimals: 0 },
        ],
        nothing: say('none', '없음'),
      }),
      table({
        title: say('Failures', '고장'),
        about: say('As the device reported them.', '장치가 보고한 고장입니다.'),
        width: 8,
        height: 8,
        asks: [clickhouseTable(FAILURES_OF_DEVICE)],
        columns: [
          { name: 'started', title: say('Began', '시작'), unit: 'dateTimeAsIso', width: 170 },
          { name: 'site', title: say('Site', '사업장'), hidden: true },
          { name: 'device', title: say('Device', '장치'), hidden: true },
          { name: 'lasted', title: say('Lasted', '지속 시간'), unit: 'ms', decimals: 0 },
        ],
        nothing: say('none', '없음'),
      }),
    ],
  };
}

function quality({ say }: Page): Section {
  return {
    title: say('Data quality', '데이터 품질'),
    panels: [
      curves({
        title: say('Scores', '점수'),
        about: say('Accuracy, consistency, timeliness.', '정확성, 일관성, 적시성입니다.'),
        width: 16,
        height: 8,
        asks: [clickhouseSeries(scoresOverTime(OF_DEVICE))],
        unit: 'percent',
        decimals: 1,
        max: 100,
        atLeast: '1m',
      })
        .overrideByName('accuracy', [{ id: 'displayName', value: say('Accuracy', '정확성') }])
        .overrideByName('consistency', [{ id: 'displayName', value: say('Consistency', '일관성') }])
        .overrideByName('timeliness', [{ id: 'displayName', value: say('Timeliness', '적시성') }]),
      table({
        title: say('What cost the points', '감점 원인'),
        about: say('Readings by what is wrong with them.', '문제 유형별 측정값 수입니다.'),
        width: 8,
        height: 8,
        asks: [clickhouseTable(reasonsOfDevice())],
        columns: [
          { name: 'reason', title: say('Finding', '판정') },
          {
            name: 'readings',
            title: say('Readings', '측정값'),
            unit: 'locale',
            decimals: 0,
            limits: risingLimits(),
          },
        ],
        nothing: say('nothing', '없음'),
      }),
    ],
  };
}
