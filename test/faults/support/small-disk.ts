/** Small disks (tmpfs) that a foreign file fills up. Mounting needs root. */

import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallDisk {
  folder: string;
  /** Takes all the room that is left, but for so many bytes. */
  fill(leave?: number): void;
  /** Gives it back. */
  free(): void;
  unmount(): void;
}

/** `options`: of tmpfs, such as `size=8m`. `folder`: default a new one. Undefined: it may not be mounted. */
export function mountSmallDisk(options: string, folder?: string): SmallDisk | undefined {
  const at = folder ?? mkdtempSync(join(tmpdir(), 'fms-disk-'));
  mkdirSync(at, { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', at]);
  if (mounted.status !== 0) return undefined;
  const foreign = join(at, 'foreign-file');
  const spare = join(at, 'foreign-file-2');
  return {
    folder: at,
    fill: (leave = 0) => {
      rmSync(spare, { force: true });
      if (leave > 0) fillFile(spare, leave);
      // Others write at the same time: whatever room is left is taken in ever smaller pieces.
      fillFile(foreign, Number.POSITIVE_INFINITY);
      rmSync(spare, { force: true });
    },
    free: () => rmSync(foreign, { force: true }),
    unmount: () => execFileSync('umount', ['-l', at]),
  };
}

function fillFile(path: string, most: number): void {
  const descriptor = openSync(path, 'a');
  let left = most;
  for (let size = 1 << 24; size >= 4_096 && left > 0; ) {
    try {
      left -= writeSync(descriptor, Buffer.alloc(Math.min(size, left)));
    } catch {
      size /= 2;
    }
  }
  closeSync(descriptor);
}

/** What `skip` of a test is: false where disks can be mounted. In CI it must be possible. */
export function whyNoSmallDisk(): string | false {
  const probe = mountSmallDisk('size=1m');
  probe?.unmount();
  return probe === undefined && process.env.CI !== 'true' ? 'needs root to mount a tmpfs' : false;
}
