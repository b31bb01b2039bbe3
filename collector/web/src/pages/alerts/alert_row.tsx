/** An alert in the list: what is wrong, where, since when, who cares for it, what can be done. */

import type { ReactNode, RefObject } from 'react';
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import type { Alert } from '../../api/types.ts';
import { devicePath, gatewayPath } from '../../app/address.ts';
import { GIVE_UP_MS } from '../../app/look_again.ts';
import { useNowMs } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { usePermissions } from '../../app/session.ts';
import { formatDuration } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Name, Shape } from '../../ui/mark.tsx';
import { useMoments } from '../../ui/moments.ts';
import { SeverityMark } from '../../ui/severity.tsx';
import { AcknowledgeDialog } from './acknowledge.tsx';
import {
  inhibitedCount,
  lookOf,
  sinceMs,
  standingOf,
  subjectOf,
  summaryOf,
  titleOf,
  withSiteTimes,
} from './alerts.ts';
import look from './page.module.css';
import { SilenceDialog, subjectOfAlert } from './silence_form.tsx';
import type { Around } from './why_quiet.tsx';
import { useWhyLines, WhyLines } from './why_quiet.tsx';
import { ALERTS_WORDS } from './words.ts';

export interface RowContext extends Around {
  /** Something was decided: it shows in a moment. */
  onDecided: () => void;
  /** Asks for many at once: their line may go while that goes on. */
  onAcknowledgeAll?: (alerts: readonly [Alert, ...Alert[]]) => void;
}

export function AlertRow({ alert, context }: { alert: Alert; context: RowContext }): ReactNode {
  const say = useSay(ALERTS_WORDS);
  const { language } = usePreferences();
  const whyLines = useWhyLines();
  const { clock } = useMoments();
  const row = useRef<HTMLLIElement>(null);
  const summary = summaryOf(alert, language);
  const standsFor = alert.state === 'pending' ? 0 : inhibitedCount(alert, context.alerts);
  return (
    <li
      ref={row}
      tabIndex={-1}
      className={`${look.row} ${look[lookOf(alert)]}`}
      data-alert={alert.id}
      data-standing={standingOf(alert)}
    >
      <div className={look.badge}>
        <SeverityMark severity={alert.severity} look={lookOf(alert)} />
      </div>
      <div className={look.what}>
        <p className={look.rowHead}>
          <Subject alert={alert} />{' '}
          <Link href={`/alerts/${alert.id}`}>
            <strong>{titleOf(alert, language)}</strong>
          </Link>
        </p>
        {summary === '' ? null : (
          <p>
            <Name text={withSiteTimes(summary, (ms) => clock(ms, alert.site))} />
          </p>
        )}
        <p className="note">
          <SinceText alert={alert} /> · <Place alert={alert} />
        </p>
        {standsFor === 0 ? null : <p>{say('stands_for', { count: standsFor })}</p>}
        <WhyLines lines={whyLines(alert, context)} />
      </div>
      <Actions alerts={[alert]} row={row} onDecided={context.onDecided} />
    </li>
  );
}

/** The device, with a way to its page; or the gateway itself. */
export function Subject({ alert }: { alert: Alert }): ReactNode {
  const say = useSay(ALERTS_WORDS);
  const { site, gateway, device } = alert;
  if (device === '')
    return (
      <Link href={gatewayPath({ site, gateway })}>
        <Name text={say('gateway_named', { gateway })} />
      </Link>
    );
  return (
    <Link href={devicePath({ site, device })}>
      <Name text={device} />
    </Link>
  );
}

export function Place({ alert }: { alert: Alert }): ReactNode {
  const parts = [alert.site, alert.area, alert.line, alert.gateway].filter((part) => part !== '');
  return parts.map((part, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: places in a fixed order, of which two may have one name
    <span key={index}>
      {index === 0 ? '' : ' · '}
      <Name text={part} />
    </span>
  ));
}

function SinceText({ alert }: { alert: Alert }): ReactNode {
  const say = useSay(ALERTS_WORDS);
  const { clock } = useMoments();
  const ms = sinceMs(alert);
  const age = formatDuration(Math.max(0, useNowMs() - ms), say);
  return (
    <time dateTime={new Date(ms).toISOString()}>
      {say('since', { age, time: clock(ms, alert.site) })}
    </time>
  );
}

