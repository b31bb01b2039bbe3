/** The install id: tells a cloned disk from a reconnect of the same machine. */

import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, realpathSync } from 'node:fs';

export interface InstallMeta {
  get(key: string): string | undefined;
  set(key: string, value: string): void;
}

const META_RANDOM = 'install_random';

/**
 * 16 hex digits of a random number that lives with the buffer and of the machine: a copy of the disk in
 * another machine has another id, and so has a new buffer in the same one.
 */
export function installId(meta: InstallMeta, fingerprint: string): string {
  let random = meta.get(META_RANDOM);
  if (random === undefined) {
    random = randomBytes(16).toString('hex');
    meta.set(META_RANDOM, random);
  }
  return createHash('sha256').update(`${random}\n${fingerprint}`).digest('hex').slice(0, 16);
}

/**
 * What tells this machine from others. FMS_AGENT_MACHINE_ID alone when it is set (containers, whose
 * files may all be copies). /etc/machine-id is cloned with the disk, so hardware is asked as well; the
 * same user must ask each time, for the DMI UUID is readable by root only.
 */
export function machineFingerprint(
  env: Readonly<Record<string, string | undefined>> = process.env,
  root = '/',
): string {
  const given = env.FMS_AGENT_MACHINE_ID;
  if (given !== undefined && given !== '') return `given ${given}`;
  return [
    `machine-id ${textOf(`${root}etc/machine-id`)}`,
    `dmi ${textOf(`${root}sys/class/dmi/id/product_uuid`)}`,
    `serial ${textOf(`${root}proc/device-tree/serial-number`)}`,
    `mac ${physicalMacs(`${root}sys/class/net`).join(' ')}`,
  ].join('\n');
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').replaceAll('\0', '').trim();
  } catch {
    return '';
  }
}

/** Of network cards that are soldered or plugged into a slot; USB ones come and go, virtual ones more so. */
function physicalMacs(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .filter((name) => {
      try {
        return !realpathSync(`${folder}/${name}/device`).includes('/usb');
      } catch {
        return false;
      }
    })
    .map((name) => textOf(`${folder}/${name}/address`))
    .filter((mac) => mac !== '')
    .sort();
}
