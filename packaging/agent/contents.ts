/** What is installed where: the entries of the Debian package and of the tarball. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { StagedEntry } from '../staging.ts';
import { ADDON_NAME } from './bundle.ts';

const FILES = join(import.meta.dirname, 'files');
const ROOT = join(import.meta.dirname, '../..');

export function text(name: string): string {
  return readFileSync(join(FILES, name), 'utf8');
}

export interface BuiltAgent {
  /** Folder of fms-agent and the addon. */
  folder: string;
  /** The bill of materials, as JSON. */
  bill: string;
}

/**
 * dpkg never overwrites what somebody has edited here: it asks, when the new package says something else.
 * So that it never asks, these stay as they are for good (a test holds their content).
 */
export const CONFFILES = ['/etc/fms-agent/agent.yaml', '/etc/fms-agent/conf.d/README'];

/** The program's folder, below `lib`. */
function programEntries(built: BuiltAgent, lib: string): StagedEntry[] {
  return [
    { path: `${lib}/fms-agent`, mode: 0o755, from: join(built.folder, 'fms-agent') },
    { path: `${lib}/${ADDON_NAME}`, mode: 0o644, from: join(built.folder, ADDON_NAME) },
    { path: `${lib}/notify-exec`, mode: 0o755, from: join(ROOT, 'packaging/notify-exec') },
    { path: `${lib}/set-up`, mode: 0o755, text: text('set-up') },
  ];
}

export function debEntries(
  built: BuiltAgent,
  version: string,
  epochSeconds: number,
): StagedEntry[] {
  const doc = '/usr/share/doc/fms-agent';
  const file = (path: string, content: string): StagedEntry => ({
    path,
    mode: 0o644,
    text: content,
  });
  return [
    ...programEntries(built, '/usr/lib/fms-agent'),
    file('/usr/lib/fms-agent/backoff.conf', text('backoff.conf')),
    { path: '/usr/bin/fms-agent', linkTo: '../lib/fms-agent/fms-agent' },
    file('/usr/lib/systemd/system/fms-agent.service', text('fms-agent.service')),
    file('/usr/lib/sysusers.d/fms-agent.conf', text('sysusers.conf')),
    file('/etc/fms-agent/agent.yaml', text('agent.yaml')),
    file('/etc/fms-agent/conf.d/README', text('conf.d-README')),
    file('/usr/share/fms-agent/devices.yaml', text('devices.yaml')),
    file('/usr/share/fms-agent/serial.conf', text('serial.conf')),
    packed('/usr/share/man/man8/fms-agent.8.gz', text('fms-agent.8')),
    packed(`${doc}/changelog.gz`, changelog(version, epochSeconds)),
    file(`${doc}/copyright`, copyright()),
    file(`${doc}/fms-agent.cdx.json`, built.bill),
    file('/usr/share/lintian/overrides/fms-agent', text('lintian-overrides')),
  ];
}

export function tarballEntries(built: BuiltAgent): StagedEntry[] {
  const plain = [
    'fms-agent.service',
    'sysusers.conf',
    'agent.yaml',
    'conf.d-README',
    'devices.yaml',
  ];
  return [
    ...programEntries(built, '/lib'),
    ...[...plain, 'fms-agent.8', 'serial.conf', 'README'].map(
      (name): StagedEntry => ({ path: `/${name}`, mode: 0o644, text: text(name) }),
    ),
    { path: '/install.sh', mode: 0o755, text: text('install.sh') },
    { path: '/LICENSE', mode: 0o644, from: join(ROOT, 'LICENSE') },
    { path: '/fms-agent.cdx.json', mode: 0o644, text: built.bill },
  ];
}

/** Without the time and name that gzip would write. */
function packed(path: string, content: string): StagedEntry {
  return { path, mode: 0o644, bytes: gzipSync(content, { level: 9 }) };
}

/** In Debian's form; what has changed is told by the project's own CHANGELOG.md. */
function changelog(version: string, epochSeconds: number): string {
  const date = new Date(epochSeconds * 1000).toUTCString().replace('GMT', '+0000');
  return `fms-agent (${version}) stable; urgency=medium

  * See CHANGELOG.md of the project.

 -- ${MAINTAINER}  ${date}
`;
}

export const MAINTAINER = 'FMS developers <fms@localhost>';

function copyright(): string {
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: fms-agent

Files: *
Copyright: 2026 the authors of FMS
License: Apache-2.0
 On Debian systems the text of this licence is in /usr/share/common-licenses/Apache-2.0.
Comment: The program holds Node.js and the npm packages that fms-agent.cdx.json lists with their licences.
`;
}
