/** The agent as one file of JavaScript, with all that it imports. */

import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Plugin } from 'esbuild';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '../..');

/** Lies beside the binary. */
export const ADDON_NAME = 'better_sqlite3.node';

export interface Bundle {
  /** Folders of the npm packages that something of is in it, from the root: node_modules/yaml. */
  packageFolders: string[];
}

/** Writes the file. The same bytes from the same sources, wherever the checkout lies. */
export async function bundleAgent(options: { path: string; version: string }): Promise<Bundle> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['packaging/agent/entry.ts'],
    outfile: options.path,
    bundle: true,
    platform: 'node',
    target: 'node24',
    // What a single binary starts with is a script that can load node's own modules only.
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    // Names stay, for the stacks in the log of a crash.
    minifyIdentifiers: false,
    metafile: true,
    logLevel: 'warning',
    // Serial ports are of Modbus RTU, which no reader speaks yet; modbus-serial loads them when asked only.
    external: ['serialport'],
    plugins: [addonBesideBinary, ownVersion(options.version)],
  });
  const inputs = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs));
  const folders = inputs.map(packageFolder).filter((folder) => folder !== undefined);
  return { packageFolders: [...new Set(folders)].sort() };
}

/** better-sqlite3 looks for its addon in node_modules. */
const addonBesideBinary: Plugin = {
  name: 'addon beside the binary',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]better-sqlite3[/\\]lib[/\\]binding\.js$/ }, () => ({
      loader: 'js',
      contents: `
        const { createRequire } = require('node:module');
        const { dirname, join } = require('node:path');
        exports.getBinding = () =>
          createRequire(process.execPath)(join(dirname(process.execPath), '${ADDON_NAME}'));
      `,
    }));
  },
};

function ownVersion(version: string): Plugin {
  return {
    name: 'version of the package',
    setup({ onLoad }) {
      onLoad({ filter: /[/\\]package\.json$/ }, ({ path }) =>
        relative(ROOT, path) === 'package.json'
          ? { loader: 'json', contents: JSON.stringify({ version }) }
          : undefined,
      );
    },
  };
}

/** node_modules/a/node_modules/@b/c of node_modules/a/node_modules/@b/c/lib/d.js. */
function packageFolder(file: string): string | undefined {
  const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file);
  const folder = match?.[1];
  return folder !== undefined && existsSync(join(ROOT, folder, 'package.json'))
    ? folder
    : undefined;
}
