/** What a change would do, so that nobody finds out by the alerts. */

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { devicePath } from '../../../app/address.ts';
import { usePreferences } from '../../../app/preferences.tsx';
import { formatCount } from '../../../i18n/format.ts';
import { useSay } from '../../../i18n/say.ts';
import { Name } from '../../../ui/mark.tsx';
import { groupsOf, pathText, valueText } from './changes.ts';
import look from './profiles.module.css';
import type { Effect, ProfileChange } from './types.ts';
import { PROFILES_WORDS } from './words.ts';

export function EffectView({ effect }: { effect: Effect }): ReactNode {
  const say = useSay(PROFILES_WORDS);
  if (effect.version_before === effect.version_after)
    return <p data-effect="none">{say('effect_none')}</p>;
  return (
    <div className={look.effect} data-effect="some">
      <Devices effect={effect} />
      {groupsOf(effect.changes).map(([profile, changes]) => (
        <div key={profile}>
          <h4>
            {profile === '' ? (
              say('assignments')
            ) : (
              <>
                {say('profile')} <Name text={profile} />
              </>
            )}
          </h4>
          <ul>
            {changes.map((change) => (
              <Change
                key={JSON.stringify([change.path, change.before, change.after])}
                of={change}
              />
            ))}
          </ul>
        </div>
      ))}
      {effect.changes_left_out > 0 ? (
        <p className="note">{say('left_out', { n: effect.changes_left_out })}</p>
      ) : null}
    </div>
  );
}

function Devices({ effect: { devices } }: { effect: Effect }): ReactNode {
  const say = useSay(PROFILES_WORDS);
  const { language } = usePreferences();
  const count = (n: number): string => formatCount(n, language);
  const left = devices.moved - devices.items.length;
  return (
    <div>
      <p>
        {say('effect_devices', {
          anew: count(devices.judged_anew),
          moved: count(devices.moved),
          known: count(devices.known),
        })}
      </p>
      {devices.items.length === 0 ? null : (
        <details open={devices.items.length <= 10}>
          <summary>{say('devices_moving', { n: count(devices.moved) })}</summary>
          <ul>
            {devices.items.map((item) => (
              <li key={JSON.stringify([item.site, item.device])}>
                <Link href={devicePath(item)}>
                  <Name text={item.device} />
                </Link>{' '}
                <Name text={item.before || say('no_profile')} /> →{' '}
                <Name text={item.after || say('no_profile')} />
                {item.place_before === item.place_after ? null : (
                  <>
                    {' · '}
                    <Name text={item.place_before || say('no_place')} /> →{' '}
                    <Name text={item.place_after || say('no_place')} />
                  </>
                )}
              </li>
            ))}
          </ul>
          {left > 0 ? <p className="note">{say('left_out', { n: count(left) })}</p> : null}
        </details>
      )}
    </div>
  );
}

function Change({ of }: { of: ProfileChange }): ReactNode {
  const say = useSay(PROFILES_WORDS);
  const { deed, path, before, after } = of;
  return (
    <li data-deed={deed}>
      <span className={look.deed}>{say(`deed_${deed}`)}</span>{' '}
      {path.length === 0 ? null : (
        <code>
          <Name text={pathText(path)} />
        </code>
      )}{' '}
      {deed !== 'added' && before !== null ? (
        <del>
          <Name text={valueText(before)} />
        </del>
      ) : null}
      {deed === 'changed' && before !== null ? ' → ' : ' '}
      {deed !== 'removed' && after !== null ? (
        <ins>
          <Name text={valueText(after)} />
        </ins>
      ) : null}
    </li>
  );
}
