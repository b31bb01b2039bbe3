/** What /metrics says of the program: itself, the other processes on its log, and the device profiles it goes by. */

import type { ReadinessCheck } from '../api/context.ts';
import { COMPONENTS } from '../config.ts';
import type { Team } from '../parts/team.ts';
import type { ConfigurationStatus } from '../profiles/live.ts';
import type { MetricRegistry } from './registry.ts';

export interface ProgramSources {
  version: string;
  /** UTC ms. */
  startedMs: number;
  readiness: () => ReadinessCheck[];
  /** Undefined: no other process works on the log. */
  team: () => Pick<Team, 'members' | 'share'> | undefined;
  configuration: () => ConfigurationStatus;
}

export function programMetrics(sources: ProgramSources, registry: MetricRegistry): void {
  processMetrics(sources, registry);
  teamMetrics(sources, registry);
  configurationMetrics(sources, registry);
}

function processMetrics(
  { version, startedMs, readiness }: ProgramSources,
  { gauge }: MetricRegistry,
): void {
  gauge('info', 'Version of the collector; always 1.', ['version'], (set) => set(1, { version }));
  gauge('start_time_seconds', 'When the collector started, Unix time.', [], (set) =>
    set(startedMs / 1_000),
  );
  gauge('ready', 'Whether a part works (see /readyz).', ['check'], (set) => {
    for (const check of readiness()) set(check.ready ? 1 : 0, { check: check.name });
  });
}

function teamMetrics({ team }: ProgramSources, { gauge }: MetricRegistry): void {
  gauge(
    'members',
    'Processes that run a component, as far as this one knows; none when it is alone on its log.',
    ['component'],
    (set) => {
      const members = team()?.members() ?? [];
      if (team() === undefined) return;
      for (const component of COMPONENTS)
        set(members.filter((one) => one.components.has(component)).length, { component });
    },
  );
  gauge(
    'owned_partitions',
    'Partitions that are this process’ to process or to write.',
    ['component'],
    (set) => {
      for (const component of ['process', 'write'] as const) {
        const owned = team()?.share(component).owned();
        if (owned !== undefined) set(owned.size, { component });
      }
    },
  );
}

function configurationMetrics(
  { configuration }: ProgramSources,
  { gauge, counter }: MetricRegistry,
): void {
  gauge('configuration_info', 'Version of the device profiles; always 1.', ['version'], (set) =>
    set(1, { version: configuration().version }),
  );
  gauge('configuration_loaded_time_seconds', 'When it was read, Unix time.', [], (set) =>
    set(configuration().sinceMs / 1_000),
  );
  gauge('configuration_profiles', 'Device profiles.', [], (set) => set(configuration().profiles));
  gauge(
    'configuration_mistakes',
    'Mistakes in the files of device profiles; above 0 an older configuration holds.',
    [],
    (set) => set(configuration().mistakes.length),
  );
  gauge('configuration_pending', '1 while the log does not have it yet.', [], (set) =>
    set(configuration().pending ? 1 : 0),
  );
  counter(
    'configuration_reloads_total',
    'Times that the device profiles were read again, by result: changed, unchanged, refused.',
    ['result'],
    (set) => {
      for (const [result, count] of Object.entries(configuration().reloads)) set(count, { result });
    },
  );
}
