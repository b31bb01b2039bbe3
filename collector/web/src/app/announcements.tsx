/** New alerts, for screen readers and in the title of the tab, whatever page is shown. */

import type { ReactNode } from 'react';
import { useEffect, useRef, useState } from 'react';
import type { Alert } from '../api/types.ts';
import { formatCount } from '../i18n/format.ts';
import { useCommonSay } from '../i18n/say.ts';
import { Name } from '../ui/mark.tsx';
import { bySeverity, SHAPES } from '../ui/severities.ts';
import type { News } from './announce.ts';
import { Announcer } from './announce.ts';
import { isLoud, useActiveAlerts } from './firing.tsx';
import { usePreferences } from './preferences.tsx';

export function Announcements(): ReactNode {
  const alerts = useActiveAlerts();
  const [announcer] = useState(() => new Announcer());
  const [urgent, setUrgent] = useState<News>();
  const [polite, setPolite] = useState<News>();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    if (alerts === undefined) return;
    announcer.take(bySeverity(alerts.filter(isLoud)).flatMap(([, of]) => of));
    clearTimeout(timer.current);
    const waitMs = announcer.waitMs(performance.now());
    if (waitMs === undefined) return;
    const tell = (): void => {
      const news = announcer.next(performance.now());
      (news.isUrgent ? setUrgent : setPolite)(news);
    };
    if (waitMs === 0) tell();
    else timer.current = setTimeout(tell, waitMs);
  }, [alerts, announcer]);
  useEffect(() => () => clearTimeout(timer.current), []);
  useTitle(alerts);
  return (
    <>
      <div id="told-now" className="unseen" aria-live="assertive">
        <Told news={urgent} />
      </div>
      <div id="told" className="unseen" aria-live="polite">
        <Told news={polite} />
      </div>
    </>
  );
}

function Told({ news }: { news: News | undefined }): ReactNode {
  const say = useCommonSay();
  const { language } = usePreferences();
  if (news === undefined) return null;
  return (
    <>
      {news.named.map((alert) => (
        <p key={alert.id}>
          {say(`severity_${alert.severity.toLowerCase() as Lowercase<typeof alert.severity>}`)}
          {': '}
          <Name text={alert.device === '' ? alert.gateway : alert.device} />
          {', '}
          {(language === 'ko' && alert.title_ko) || alert.title || alert.rule}
        </p>
      ))}
      {news.others > 0 ? (
        <p>{say('told_others', { count: formatCount(news.others, language) })}</p>
      ) : null}
    </>
  );
}

/** The severest shape and how many fire: a tab in the background tells too. */
function useTitle(alerts: readonly Alert[] | undefined): void {
  const say = useCommonSay();
  const loud = (alerts ?? []).filter((alert) => isLoud(alert) && alert.severity !== 'INFO');
  const [severest] = bySeverity(loud);
  const sign = severest === undefined ? '' : `${SHAPES[severest[0]]} ${loud.length} – `;
  const title = `${sign}FMS – ${say('product')}`;
  useEffect(() => {
    document.title = title;
  }, [title]);
}
