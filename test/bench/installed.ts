/**
 * What users install: how large the package is; the packaged agent with mutual TLS and an encrypted buffer, as the
 * service runs it; thousands of gateways with certificates that all come back after a restart of the collector; and
 * how long it takes from the two packages to the first reading on the API.
 */

import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import { measureAgent } from './installed_agent.ts';
import { measureInstallation } from './installed_first_reading.ts';
import { measureFleet } from './installed_fleet.ts';
import type { BenchOptions, Figures } from './main.ts';

const PACKAGE = fileURLToPath(new URL('../../packaging/main.ts', import.meta.url));
const PARTS = ['deb', 'agent', 'fleet', 'install'] as const;
const BUILD_TIMEOUT_MS = 1_800_000;
const GATEWAYS = 5_000;

/**
 * `--only=agent` (or deb, fleet, install; several with commas) measures that only. `--gateways=N` takes another
 * number than 5,000. `--debs=FOLDER` takes packages that `npm run package` has made before.
 */
export async function run({ log, seconds = 60, dataDir, args }: BenchOptions): Promise<Figures> {
  const given = (name: string): string | undefined =>
    args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
  const only = given('only')?.split(',') ?? PARTS;
  const wrong = only.find((name) => !(PARTS as readonly string[]).includes(name));
  if (wrong !== undefined) throw new Error(`no part ${wrong}; there are: ${PARTS.join(', ')}`);
  const folder = mkdtempSync(join(dataDir ?? tmpdir(), 'fms-installed-'));
  const figures: Figures = {};
  try {
    const needed = only.includes('install') ? ['agent', 'collector'] : ['agent'];
    const debs = only.some((name) => name !== 'fleet')
      ? await packages(needed, given('debs'), join(folder, 'dist'), log)
      : {};
    if (only.includes('deb'))
      for (const [name, deb] of Object.entries(debs))
        figures[name === 'agent' ? 'deb_mb' : `${name}_deb_mb`] = megabytes(deb);
    if (only.includes('agent')) {
      const options = { deb: debOf(debs, 'agent'), seconds, folder: join(folder, 'agent') };
      Object.assign(figures, await measureAgent(options, log));
    }
    if (only.includes('fleet')) {
      const count = Number(given('gateways') ?? GATEWAYS);
      Object.assign(figures, await measureFleet({ count, folder: join(folder, 'fleet') }, log));
    }
    if (only.includes('install')) {
      const both = { agent: debOf(debs, 'agent'), collector: debOf(debs, 'collector') };
      Object.assign(figures, await measureInstallation(both, log));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  log('targets: deb_mb ≤ 35; rss_mb ≤ 100; cpu_percent ≤ 3; first_reading_ms ≤ 1,000;');
  log('reconnect_s ≤ 60 and unaccounted_readings 0; install_to_first_reading_s < 120');
  return figures;
}

/** As `npm run package` makes them, for this machine's processor. By name. */
async function packages(
  names: readonly string[],
  made: string | undefined,
  out: string,
  log: (line: string) => void,
): Promise<Record<string, string>> {
  const folder = made === undefined ? out : resolve(made);
  if (made === undefined) {
    log(`building fms-${names.join(' and fms-')}, compressed as they are published`);
    const build = new Child([PACKAGE, ...names, '--arch', process.arch, '--out', out]);
    await build.ended(BUILD_TIMEOUT_MS);
  }
  const debian = process.arch === 'x64' ? 'amd64' : process.arch;
  return Object.fromEntries(
    names.map((name) => {
      const files = existsSync(folder) ? readdirSync(folder) : [];
      const file = files.find((one) => one.startsWith(`fms-${name}_`) && one.includes(debian));
      if (file === undefined) throw new Error(`no package fms-${name} for ${debian} in ${folder}`);
      return [name, join(folder, file)];
    }),
  );
}

function debOf(debs: Record<string, string>, name: string): string {
  const deb = debs[name];
  if (deb === undefined) throw new Error(`no package fms-${name}`);
  return deb;
}

/** 10^6 bytes. */
function megabytes(file: string): number {
  return Math.round(statSync(file).size / 1e5) / 10;
}
