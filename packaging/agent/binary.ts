/** fms-agent as a single binary: node with the bundled program inside. */

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENGINE_FLAGS } from '../../agent/engine-flags.ts';
import { CACHE, nodeBinary, nodeVersion, stripSymbols } from '../node-binaries.ts';
import type { Architecture } from '../options.ts';
import { runProgram } from '../programs.ts';
import { ADDON_NAME } from './bundle.ts';
import type { SeaOptions } from './sea.ts';

const ROOT = join(import.meta.dirname, '../..');

export interface BinaryOptions {
  /** The bundled program. */
  main: string;
  architecture: Architecture;
  /** Gets fms-agent and the addon of SQLite. */
  folder: string;
  say: (line: string) => void;
}

/** Throws a PackagingError. */
export function buildBinary(options: BinaryOptions): void {
  const { main, architecture, folder, say } = options;
  mkdirSync(folder, { recursive: true });
  const home = mkdtempSync(join(CACHE, 'pkg-'));
  try {
    offerNode(home, architecture, nodeBinary(architecture, say));
    const sea: SeaOptions = {
      main,
      output: join(folder, 'fms-agent'),
      architecture,
      nodeVersion: nodeVersion(),
      execArgv: ENGINE_FLAGS,
    };
    runProgram(process.execPath, [join(import.meta.dirname, 'sea.ts'), JSON.stringify(sea)], {
      env: { ...process.env, HOME: home },
    });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  const addon = `node_modules/better-sqlite3/prebuilds/linux-${architecture}.node`;
  copyFileSync(join(ROOT, addon), join(folder, ADDON_NAME));
  stripSymbols(join(folder, ADDON_NAME), architecture);
}

/** As pkg finds it when it has fetched node itself: an archive that it has seen, and what was in it. */
function offerNode(home: string, architecture: Architecture, node: string): void {
  const name = `node-v${nodeVersion()}-linux-${architecture}`;
  const folder = join(home, '.pkg-cache/sea');
  mkdirSync(join(folder, name, 'bin'), { recursive: true });
  copyFileSync(node, join(folder, name, 'bin/node'));
  for (const file of [`${name}.tar.gz`, `${name}.tar.gz.ok`, `${name}/bin/node.ok`]) {
    writeFileSync(join(folder, file), '');
  }
}
