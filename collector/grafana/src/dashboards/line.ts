/** Layer 3, one line: its devices, what they do and did. */

import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { headLink, labelOf } from '../links.ts';
import { deviceStateWords } from '../look.ts';
import { dashboardOf } from '../page.ts';
import { curves, states, table } from '../panels.ts';
import { OF_CHOSEN_DEVICES } from '../sql.ts';
import { clickhouseSeries, clickhouseTable } from '../targets.ts';
import { placeVariables } from '../variables.ts';
import type { Page } from '../words.ts';
import { alertColumns, deviceLink } from './alert_columns.ts';
import { DEVICES, FAILURES, openAlerts, STATES_OVER_TIME } from './plant_sql.ts';
import { scoresOverTime } from './quality_sql.ts';

export function line(page: Page): Dashboard {
  const { say } = page;
  return dashboardOf(page, {
    name: 'line',
    layer: 3,
    title: say('Line', '라인'),
    about: say(
      'The devices of a line (or of all that is chosen): states, alerts, failures, quality.',
      '라인(또는 선택한 범위)의 장치 상태, 알림, 고장, 품질입니다.',
    ),
    range: '24h',
    refresh: '1m',
    variables: placeVariables(say),
    links: [
      headLink(page, 'plant', say('3 Plant', '3 공장')),
      headLink(page, 'quality', say('Data quality', '데이터 품질')),
    ],
    sections: [
      {
        title: say('Devices', '장치'),
        panels: [
          table({
            title: say('Devices', '장치'),
            about: say(
              'Those that are silent or late first. A click on the name opens the device.',
              '무응답 또는 지연 장치가 먼저 표시됩니다. 이름을 클릭하면 장치가 열립니다.',
            ),
            width: 10,
            height: 10,
            asks: [clickhouseTable(DEVICES)],
            columns: [
              { name: 'site', title: say('Site', '사업장'), hidden: true },
              { name: 'area', title: say('Area', '구역') },
              { name: 'line', title: say('Line', '라인') },
              { name: 'device', title: say('Device', '장치'), links: [deviceLink(page)] },
              { name: 'state', title: say('State', '상태'), words: deviceStateWords(say) },
              { name: 'profile', title: say('Profile', '프로파일') },
              { name: 'last', title: say('Newest reading', '최근 측정'), unit: 'dateTimeFromNow' },
            ],
          }),
          states({
            title: say('States', '상태'),
            about: say(
              'When each device was online, late or silent.',
              '장치별 온라인·지연·무응답 시간입니다.',
            ),
            width: 14,
            height: 10,
            asks: [clickhouseSeries(STATES_OVER_TIME)],
            words: deviceStateWords(say),
          })
            .displayName(labelOf('device'))
            .perPage(20),
        ],
      },
      {
        title: say('What needs a person', '조치 필요'),
        panels: [
          table({
            title: say('Open alerts', '열린 알림'),
            about: say('Severest first.', '심각한 순서입니다.'),
            width: 24,
            height: 8,
            asks: [clickhouseTable(openAlerts(page.language))],
            columns: alertColumns(page),
            nothing: say('no alert is open', '열린 알림이 없습니다'),
          }),
          table({
            title: say('Failures', '고장'),
            about: say('That touch the range, newest first.', '범위에 걸친 고장입니다(최신순).'),
            width: 12,
            height: 8,
            asks: [clickhouseTable(FAILURES)],
            columns: [
              { name: 'started', title: say('Began', '시작'), unit: 'dateTimeAsIso', width: 170 },
              { name: 'site', title: say('Site', '사업장'), hidden: true },
              { name: 'device', title: say('Device', '장치'), links: [deviceLink(page)] },
              { name: 'lasted', title: say('Lasted', '지속 시간'), unit: 'ms', decimals: 0 },
            ],
            nothing: say('none', '없음'),
          }),
          curves({
            title: say('Data quality', '데이터 품질'),
            about: say(
              'Accuracy, consistency and timeliness of these devices.',
              '해당 장치들의 정확성, 일관성, 적시성입니다.',
            ),
            width: 12,
            height: 8,
            asks: [clickhouseSeries(scoresOverTime(OF_CHOSEN_DEVICES))],
            unit: 'percent',
            decimals: 1,
            max: 100,
            atLeast: '1m',
          })
            .overrideByName('accuracy', [{ id: 'displayName', value: say('Accuracy', '정확성') }])
            .overrideByName('consistency', [
              { id: 'displayName', value: say('Consistency', '일관성') },
            ])
            .overrideByName('timeliness', [
              { id: 'displayName', value: say('Timeliness', '적시성') },
            ]),
        ],
      },
    ],
  });
}
