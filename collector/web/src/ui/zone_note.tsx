/** Whose clock the times of a page are of. */

import type { ReactNode } from 'react';
import { collectorNowMs, useOverview, useZoneOf } from '../app/overview.ts';
import { zoneName } from '../i18n/format.ts';
import { useCommonSay } from '../i18n/say.ts';

/** `site` '': of all sites; where they are in different zones each is named. */
export function ZoneNote({ site }: { site: string }): ReactNode {
  const say = useCommonSay();
  const sites = useOverview()?.sites ?? [];
  const zoneOf = useZoneOf();
  const zones = new Set((site === '' ? sites.map((one) => one.site) : [site]).map(zoneOf));
  const nowMs = collectorNowMs();
  const names = [...zones].map((zone) => zoneName(zone, nowMs)).join(', ');
  return names === '' ? null : <p className="note">{say('zone', { zone: names })}</p>;
}
