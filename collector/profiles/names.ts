/** The formats that the schemas of profiles and assignments name. */

import { NAME_BYTES_MAX } from '../../proto/limits.ts';

/** No line breaks and the like, nothing at the ends that nobody would see. */
function isName(text: string): boolean {
  return (
    text !== '' &&
    Buffer.byteLength(text) <= NAME_BYTES_MAX &&
    text.trim() === text &&
    !/\p{Cc}/u.test(text)
  );
}

export const formats: Record<string, (text: string) => boolean> = {
  name: isName,
  glob: isName,
};
