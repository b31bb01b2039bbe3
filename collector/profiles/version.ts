/** The version of a configuration: equal content has an equal version, whatever the order of its keys. */

import { createHash } from 'node:crypto';
import type { Configuration } from '../profile.ts';

/** JSON with the keys of every object in the order of their code units; undefined ones left out. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** Adds the version, and leaves the keys in canonical order. */
export function withVersion(content: Omit<Configuration, 'version'>): Configuration {
  const json = canonicalJson(content);
  const version = createHash('sha256').update(json, 'utf8').digest('hex');
  return { ...(JSON.parse(json) as Omit<Configuration, 'version'>), version };
}

/** The value of a raw record of kind `configuration`. */
export function encodeConfiguration(configuration: Configuration): Buffer {
  return Buffer.from(canonicalJson(configuration));
}
