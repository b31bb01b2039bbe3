/** Silences and maintenance windows as rows; each can be ended, and its end be changed. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { send } from '../../api/client.ts';
import { useDeed } from '../../app/deed.ts';
import { collectorNowMs, useNowMs, useZoneOf } from '../../app/overview.ts';
import { usePermissions } from '../../app/session.ts';
import { formatDuration, wallTimeMs, wallTimeText, zoneName } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { FormDialog } from '../../ui/form_dialog.tsx';
import { Name, Shape } from '../../ui/mark.tsx';
import { useMoments } from '../../ui/moments.ts';
import look from './page.module.css';
import { TimeInput } from './silence_form.tsx';
import { isOneSite, narrowing, stateOf, wrongTimes } from './silences.ts';
import type { Silence } from './types.ts';
import { ALERTS_WORDS } from './words.ts';

const ENDED = 'ended';

export function SilenceRow(props: { silence: Silence; onDecided: () => void }): ReactNode {
  const { silence, onDecided } = props;
  const say = useSay(ALERTS_WORDS);
  const nowMs = useNowMs();
  const scope = useScopeText()(silence);
  const { span } = useMoments();
  const zone = useZoneOf()(silence.site);
  const state = stateOf(silence, nowMs);
  const isMaintenance = silence.kind === 'maintenance';
  const kind = say(isMaintenance ? 'kind_maintenance_short' : 'kind_silence');
  const left = {
    active: say('silence_ends_in', { age: formatDuration(silence.until_ms - nowMs, say) }),
    scheduled: say('silence_begins_in', { age: formatDuration(silence.from_ms - nowMs, say) }),
    ended: '',
  }[state];
  // Of several sites it is in nobody's zone: then the zone is said.
  const zoneText = isOneSite(silence.site) ? '' : ` ${zoneName(zone, silence.until_ms)}`;
  return (
    <li className={`${look.row} ${look.quiet}`} data-silence={silence.id} data-state={state}>
      <div className={look.badge}>{kind}</div>
      <div className={look.what}>
        <p className={look.rowHead}>
          <strong>
            <Name text={scope} />
          </strong>
        </p>
        <p>
          <Name text={silence.reason} />
        </p>
        <p className="note">
          {span(silence.from_ms, silence.until_ms, silence.site)}
          {zoneText}
          {left === '' ? '' : ` · ${left}`}
          {silence.by === '' ? null : (
            <>
              {' · '}
              <Name text={say('set_by', { by: silence.by })} />
            </>
          )}
        </p>
      </div>
      {state === ENDED ? null : (
        <SilenceActions silence={silence} scope={scope} onDecided={onDecided} />
      )}
    </li>
  );
}

function useScopeText(): (silence: Silence) => string {
  const say = useSay(ALERTS_WORDS);
  return (silence) => {
    const parts = narrowing(silence).map(([key, name]) => say(`scope_part_${key}`, { name }));
    return parts.length === 0 ? say('scope_all') : parts.join(' · ');
  };
}

function SilenceActions(props: {
  silence: Silence;
  scope: string;
  onDecided: () => void;
}): ReactNode {
  const { silence, scope, onDecided } = props;
  const say = useSay(ALERTS_WORDS);
  const { mayAt, mayEverywhere } = usePermissions();
  const [isAsking, setAsking] = useState(false);
  const { isSending, isDone, problem, run } = useDeed();
  // Also when it is done: the row goes a moment later.
  const isSent = isSending || isDone;
  const may = isOneSite(silence.site) ? mayAt('operator', silence.site) : mayEverywhere('operator');
  if (!may) return null;
  const end = async (): Promise<void> => {
    await send('DELETE', `silences/${encodeURIComponent(silence.id)}`);
    onDecided();
  };
  return (
    <div className={look.rowActions}>
      <button
        type="button"
        className="act"
        data-action="change"
        aria-label={`${say('silence_change')}: ${scope}`}
        onClick={() => setAsking(true)}
      >
        {say('silence_change')}
      </button>
      <button
        type="button"
        className="act"
        data-action="end"
        aria-label={`${say('silence_end')}: ${scope}`}
        aria-disabled={isSent}
        onClick={() => {
          if (!isSent) void run(end);
        }}
      >
        {say(isSent ? 'sent' : 'silence_end')}
      </button>
      {problem === '' ? null : (
        <p className={look.problem} role="alert">
          <Shape level="warn" /> {problem}
        </p>
      )}
      {isAsking ? (
        <ChangeEnd silence={silence} onDone={onDecided} onClose={() => setAsking(false)} />
      ) : null}
    </div>
  );
}

function ChangeEnd(props: {
  silence: Silence;
  onDone: () => void;
  onClose: () => void;
}): ReactNode {
  const { silence, onDone, onClose } = props;
  const say = useSay(ALERTS_WORDS);
  const zone = useZoneOf()(silence.site);
  const [until, setUntil] = useState(() => wallTimeText(silence.until_ms, zone));
  const { isSending, problem, setProblem, run } = useDeed();
  const submit = (): void => {
    const untilMs = wallTimeMs(until, zone);
    const wrong = wrongTimes(silence.from_ms, untilMs, collectorNowMs());
    if (wrong !== undefined) {
      setProblem(say(wrong));
      return;
    }
    void run(async () => {
      await send('PATCH', `silences/${encodeURIComponent(silence.id)}`, { until_ms: untilMs });
      onDone();
      onClose();
    });
  };
  return (
    <FormDialog
      title={say('silence_change_title')}
      problem={problem}
      deed={say('save')}
      isSending={isSending}
      onSubmit={submit}
      onClose={onClose}
    >
      <TimeInput name="until" label={say('until_when')} value={until} onChange={setUntil} />
      <small className="note">{say('zone', { zone: zoneName(zone, silence.until_ms) })}</small>
    </FormDialog>
  );
}
