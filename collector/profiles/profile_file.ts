/** Reads one profile file. Every mistake is said with its line. */

import { basename } from 'node:path';
import { NAME_BYTES_MAX } from '../../proto/limits.ts';
import type { DeviceProfile } from '../profile.ts';
import type { Mistake } from '../yaml_file.ts';
import { checkSchema, readYaml } from '../yaml_file.ts';
import { checkProfile } from './checks.ts';
import type { ProfileContent } from './content.ts';
import { toProfile } from './content.ts';
import { formats } from './names.ts';
import schema from './profile.schema.json' with { type: 'json' };

export interface ProfileFile {
  /** Undefined: it has mistakes. */
  profile: DeviceProfile | undefined;
  /** Line of the name, for a mistake that shows only beside other files. */
  nameLine: number;
  mistakes: Mistake[];
}

/** Throws CollectorError COLLECTOR_CONFIG_UNREADABLE. */
export function readProfileFile(file: string): ProfileFile {
  const yaml = readYaml(file);
  const mistakes = [...yaml.mistakes];
  const nameLine = yaml.lineOf(['name']);
  if (yaml.value === undefined) return { profile: undefined, nameLine, mistakes };
  for (const { path, message } of checkSchema(schema, yaml.value, formats))
    mistakes.push({ line: yaml.lineOf(path), message });
  if (mistakes.length > 0) return { profile: undefined, nameLine, mistakes };

  const content = yaml.value as ProfileContent;
  const name = content.name ?? basename(file).replace(/\.ya?ml$/, '');
  if (Buffer.byteLength(name) > NAME_BYTES_MAX)
    mistakes.push({ line: 1, message: `name: longer than ${NAME_BYTES_MAX} bytes` });
  const open = toProfile(name, content);
  const checked = checkProfile(content, open);
  for (const { path, message, lineInText } of checked.mistakes) {
    const line = lineInText === undefined ? yaml.lineOf(path) : yaml.lineWithin(path, lineInText);
    mistakes.push({ line, message });
  }
  const profile = mistakes.length === 0 ? { ...open, rules: checked.rules } : undefined;
  return { profile, nameLine, mistakes };
}
