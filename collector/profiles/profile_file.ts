/** Reads one profile file. Every mistake is said with its place. */

import { basename } from 'node:path';
import { NAME_BYTES_MAX } from '../../proto/limits.ts';
import type { DeviceProfile } from '../profile.ts';
import type { Mistake, Place } from '../yaml_file.ts';
import { checkSchema, parseYaml, readText } from '../yaml_file.ts';
import { checkProfile } from './checks.ts';
import type { ProfileContent } from './content.ts';
import { toProfile } from './content.ts';
import { formats } from './names.ts';
import schema from './profile.schema.json' with { type: 'json' };

export interface ProfileFile {
  /** Undefined: it has mistakes. */
  profile: DeviceProfile | undefined;
  /** Where the name stands, for a mistake that shows only beside other files. */
  namePlace: Place;
  mistakes: Mistake[];
}

/** Throws CollectorError COLLECTOR_CONFIG_UNREADABLE. */
export function readProfileFile(file: string): ProfileFile {
  return readProfileText(file, readText(file));
}

/** `file` names the profile that does not name itself. */
export function readProfileText(file: string, text: string): ProfileFile {
  const yaml = parseYaml(text);
  const mistakes = [...yaml.mistakes];
  const namePlace = yaml.placeOf(['name']);
  if (yaml.value === undefined) return { profile: undefined, namePlace, mistakes };
  for (const { path, message } of checkSchema(schema, yaml.value, formats))
    mistakes.push({ ...yaml.placeOf(path), message });
  if (mistakes.length > 0) return { profile: undefined, namePlace, mistakes };

  const content = yaml.value as ProfileContent;
  const name = content.name ?? basename(file).replace(/\.ya?ml$/, '');
  if (Buffer.byteLength(name) > NAME_BYTES_MAX)
    mistakes.push({ ...namePlace, message: `name: longer than ${NAME_BYTES_MAX} bytes` });
  const open = toProfile(name, content);
  const checked = checkProfile(content, open);
  for (const { path, message, lineInText } of checked.mistakes) {
    const place =
      lineInText === undefined
        ? yaml.placeOf(path)
        : { line: yaml.lineWithin(path, lineInText), column: 1 };
    mistakes.push({ ...place, message });
  }
  const profile = mistakes.length === 0 ? { ...open, rules: checked.rules } : undefined;
  return { profile, namePlace, mistakes };
}
