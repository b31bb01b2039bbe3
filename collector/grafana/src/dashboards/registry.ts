/** All dashboards, by name. */

import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import type { DashboardName, Page } from '../words.ts';
import { application } from './application.ts';
import { device } from './device.ts';
import { gateway } from './gateway.ts';
import { infrastructure } from './infrastructure.ts';
import { line } from './line.ts';
import { plant } from './plant.ts';
import { quality } from './quality.ts';

export const dashboards: Readonly<Record<DashboardName, (page: Page) => Dashboard>> = {
  infrastructure,
  gateway,
  application,
  quality,
  plant,
  line,
  device,
};
