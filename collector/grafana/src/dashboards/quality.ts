/** Layer 2, data quality: where points are lost, by what, and when. */

import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { headLink, labelOf, valueLink } from '../links.ts';
import { fallingLimits } from '../look.ts';
import { dashboardOf } from '../page.ts';
import { curves, states, table } from '../panels.ts';
import { isChosenOrAll, OF_CHOSEN_DEVICES } from '../sql.ts';
import { clickhouseSeries, clickhouseTable } from '../targets.ts';
import { placeVariables } from '../variables.ts';
import type { Page } from '../words.ts';
import {
  qualityByDevice,
  quarantineByReason,
  reasonsOfChosen,
  scoresOverTime,
  worstByHour,
} from './quality_sql.ts';

export function quality(page: Page): Dashboard {
  const { say } = page;
  const score = { unit: 'percent', decimals: 1 };
  const below = (target: number) => fallingLimits('WARNING', { at: target, severity: undefined });
  const dimensions = [
    { id: 'accuracy', title: say('Accuracy', '정확성') },
    { id: 'consistency', title: say('Consistency', '일관성') },
    { id: 'timeliness', title: say('Timeliness', '적시성') },
  ];
  const overTime = curves({
    title: say('Scores', '점수'),
    about: say(
      'Accuracy, consistency and timeliness of all chosen devices together.',
      '선택한 모든 장치의 정확성, 일관성, 적시성입니다.',
    ),
    width: 12,
    height: 8,
    asks: [clickhouseSeries(scoresOverTime(OF_CHOSEN_DEVICES))],
    atLeast: '1m',
    ...score,
    max: 100,
  });
  for (const { id, title } of dimensions)
    overTime.overrideByName(id, [{ id: 'displayName', value: title }]);
  return dashboardOf(page, {
    name: 'quality',
    layer: 2,
    title: say('Data quality', '데이터 품질'),
    about: say(
      'The four dimensions, from the site down to the device. Completeness is an estimate; the collector’s own page is exact.',
      '사업장에서 장치까지 네 가지 차원의 품질입니다. 완전성은 추정값이며, 정확한 값은 수집기 페이지에 있습니다.',
    ),
    range: '24h',
    refresh: '5m',
    variables: placeVariables(say),
    links: [
      headLink(page, 'application', say('2 Application', '2 애플리케이션')),
      headLink(page, 'plant', say('3 Plant', '3 공장')),
    ],
    sections: [
      {
        title: say('When and why', '시점과 원인'),
        panels: [
          overTime,
          table({
            title: say('What cost the points', '감점 원인'),
            about: say(
              'Readings by what is wrong with them; the words are those of docs/ARCHITECTURE.md.',
              '문제 유형별 측정값 수입니다.',
            ),
            width: 6,
            height: 8,
            asks: [clickhouseTable(reasonsOfChosen())],
            columns: [
              { name: 'reason', title: say('Finding', '판정') },
              { name: 'readings', title: say('Readings', '측정값'), unit: 'locale', decimals: 0 },
            ],
            nothing: say('nothing', '없음'),
          }),
          table({
            title: say('Quarantine', '격리'),
            about: say('Readings in quarantine, by reason.', '격리된 측정값(사유별)입니다.'),
            width: 6,
            height: 8,
            asks: [clickhouseTable(quarantineByReason(isChosenOrAll('site')))],
            columns: [
              { name: 'site', title: say('Site', '사업장') },
              { name: 'reason', title: say('Reason', '사유') },
              { name: 'readings', title: say('Readings', '측정값'), unit: 'locale', decimals: 0 },
            ],
            nothing: say('none', '없음'),
          }),
        ],
      },
      {
        title: say('Where', '위치'),
        panels: [
          states({
            title: say('Poorest score by hour', '시간별 최저 점수'),
            about: say(
              'The poorest dimension of each device and hour, the 40 devices that lost most. Grey: 95 and more.',
              '장치별·시간별 가장 낮은 차원의 점수로, 감점이 많은 40개 장치입니다. 회색은 95 이상입니다.',
            ),
            width: 24,
            height: 12,
            asks: [clickhouseSeries(worstByHour())],
            unit: 'percent',
            decimals: 0,
            limits: fallingLimits(
              'ERROR',
              { at: 80, severity: 'WARNING' },
              { at: 95, severity: undefined },
            ),
          }).displayName(labelOf('device')),
          table({
            title: say('By device, poorest first', '장치별 (낮은 점수순)'),
            about: say('A click on the name opens the device.', '이름을 클릭하면 장치가 열립니다.'),
            width: 24,
            height: 10,
            asks: [clickhouseTable(qualityByDevice())],
            columns: [
              { name: 'site', title: say('Site', '사업장') },
              {
                name: 'device',
                title: say('Device', '장치'),
                links: [
                  valueLink(page, 'device', say('Open the device', '장치 열기'), {
                    site: 'site',
                    device: 'device',
                  }),
                ],
              },
              {
                name: 'completeness',
                title: say('Completeness', '완전성'),
                ...score,
                limits: below(99),
              },
              { name: 'accuracy', title: say('Accuracy', '정확성'), ...score, limits: below(95) },
              {
                name: 'consistency',
                title: say('Consistency', '일관성'),
                ...score,
                limits: below(98),
              },
              {
                name: 'timeliness',
                title: say('Timeliness', '적시성'),
                ...score,
                limits: below(95),
              },
              { name: 'readings', title: say('Readings', '측정값'), unit: 'locale', decimals: 0 },
            ],
          }),
        ],
      },
    ],
  });
}
