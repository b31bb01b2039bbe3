/** The frame around the pages: who is logged in, where one is, what fires, whether the collector answers. */

import type { ComponentType, ReactNode } from 'react';
import { lazy, Suspense, useEffect, useRef } from 'react';
import { Route, Switch, useLocation } from 'wouter';
import type { Role } from '../api/types.ts';
import { useCommonSay } from '../i18n/say.ts';
import type { CommonKey } from '../i18n/words.ts';
import { OverviewPage } from '../pages/overview/page.tsx';
import { Empty, Loading, Resource } from '../ui/states.tsx';
import { ConnectionBanner } from './connection.tsx';
import { Header } from './header.tsx';
import { LoginPage } from './login.tsx';
import { PageBoundary } from './page_boundary.tsx';
import { PasswordPage } from './password.tsx';
import type { Permissions } from './session.ts';
import { usePermissions, useSessionQuery } from './session.ts';

export interface PageEntry {
  path: string;
  /** In the menu; undefined: reached from other pages. */
  title: CommonKey | undefined;
  page: ComponentType;
  may: (permissions: Permissions) => boolean;
}

const somewhere = (role: Role) => (permissions: Permissions) => permissions.maySomewhere(role);
const everywhere = (role: Role) => (permissions: Permissions) => permissions.mayEverywhere(role);

/** Every page. The first one is part of what is loaded at once; the others come when they are opened. */
export const PAGES: readonly PageEntry[] = [
  { path: '/', title: 'page_overview', page: OverviewPage, may: somewhere('viewer') },
  {
    path: '/device/:site/:device',
    title: undefined,
    page: lazy(() => import('../pages/device/page.tsx')),
    may: somewhere('viewer'),
  },
  {
    path: '/quality',
    title: 'page_quality',
    page: lazy(() => import('../pages/quality/page.tsx')),
    may: somewhere('viewer'),
  },
  {
    path: '/alerts',
    title: 'page_alerts',
    page: lazy(() => import('../pages/alerts/page.tsx')),
    may: somewhere('viewer'),
  },
  {
    path: '/quarantine',
    title: 'page_quarantine',
    page: lazy(() => import('../pages/quarantine/page.tsx')),
    may: somewhere('viewer'),
  },
  {
    path: '/gateways',
    title: 'page_gateways',
    page: lazy(() => import('../pages/gateways/page.tsx')),
    may: somewhere('viewer'),
  },
  {
    path: '/query',
    title: 'page_query',
    page: lazy(() => import('../pages/query/page.tsx')),
    may: everywhere('viewer'),
  },
  {
    path: '/admin/*?',
    title: 'page_admin',
    page: lazy(() => import('../pages/admin/page.tsx')),
    may: ({ mayEverywhere, isLoggedIn }) => mayEverywhere('admin') || isLoggedIn,
  },
];

export function App(): ReactNode {
  const session = useSessionQuery();
  const say = useCommonSay();
  if (session.data === undefined)
    return (
      <main id="main">
        <ConnectionBanner />
        <Resource query={session}>{() => null}</Resource>
      </main>
    );
  if (session.data === null) return <LoginPage />;
  if (session.data.must_change_password) return <PasswordPage />;
  return (
    <>
      <a className="skip" href="#main">
        {say('skip')}
      </a>
      <Header pages={PAGES} />
      <ConnectionBanner />
      <Main />
    </>
  );
}

function Main(): ReactNode {
  const say = useCommonSay();
  const permissions = usePermissions();
  const [location] = useLocation();
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  // A new page begins at its top, for eyes, keyboards and screen readers.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the location is what it waits for
  useEffect(() => {
    if (!isFirst.current) main.current?.focus({ preventScroll: true });
    isFirst.current = false;
    window.scrollTo(0, 0);
  }, [location]);
  return (
    <main id="main" tabIndex={-1} ref={main}>
      <Switch>
        {PAGES.map(({ path, page: Page, may }) => (
          <Route key={path} path={path}>
            {may(permissions) ? (
              <PageBoundary key={location}>
                <Suspense fallback={<Loading />}>
                  <Page />
                </Suspense>
              </PageBoundary>
            ) : (
              <Empty text={say('forbidden')} />
            )}
          </Route>
        ))}
        <Route path="/login">
          <LoginPage />
        </Route>
        <Route>
          <Empty text={say('not_found')} />
        </Route>
      </Switch>
    </main>
  );
}
