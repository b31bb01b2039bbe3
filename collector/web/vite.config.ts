/**
 * The pages' build: `npm run build:web` (also at `npm ci`) makes dist/, which the collector serves. While working on
 * the pages, `npm run dev:web` serves the sources and asks the collector at FMS_COLLECTOR_URL for the API.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';
import { defineConfig } from 'vite';

const COMPRESSED = /\.(js|css|html|svg)$/;

/** Each file also as .br and .gz beside it: the collector sends what the browser takes, and compresses nothing itself. */
function compressed(): Plugin {
  return {
    name: 'fms-compressed',
    apply: 'build',
    writeBundle({ dir = '' }) {
      const files = readdirSync(dir, { recursive: true, encoding: 'utf8' });
      for (const file of files.filter((name) => COMPRESSED.test(name))) {
        const path = join(dir, file);
        const content = readFileSync(path);
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
        writeFileSync(`${path}.br`, brotliCompressSync(content, { params }));
        writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}

/**
 * Nothing is painted before the program has chosen light or dark (app/preferences.tsx): inline scripts, which could do
 * it at once, the content security policy forbids. A browser that cannot wait so shows an empty ground meanwhile.
 */
function paintedInItsColours(): Plugin {
  return {
    name: 'fms-painted-in-its-colours',
    transformIndexHtml: {
      order: 'post',
      handler: (html) =>
        html.replace(
          /<script type="module"(?=[^>]* src="\/(assets|src)\/)/,
          '$& blocking="render"',
        ),
    },
  };
}

export default defineConfig({
  root: import.meta.dirname,
  // Inlined pictures and fonts would need more than the content security policy allows.
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    rolldownOptions: {
      // Directives of React's server components, which mean nothing here.
      checks: { moduleLevelDirective: false },
    },
  },
  plugins: [compressed(), paintedInItsColours()],
  server: {
    proxy: { '/api': process.env.FMS_COLLECTOR_URL ?? 'http://127.0.0.1:8080' },
  },
});
