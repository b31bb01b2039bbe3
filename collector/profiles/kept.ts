/**
 * The configuration that held last, kept beside the log: a collector that is started again while its
 * profiles have mistakes goes on with it instead of staying down.
 */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Configuration } from '../profile.ts';
import { withVersion } from './version.ts';

const FORMAT = 1;

/** Throws what the file system throws. */
export function keepConfiguration(file: string, configuration: Configuration): void {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.new`;
  writeFileSync(draft, JSON.stringify({ format: FORMAT, configuration }), { flush: true });
  renameSync(draft, file);
}

/** With another retention its version is another. Undefined: there is none, or it is damaged. */
export function keptConfiguration(file: string, retentionMs: number): Configuration | undefined {
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as {
      format: number;
      configuration: Configuration;
    };
    if (kept.format !== FORMAT) return undefined;
    const { version, ...content } = kept.configuration;
    if (withVersion(content).version !== version) return undefined;
    return withVersion({ ...content, retentionMs });
  } catch {
    return undefined;
  }
}
