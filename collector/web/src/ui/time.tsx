/** Times as people read them: in the zone of the site, or as an age. */

import type { ReactNode } from 'react';
import { useNowMs, useZoneOf } from '../app/overview.ts';
import type { TimeForm } from '../i18n/format.ts';
import { formatDuration, timeFormat } from '../i18n/format.ts';
import { useCommonSay } from '../i18n/say.ts';

/** Of a site; its zone is said once, in the header of the page or of the list. */
export function Time(props: { ms: number; site: string; form?: TimeForm }): ReactNode {
  const zone = useZoneOf()(props.site);
  const { ms, form = 'full' } = props;
  return <time dateTime={new Date(ms).toISOString()}>{timeFormat(zone, form).format(ms)}</time>;
}

/** `5 min ago`, kept current. */
export function Age({ ms }: { ms: number }): ReactNode {
  const say = useCommonSay();
  const ageMs = useNowMs() - ms;
  return ageMs < 2_000 ? say('age_now') : say('age_ago', { age: formatDuration(ageMs, say) });
}