/** For one alert, or for all of one cause. */
export function Actions(props: {
  alerts: readonly [Alert, ...Alert[]];
  row: RefObject<HTMLElement | null>;
  onDecided: () => void;
  onAcknowledgeAll?: RowContext['onAcknowledgeAll'];
}): ReactNode {
  const { alerts, row, onDecided, onAcknowledgeAll } = props;
  const [first] = alerts;
  const say = useSay(ALERTS_WORDS);
  const { language } = usePreferences();
  const { mayAt } = usePermissions();
  const [asks, setAsks] = useState<'silence'>();
  // As it was when it was asked for: news of it must not close the dialog.
  const [asked, setAsked] = useState<readonly [Alert, ...Alert[]]>();
  useFocusAfter(row, asked !== undefined || asks !== undefined);
  const [sent, setSent] = useState(new Map<string, { version: number; atMs: number }>());
  const nowMs = useNowMs();
  if (!mayAt('operator', first.site)) return null;
  const about =
    alerts.length === 1
      ? `${subjectOf(first)}, ${titleOf(first, language)}`
      : titleOf(first, language);
  const open = alerts.filter(({ state }) => state === 'firing');
  const [firstOpen, ...otherOpen] = open;
  const waiting = open.filter(({ id, version }) => sent.get(id)?.version === version);
  const isLost = waiting.some(({ id }) => nowMs - (sent.get(id)?.atMs ?? nowMs) > GIVE_UP_MS);
  const isWaiting = waiting.length > 0 && waiting.length === open.length && !isLost;
  const acknowledge =
    alerts.length === 1 ? say('acknowledge') : say('acknowledge_all', { count: open.length });
  return (
    <div className={look.rowActions}>
      {firstOpen !== undefined ? (
        <KeptButton
          row={row}
          action="acknowledge"
          label={`${isWaiting ? say('sent') : acknowledge}: ${about}`}
          isWaiting={isWaiting}
          onClick={() => {
            const all = [firstOpen, ...otherOpen] as const;
            if (onAcknowledgeAll === undefined || alerts.length === 1) setAsked(all);
            else onAcknowledgeAll(all);
          }}
        >
          {isWaiting ? say('sent') : acknowledge}
        </KeptButton>
      ) : null}
      {first.silence === '' && first.state !== 'pending' ? (
        <KeptButton
          row={row}
          action="silence"
          label={`${say('silence')}: ${about}`}
          isWaiting={false}
          onClick={() => setAsks('silence')}
        >
          {say('silence')}
        </KeptButton>
      ) : null}
      {isLost ? (
        <p className={look.problem} role="alert">
          <Shape level="warn" /> {say('change_not_seen')}
        </p>
      ) : null}
      {asked === undefined ? null : (
        <AcknowledgeDialog
          alerts={asked}
          onTaken={({ id, version }) => {
            setSent((before) => new Map(before).set(id, { version, atMs: nowMs }));
            onDecided();
          }}
          onClose={() => setAsked(undefined)}
        />
      )}
      {asks === 'silence' ? (
        <SilenceDialog
          subject={subjectOfAlert(first, alerts.length > 1, language)}
          onDone={onDecided}
          onClose={() => setAsks(undefined)}
        />
      ) : null}
    </div>
  );
}

/** The button that opened a dialog may be gone when that closes: then the row gets the focus. */
function useFocusAfter(row: RefObject<HTMLElement | null>, isAsking: boolean): void {
  const wasAsking = useRef(false);
  useEffect(() => {
    const isOver = wasAsking.current && !isAsking;
    wasAsking.current = isAsking;
    if (isOver && document.activeElement === document.body)
      row.current?.focus({ preventScroll: true });
  }, [isAsking, row]);
}

/** When it goes while it has the focus, the row gets that: the keyboard stays where it is. */
function KeptButton(props: {
  row: RefObject<HTMLElement | null>;
  action: string;
  label: string;
  /** Not `disabled`: that would take the focus away. */
  isWaiting: boolean;
  onClick: () => void;
  children: ReactNode;
}): ReactNode {
  const { row, action, label, isWaiting, onClick, children } = props;
  const button = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    const node = button.current;
    return () => {
      if (node !== null && node === document.activeElement)
        row.current?.focus({ preventScroll: true });
    };
  }, [row]);
  return (
    <button
      ref={button}
      type="button"
      className="act"
      data-action={action}
      aria-label={label}
      aria-disabled={isWaiting}
      onClick={() => {
        if (!isWaiting) onClick();
      }}
    >
      {children}
    </button>
  );
}
