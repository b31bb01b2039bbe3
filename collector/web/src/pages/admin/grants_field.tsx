/** What somebody may, site by site. */

import type { ReactNode } from 'react';
import type { Grant, Role } from '../../api/types.ts';
import { useOverview } from '../../app/overview.ts';
import { useSay } from '../../i18n/say.ts';
import { Name } from '../../ui/mark.tsx';
import { EVERY_SITE, ROLES, roleAt, sitesToGrant, sortedGrants, withGrant } from './grants.ts';
import look from './page.module.css';
import { ADMIN_WORDS } from './words.ts';

export function GrantsField(props: {
  grants: readonly Grant[];
  /** Of the one who grants, where no more can be granted; undefined: all. */
  within?: readonly Grant[];
  onChange: (grants: Grant[]) => void;
}): ReactNode {
  const { grants, within, onChange } = props;
  const say = useSay(ADMIN_WORDS);
  const sites = (useOverview()?.sites ?? []).map(({ site }) => site);
  const own = within ?? [{ site: EVERY_SITE, role: 'admin' }];
  return (
    <fieldset className={look.grants}>
      <legend>{say('grants')}</legend>
      {sitesToGrant(sites, grants).map((site) => {
        const most = roleAt(own, site);
        const granted = grants.find((grant) => grant.site === site)?.role;
        if (most === undefined && granted === undefined) return null;
        const roles = ROLES.slice(0, ROLES.indexOf(most ?? 'viewer') + 1);
        return (
          <label key={site}>
            <span>{site === EVERY_SITE ? say('all_sites') : <Name text={site} />}</span>
            <select
              value={granted ?? ''}
              data-site={site}
              onChange={({ target }) =>
                onChange(
                  withGrant(grants, site, target.value === '' ? null : (target.value as Role)),
                )
              }
            >
              <option value="">{say(site === EVERY_SITE ? 'grant_none' : 'grant_as_all')}</option>
              {roles.map((role) => (
                <option key={role} value={role}>
                  {say(`role_${role}`)}
                </option>
              ))}
            </select>
          </label>
        );
      })}
      <small className="note">{say('grants_note')}</small>
    </fieldset>
  );
}

/** `all sites: administrator`. */
export function GrantsText({ grants }: { grants: readonly Grant[] }): ReactNode {
  const say = useSay(ADMIN_WORDS);
  if (grants.length === 0) return <span className="note">{say('grants_nothing')}</span>;
  return (
    <ul className={look.plain}>
      {sortedGrants(grants).map(({ site, role }) => (
        <li key={site}>
          {site === EVERY_SITE ? say('all_sites') : <Name text={site} />}: {say(`role_${role}`)}
        </li>
      ))}
    </ul>
  );
}
