/** The list of all pages: to add one, add a line here and a folder under pages/. */

import type { ComponentType } from 'react';
import { lazy } from 'react';
import type { Role } from '../api/types.ts';
import type { CommonKey } from '../i18n/words.ts';
import { OverviewPage } from '../pages/overview/page.tsx';
import type { Permissions } from './session.ts';

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
    path: '/alerts/:id',
    title: undefined,
    page: lazy(() => import('../pages/alerts/alert_page.tsx')),
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
    path: '/gateways/:site/:gateway',
    title: undefined,
    page: lazy(() => import('../pages/gateways/gateway_page.tsx')),
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
