/** Channels of readers whose source gives JSON. */

import type { ReaderSpec } from './spec.ts';
import type { ChannelType } from './values.ts';

export interface JsonChannel {
  name: string;
  /** Where the value stands in the document. */
  field: string;
  type: ChannelType;
  coerce: boolean;
}

/** The schema has checked the types; this only names them. */
interface Yaml {
  field?: string;
  type?: ChannelType;
  coerce?: boolean;
}

export function readChannels(channels: ReaderSpec['channels']): JsonChannel[] {
  return Object.entries(channels).map(([name, entry]) => {
    const { field = name, type = 'number', coerce = false } = entry as Yaml;
    return { name, field, type, coerce };
  });
}
