/** The fleet of installed_fleet.ts, in a process of its own: `installed_fleet_child.ts FILE` with a FleetOrder. */

import { readFileSync } from 'node:fs';
import { runFleet } from '../../simulators/fleet.ts';
import type { FleetIdentities } from '../../simulators/fleet-identities.ts';
import type { FleetCounts, FleetOptions } from '../../simulators/fleet-options.ts';
import { fleetDefaults } from '../../simulators/fleet-options.ts';
import type { FleetWord } from './installed_fleet.ts';

export type FleetOrder = Pick<
  FleetOptions,
  'url' | 'apiUrl' | 'gateways' | 'batchIntervalMs' | 'stateIntervalMs'
> & { identities: FleetIdentities };

const SAID_EVERY_MS = 100;
/** After so long the last acknowledgements and rows are given up. */
const DRAIN_MS = 180_000;

const order = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as FleetOrder;
const ending = new AbortController();
const say = (word: FleetWord): void => void process.send?.(word);
// Whatever ends the bench ends this.
process.on('disconnect', () => process.exit(1));
process.on('message', () => ending.abort());

let saying: NodeJS.Timeout | undefined;
const report = await runFleet(
  {
    ...fleetDefaults,
    ...order,
    rowsPerS: 1_000 / order.batchIntervalMs,
    drainMs: DRAIN_MS,
    tokenOf: () => '',
  },
  {
    signal: ending.signal,
    progress: (line) => console.log(line),
    onStarted: (counts: Readonly<FleetCounts>) => {
      say({ started: true });
      saying = setInterval(() => say({ counts }), SAID_EVERY_MS);
    },
  },
);
clearInterval(saying);
say({ report });
process.disconnect();
