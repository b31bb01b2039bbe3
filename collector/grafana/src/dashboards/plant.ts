/** Layer 3: the plant as its people see it: lines, alerts, availability, failures. */

import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { headLink, labelOf, valueLink } from '../links.ts';
import type { ALARM, Limit } from '../look.ts';
import { fallingLimits, risingLimits } from '../look.ts';
import type { Section } from '../page.ts';
import { dashboardOf } from '../page.ts';
import type { Column } from '../panels.ts';
import { curves, figures, table } from '../panels.ts';
import { clickhouseSeries, clickhouseTable } from '../targets.ts';
import { placeVariables } from '../variables.ts';
import type { Page } from '../words.ts';
import { alertColumns, deviceLink } from './alert_columns.ts';
import {
  AVAILABILITY_BY_DAY,
  AVAILABILITY_BY_DEVICE,
  DEVICES_BY_STATE,
  FAILURES,
  LINES,
  OPEN_ALERTS_BY_SEVERITY,
  openAlerts,
} from './plant_sql.ts';

export function plant(page: Page): Dashboard {
  const { say } = page;
  return dashboardOf(page, {
    name: 'plant',
    layer: 3,
    title: say('Plant', '공장'),
    about: say(
      'Lines and their devices, open alerts, availability and failures. Grey is well; a colour needs a person.',
      '라인과 장치, 열린 알림, 가동률, 고장입니다. 회색은 정상이며, 색은 조치가 필요함을 뜻합니다.',
    ),
    range: '7d',
    refresh: '1m',
    variables: placeVariables(say),
    links: [
      headLink(page, 'line', say('Line', '라인')),
      headLink(page, 'application', say('2 Application', '2 애플리케이션')),
      headLink(page, 'infrastructure', say('1 Infrastructure', '1 인프라')),
    ],
    sections: [now(page), lines(page), availability(page), failed(page)],
  });
}

const anyIs = (severity: NonNullable<Limit['severity']>) => risingLimits({ at: 1, severity });

function now({ say }: Page): Section {
  const colourOf = (name: string, title: string, severity: keyof typeof ALARM | undefined) =>
    [
      name,
      [
        { id: 'displayName', value: title },
        ...(severity === undefined ? [] : [{ id: 'thresholds', value: anyIs(severity).build() }]),
      ],
    ] as const;
  const devices = figures({
    title: say('Devices', '장치'),
    about: say(
      'By state at the end of the range. Late, then silent: without a reading for as long as the profile allows.',
      '범위 끝 시점의 상태별 장치 수입니다. 프로파일이 허용하는 시간 동안 측정값이 없으면 지연, 이어서 무응답입니다.',
    ),
    width: 12,
    height: 4,
    asks: [clickhouseTable(DEVICES_BY_STATE)],
    decimals: 0,
    limits: risingLimits(),
  });
  for (const [name, properties] of [
    colourOf('devices', say('devices', '전체'), undefined),
    colourOf('online', say('online', '온라인'), undefined),
    colourOf('late', say('◆ late', '◆ 지연'), 'WARNING'),
    colourOf('silent', say('▲ silent', '▲ 무응답'), 'ERROR'),
  ])
    devices.overrideByName(name, [...properties]);
  const alerts = figures({
    title: say('Open alerts by severity', '심각도별 열린 알림'),
    about: say(
      'Firing or acknowledged, of those that began up to 90 days before the range.',
      '발생 또는 확인 상태의 알림입니다. 범위 시작 전 90일 이내에 시작된 것을 포함합니다.',
    ),
    width: 12,
    height: 4,
    asks: [clickhouseTable(OPEN_ALERTS_BY_SEVERITY)],
    decimals: 0,
    limits: risingLimits(),
  });
  for (const [name, properties] of [
    colourOf('critical', say('■ critical', '■ 심각'), 'CRITICAL'),
    colourOf('error', say('▲ error', '▲ 오류'), 'ERROR'),
    colourOf('warning', say('◆ warning', '◆ 경고'), 'WARNING'),
    colourOf('information', say('○ information', '○ 정보'), undefined),
  ])
    alerts.overrideByName(name, [...properties]);
  return { title: say('Now', '현재'), panels: [devices, alerts] };
}

