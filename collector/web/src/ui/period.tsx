/** Choosing a time range: the last while, or times of the site. */

import type { ReactNode } from 'react';
import { useId } from 'react';
import type { ChangeAddress } from '../app/address.ts';
import { collectorNowMs, useZoneOf } from '../app/overview.ts';
import { wallTimeMs, wallTimeText } from '../i18n/format.ts';
import type { Period } from '../i18n/period.ts';
import { boundsOf, isLast, LAST } from '../i18n/period.ts';
import { useCommonSay } from '../i18n/say.ts';

const BETWEEN = 'between';

export function PeriodFields(props: {
  period: Period;
  /** Whose clock the times are of. */
  site: string;
  onChange: ChangeAddress<'last' | 'from' | 'to'>;
}): ReactNode {
  const { period, site, onChange } = props;
  const say = useCommonSay();
  const zone = useZoneOf()(site);
  const chosen = isLast(period.last)
    ? period.last
    : period.from !== '' || period.to !== ''
      ? BETWEEN
      : '';
  const choose = (value: string): void => {
    if (value !== BETWEEN) onChange({ last: value, from: '', to: '' });
    else {
      const nowMs = collectorNowMs();
      const { from = nowMs - LAST['24h'] } = boundsOf(period, nowMs);
      onChange({ last: '', from: String(from), to: String(Math.ceil(nowMs / 60_000) * 60_000) });
    }
  };
  return (
    <>
      <label className="field">
        <span>{say('period')}</span>
        <select name="last" value={chosen} onChange={({ target }) => choose(target.value)}>
          <option value="">{say('period_all')}</option>
          {(Object.keys(LAST) as (keyof typeof LAST)[]).map((last) => (
            <option key={last} value={last}>
              {say(`period_${last}`)}
            </option>
          ))}
          <option value={BETWEEN}>{say('period_between')}</option>
        </select>
      </label>
      {chosen === BETWEEN ? (
        <>
          <TimeField
            label={say('from')}
            ms={period.from}
            zone={zone}
            onChange={(from) => onChange({ from })}
          />
          <TimeField
            label={say('until')}
            ms={period.to}
            zone={zone}
            onChange={(to) => onChange({ to })}
          />
        </>
      ) : null}
    </>
  );
}

/** `ms`: UTC milliseconds as text, '' while none is chosen. */
function TimeField(props: {
  label: string;
  ms: string;
  zone: string;
  onChange: (ms: string) => void;
}): ReactNode {
  const { label, ms, zone, onChange } = props;
  const id = useId();
  const text = /^\d{1,15}$/.test(ms) ? wallTimeText(Number(ms), zone) : '';
  return (
    <label className="field" htmlFor={id}>
      <span>{label}</span>
      {/* Another value from outside makes another field: while a person types in it, it is theirs. */}
      <input
        key={text}
        id={id}
        type="datetime-local"
        defaultValue={text}
        onBlur={({ target }) => {
          const typed = wallTimeMs(target.value, zone);
          const next = Number.isNaN(typed) ? '' : String(typed);
          if (next !== ms) onChange(next);
        }}
      />
    </label>
  );
}
