/** What stands above every page: menu, firing alerts, clock, language, colours, user. */

import type { ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { timeFormat, zoneName } from '../i18n/format.ts';
import { useCommonSay } from '../i18n/say.ts';
import { Choice } from '../ui/choice.tsx';
import { Announcements } from './announcements.tsx';
import { FiringCount } from './firing.tsx';
import { useNowMs, useOverview, useZoneOf } from './overview.ts';
import type { PageEntry } from './pages.tsx';
import { THEMES, usePreferences } from './preferences.tsx';
import { useLogOut, usePermissions } from './session.ts';

const LANGUAGES = { en: 'English', ko: '한국어' } as const;

export function Header({ pages }: { pages: readonly PageEntry[] }): ReactNode {
  const say = useCommonSay();
  return (
    <header className="head">
      <div className="head-row">
        <p className="brand">
          <strong>FMS</strong> <span>{say('product')}</span>
        </p>
        <FiringCount />
        <Announcements />
        <Clock />
        <Settings />
        <User />
      </div>
      <Menu pages={pages} />
    </header>
  );
}

function Menu({ pages }: { pages: readonly PageEntry[] }): ReactNode {
  const say = useCommonSay();
  const permissions = usePermissions();
  const [location] = useLocation();
  const isHere = (path: string): boolean => {
    const base = path.replace(/\/\*\?$/, '');
    return base === '/' ? location === '/' : location === base || location.startsWith(`${base}/`);
  };
  return (
    <nav className="menu" aria-label={say('menu')}>
      {pages.map(({ path, title, may }) =>
        title === undefined || !may(permissions) ? null : (
          <Link
            key={path}
            href={path.replace(/\/\*\?$/, '')}
            aria-current={isHere(path) ? 'page' : undefined}
          >
            {say(title)}
          </Link>
        ),
      )}
    </nav>
  );
}

function Clock(): ReactNode {
  const nowMs = useNowMs();
  const overview = useOverview();
  const zoneOf = useZoneOf();
  const [location] = useLocation();
  if (overview === undefined) return <p className="clock" />;
  // On a device's page the clock is that of its site.
  const [, kind, site = ''] = location.split('/');
  const shown = kind === 'device' ? decodeURIComponent(site) : (overview.sites[0]?.site ?? '');
  const zone = zoneOf(shown);
  return (
    <p className="clock" id="clock">
      {timeFormat(zone, 'time').format(nowMs)} {zoneName(zone, nowMs)}
    </p>
  );
}

function Settings(): ReactNode {
  const say = useCommonSay();
  const { language, setLanguage, theme, setTheme } = usePreferences();
  return (
    <>
      <Choice
        label={say('language')}
        options={(['en', 'ko'] as const).map((value) => ({
          value,
          text: LANGUAGES[value],
          lang: value,
        }))}
        value={language}
        onChange={setLanguage}
      />
      <label className="select-label">
        <span className="unseen">{say('theme')}</span>
        <select
          value={theme}
          onChange={({ target }) => setTheme(THEMES.find((t) => t === target.value) ?? 'system')}
        >
          {THEMES.map((value) => (
            <option key={value} value={value}>
              {say(`theme_${value}`)}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}

function User(): ReactNode {
  const say = useCommonSay();
  const { name, isLoggedIn } = usePermissions();
  const logOut = useLogOut();
  if (!isLoggedIn)
    return (
      <p className="user">
        <Link href="/login">{say('log_in')}</Link>
      </p>
    );
  return (
    <p className="user">
      <Link href="/admin/me" title={say('logged_in_as', { name })}>
        <bdi>{name}</bdi>
      </Link>{' '}
      <button type="button" className="act" onClick={logOut}>
        {say('log_out')}
      </button>
    </p>
  );
}