function lines(page: Page): Section {
  const { say } = page;
  const count = (name: string, title: string, severity?: keyof typeof ALARM): Column => ({
    name,
    title,
    decimals: 0,
    width: 110,
    ...(severity === undefined ? {} : { limits: anyIs(severity) }),
  });
  return {
    title: say('Lines', '라인'),
    panels: [
      table({
        title: say('Lines', '라인'),
        about: say(
          'Those that need a person first. A click on the name opens the line.',
          '조치가 필요한 라인이 먼저 표시됩니다. 이름을 클릭하면 라인이 열립니다.',
        ),
        width: 24,
        height: 9,
        asks: [clickhouseTable(LINES)],
        columns: [
          { name: 'site', title: say('Site', '사업장') },
          { name: 'area', title: say('Area', '구역') },
          {
            name: 'line',
            title: say('Line', '라인'),
            links: [
              valueLink(page, 'line', say('Open the line', '라인 열기'), {
                site: 'site',
                area: 'area',
                line: 'line',
              }),
            ],
          },
          count('devices', say('Devices', '장치')),
          count('online', say('Online', '온라인')),
          count('late', say('◆ Late', '◆ 지연'), 'WARNING'),
          count('silent', say('▲ Silent', '▲ 무응답'), 'ERROR'),
          count('critical', say('■ Critical', '■ 심각'), 'CRITICAL'),
          count('error', say('▲ Error', '▲ 오류'), 'ERROR'),
          count('warning', say('◆ Warning', '◆ 경고'), 'WARNING'),
        ],
      }),
      table({
        title: say('Open alerts', '열린 알림'),
        about: say(
          'Severest first. To acknowledge or to silence: the collector’s own page.',
          '심각한 순서입니다. 확인 및 음소거는 수집기 페이지에서 하십시오.',
        ),
        width: 24,
        height: 9,
        asks: [clickhouseTable(openAlerts(page.language))],
        columns: alertColumns(page),
        nothing: say('no alert is open', '열린 알림이 없습니다'),
      }),
    ],
  };
}

function availability(page: Page): Section {
  const { say } = page;
  return {
    title: say('Availability', '가동률'),
    panels: [
      curves({
        title: say('Availability by day', '일별 가동률'),
        about: say(
          'Part of the time in which readings came and no failure was reported, by the site’s days. The collector counts a day when it is over.',
          '측정값이 수신되고 고장이 없었던 시간의 비율(사업장 기준 일별)입니다. 하루가 끝난 뒤 집계됩니다.',
        ),
        width: 12,
        height: 9,
        asks: [clickhouseSeries(AVAILABILITY_BY_DAY)],
        unit: 'percent',
        decimals: 1,
        max: 100,
        curveName: labelOf('site'),
      }).spanNulls(true),
      table({
        title: say('By device, least available first', '장치별 (낮은 가동률순)'),
        about: say('Over the days of the range.', '범위에 포함된 날짜 전체의 값입니다.'),
        width: 12,
        height: 9,
        asks: [clickhouseTable(AVAILABILITY_BY_DEVICE)],
        columns: [
          { name: 'site', title: say('Site', '사업장') },
          { name: 'device', title: say('Device', '장치'), links: [deviceLink(page)] },
          {
            name: 'availability',
            title: say('Availability', '가동률'),
            unit: 'percent',
            decimals: 1,
            limits: fallingLimits('WARNING', { at: 90, severity: undefined }),
          },
          { name: 'failure_count', title: say('Failures', '고장'), decimals: 0 },
          {
            name: 'time_failing',
            title: say('Time in failure', '고장 시간'),
            unit: 'ms',
            decimals: 0,
          },
        ],
      }),
    ],
  };
}

function failed(page: Page): Section {
  const { say } = page;
  return {
    title: say('Failures', '고장'),
    panels: [
      table({
        title: say('Failures', '고장'),
        about: say(
          'That touch the range, newest first, as the devices reported them. Without a duration: it goes on.',
          '범위에 걸친 고장으로, 장치가 보고한 내용입니다(최신순). 지속 시간이 없으면 진행 중입니다.',
        ),
        width: 24,
        height: 8,
        asks: [clickhouseTable(FAILURES)],
        columns: [
          { name: 'started', title: say('Began', '시작'), unit: 'dateTimeAsIso', width: 170 },
          { name: 'site', title: say('Site', '사업장') },
          { name: 'device', title: say('Device', '장치'), links: [deviceLink(page)] },
          { name: 'lasted', title: say('Lasted', '지속 시간'), unit: 'ms', decimals: 0 },
        ],
        nothing: say('none', '없음'),
      }),
    ],
  };
}
