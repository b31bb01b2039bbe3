/** What the Overview asks for. */

import { queryOptions } from '@tanstack/react-query';
import { ask } from '../../api/client.ts';
import type { States, Wall } from './types.ts';

const STATES_MS = 4_000;
const WALL_MS = 15_000;

export const statesQuery = queryOptions({
  queryKey: ['devices', 'states'],
  // The browser asks by ETag: while nothing changed, nothing comes and nothing is drawn.
  queryFn: ({ signal }) => ask<States>('devices/states', {}, { signal }),
  refetchInterval: STATES_MS,
});

export const wallQuery = queryOptions({
  queryKey: ['overview', 'wall'],
  queryFn: ({ signal }) => ask<Wall>('overview/wall', {}, { signal }),
  refetchInterval: WALL_MS,
});
