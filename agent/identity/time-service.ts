/** Whether a time service (NTP, PTP) keeps the clock of this machine. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Made by systemd-timesyncd at its first success of the boot. */
const TIMESYNC_FILE = '/run/systemd/timesync/synchronized';
const TIMEOUT_MS = 5_000;

/**
 * As the kernel says, which every time service tells (timedatectl asks it); where that is not there, as
 * systemd-timesyncd says. Never rejects; false also when nobody knows.
 */
export function isClockKept(
  command = 'timedatectl',
  syncFile: string = TIMESYNC_FILE,
): Promise<boolean> {
  const args = ['show', '--property=NTPSynchronized', '--value'];
  return new Promise((resolve) => {
    execFile(command, args, { timeout: TIMEOUT_MS }, (error, stdout) => {
      const answer = stdout.trim();
      if (error === null && (answer === 'yes' || answer === 'no')) resolve(answer === 'yes');
      else resolve(existsSync(syncFile));
    });
  });
}
