/** The real pages and API with users, tokens, and device profiles in a folder, for tests of page Administration and of logging in. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Access, AccessPolicy } from '../../collector/access/access.ts';
import type { AuditEntry } from '../../collector/access/audit.ts';
import type { Grant } from '../../collector/access/principal.ts';
import { LiveDevices } from '../../collector/api/live/devices.ts';
import { ProfileFiles } from '../../collector/profiles/editing/profile_files.ts';
import { LiveProfiles } from '../../collector/profiles/live.ts';
import { servePages } from './served-pages.ts';
import { silentLogger } from './silent-logger.ts';
import { MemoryControl, openAccess } from './users.ts';

export const PASSWORD = 'correct horse battery';
export const HOSTILE = '<img src=x onerror=alert(1)>';
export const ARABIC = 'جهاز-١';

/** As a person writes it. */
export const PRESS = `# By the book of the press, page 12.
match: [{ device: "P*" }]
interval_seconds: 10
channels:
  temperature: { unit: °C, min: 0, max: 100 }
  speed: { unit: rpm, min: 0, max: 2000 }
rules:
  - { name: cold_and_fast, expect: temperature > 5 || speed < 100, message: too cold, policy: flag }
`;

const EVERYWHERE = (role: Grant['role']): Grant[] => [{ site: '*', role }];

export interface AdminPlant {
  base: string;
  access: Access;
  /** profiles_dir. */
  folder: string;
  profiles: LiveProfiles;
  audited: AuditEntry[];
}

/** Users admin, op (operator of demo) and two with hostile names and grants, all with PASSWORD. */
export async function adminPlant(
  t: Pick<Test, 'teardown'>,
  policy: Partial<AccessPolicy> = {},
): Promise<AdminPlant> {
  const root = mkdtempSync(join(tmpdir(), 'fms-admin-'));
  const folder = join(root, 'profiles');
  mkdirSync(folder);
  writeFileSync(join(folder, 'press.yaml'), PRESS);
  const clock = { wallMs: () => Date.now() };
  const access = await accessOf(policy);
  const source = { profilesDir: folder, retentionMs: 1_000 };
  const keptFile = join(root, 'kept.json');
  const profiles = new LiveProfiles({ source, keptFile, clock, logger: silentLogger });
  const devices = someDevices();
  const audited: AuditEntry[] = [];
  const { base } = await servePages(t, {
    access,
    devices,
    configuration: () => profiles.current,
    configurationStatus: () => profiles.status(),
    auditLog: {
      record: async (entry) => {
        audited.push(entry);
      },
    },
    profileFiles: new ProfileFiles({
      source,
      clock,
      reload: () => profiles.reload(),
      configuration: () => profiles.current,
      devices: () => devices.sorted(),
    }),
  });
  t.teardown(async () => {
    await profiles.close();
    rmSync(root, { recursive: true, force: true });
  });
  return { base, access, folder, profiles, audited };
}

async function accessOf(policy: Partial<AccessPolicy>): Promise<Access> {
  const now = {
    get nowMs(): number {
      return Date.now();
    },
  };
  const access = await openAccess(new MemoryControl(), now, policy);
  const { users } = access.opened;
  await users.create('admin', EVERYWHERE('admin'), PASSWORD);
  await users.create('op', [{ site: 'demo', role: 'operator' }], PASSWORD);
  // A site that is no more may be called anything.
  await users.create(`x${'y'.repeat(63)}`, [{ site: HOSTILE, role: 'viewer' }], PASSWORD);
  await users.create('김민지', [{ site: ARABIC, role: 'admin' }], PASSWORD);
  return access;
}

function someDevices(): LiveDevices {
  const devices = new LiveDevices();
  for (const device of ['P1', 'P2', `P${HOSTILE}`, ARABIC, 'x'.repeat(128)])
    devices.applyStored({
      site: 'demo',
      device,
      gateway: 'gw1',
      channel: 'temperature',
      timeMs: Date.now(),
      value: 20,
      text: null,
      quality: 0,
      receivedMs: Date.now(),
    });
  return devices;
}
