/** The frame around the pages: who is logged in, where one is, what fires, whether the collector answers. */

import type { ReactNode } from 'react';
import { Suspense, useEffect, useRef } from 'react';
import { Redirect, Route, Switch, useLocation } from 'wouter';
import { useCommonSay } from '../i18n/say.ts';
import { Empty, Loading, Resource } from '../ui/states.tsx';
import { ConnectionBanner } from './connection.tsx';
import { Header } from './header.tsx';
import { LoginAgain, LoginPage } from './login.tsx';
import { useOwnLanguage } from './own_language.ts';
import { PageBoundary } from './page_boundary.tsx';
import { PAGES } from './pages.tsx';
import { PasswordPage } from './password.tsx';
import { usePermissions, useSessionQuery, useSessionWatch } from './session.ts';

export function App(): ReactNode {
  const session = useSessionQuery();
  const say = useCommonSay();
  useSessionWatch();
  useOwnLanguage();
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
      <LoginAgain />
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
          {permissions.isLoggedIn ? <Redirect to="/" replace /> : <LoginPage />}
        </Route>
        <Route>
          <Empty text={say('not_found')} />
        </Route>
      </Switch>
    </main>
  );
}
