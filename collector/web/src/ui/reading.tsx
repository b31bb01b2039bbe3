/** A value with its unit, its quality and what else is to be said of it; and how fresh a device's readings are. */

import type { ReactNode } from 'react';
import type { Channel, DeviceItem } from '../api/types.ts';
import { useNowMs, useZoneOf } from '../app/overview.ts';
import { usePreferences } from '../app/preferences.tsx';
import { formatDuration, formatValue, timeFormat } from '../i18n/format.ts';
import { useSay } from '../i18n/say.ts';
import { freshness } from './freshness.ts';
import { Mark, Name } from './mark.tsx';
import { READING_WORDS } from './reading_words.ts';

const UNCERTAIN = 1;
const BAD = 2;
const TEXT_CHARACTERS_MAX = 200;
/** Treatments of a value that people should know of. */
const SAID = ['flagged', 'clipped', 'filled'] as const;

export type ShownValue = Pick<
  Channel,
  'value' | 'quality' | 'unit' | 'decimals' | 'kind' | 'treatment' | 'attention_when'
>;

export function Value({ channel }: { channel: ShownValue }): ReactNode {
  const say = useSay(READING_WORDS);
  const { language } = usePreferences();
  const { value, quality, unit, decimals, kind, treatment, attention_when } = channel;
  const severity = quality & 3;
  if (value === null)
    return <Mark level={severity === BAD ? 'warn' : 'calm'}>{say('no_value')}</Mark>;
  const said = SAID.find((one) => one === treatment);
  const needsAPerson = value === attention_when;
  const text =
    typeof value === 'string'
      ? value.slice(0, TEXT_CHARACTERS_MAX)
      : kind === 'boolean'
        ? say(value === 0 ? 'no' : 'yes')
        : formatValue(value, decimals, language);
  return (
    <>
      {needsAPerson ? (
        <Mark level="warn">
          {text} – {say('attention')}
        </Mark>
      ) : (
        <Name text={text} />
      )}
      {unit === '' || typeof value === 'string' || kind === 'boolean' ? null : (
        <>
          {' '}
          <small className="unit">{unit}</small>
        </>
      )}
      {severity === BAD ? <Said level="warn" text={say('bad')} /> : null}
      {severity === UNCERTAIN ? <Said level="note" text={say('uncertain')} /> : null}
      {said === undefined ? null : <Said level="note" text={say(said)} />}
    </>
  );
}

function Said({ level, text }: { level: 'note' | 'warn'; text: string }): ReactNode {
  return (
    <>
      {' '}
      <Mark level={level}>{text}</Mark>
    </>
  );
}

/** Age of the newest reading, marked when it is not of now; kept current. */
export function FreshnessMark({
  device,
}: {
  device: Pick<DeviceItem, 'site' | 'last_ms' | 'received_ms' | 'interval_ms'>;
}): ReactNode {
  const say = useSay(READING_WORDS);
  const nowMs = useNowMs();
  const zone = useZoneOf()(device.site);
  const ageMs = nowMs - device.last_ms;
  const age = formatDuration(ageMs, say);
  switch (freshness(device, nowMs)) {
    case 'stale':
      return <Mark level="warn">{say('stale', { age })}</Mark>;
    case 'past': {
      const time = timeFormat(zone, 'full').format(device.last_ms);
      return <Mark level="note">{say('past', { time })}</Mark>;
    }
    case 'ahead':
      return <Mark level="warn">{say('ahead', { age })}</Mark>;
    default:
      return ageMs < 2_000 ? say('age_now') : say('age_ago', { age });
  }
}
