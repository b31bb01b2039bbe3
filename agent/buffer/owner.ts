/** Whose files these are, when root calls a command on the buffer of the service. */

import { chownSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** A file that root has just made goes to whom its folder belongs, or the agent could not open it. */
export function giveToOwnerOfFolder(path: string): void {
  if (process.getuid?.() !== 0) return;
  try {
    const { uid, gid } = statSync(dirname(path));
    chownSync(path, uid, gid);
  } catch {
    // A root without that right (in a container) is the agent's own user.
  }
}
