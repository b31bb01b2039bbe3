/** Columns of lists of alerts, alike on all dashboards. */

import { valueLink } from '../links.ts';
import { alertStateWords, severityWords } from '../look.ts';
import type { Column } from '../panels.ts';
import type { Page } from '../words.ts';

export function alertColumns(page: Page): Column[] {
  const { say } = page;
  return [
    { name: 'started', title: say('Began', '시작'), unit: 'dateTimeAsIso', width: 170 },
    { name: 'severity', title: say('Severity', '심각도'), words: severityWords(say), width: 120 },
    { name: 'state', title: say('State', '상태'), words: alertStateWords(say), width: 120 },
    { name: 'site', title: say('Site', '사업장') },
    { name: 'line', title: say('Line', '라인') },
    { name: 'device', title: say('Device', '장치'), links: [deviceLink(page)] },
    { name: 'gateway', title: say('Gateway', '게이트웨이') },
    { name: 'title', title: say('Alert', '알림') },
    { name: 'summary', title: say('Summary', '요약') },
  ];
}

/** From a row with columns site and device. */
export function deviceLink(page: Page): ReturnType<typeof valueLink> {
  return valueLink(page, 'device', page.say('Open the device', '장치 열기'), {
    site: 'site',
    device: 'device',
  });
}
