/** What of the collector is installed where. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Architecture } from '../options.ts';
import type { StagedEntry } from '../staging.ts';
import { filesBelow, moduleEntries } from './modules.ts';
import type { ModuleFolder } from './native.ts';

const FILES = join(import.meta.dirname, 'files');
const ROOT = join(import.meta.dirname, '../..');
const LIB = '/usr/lib/fms-collector';
const SHARE = '/usr/share/fms-collector';
const DOC = '/usr/share/doc/fms-collector';

export const MAINTAINER = 'FMS developers <fms@localhost>';

export function text(name: string): string {
  return readFileSync(join(FILES, name), 'utf8');
}

export interface CollectorParts {
  architecture: Architecture;
  /** As package.json writes it. */
  version: string;
  /** As Debian writes it. */
  debianVersion: string;
  epochSeconds: number;
  /** Path of the node program. */
  node: string;
  modules: readonly ModuleFolder[];
  /** The bill of materials, as JSON. */
  bill: string;
}

/** /etc and /var are not among them: the package's script makes what is there, once (decision 0037). */
export function debEntries(parts: CollectorParts): StagedEntry[] {
  const { architecture, version, node, modules } = parts;
  return [
    { path: `${LIB}/bin/node`, mode: 0o755, from: node },
    { path: `${LIB}/notify-exec`, mode: 0o755, from: join(ROOT, 'packaging/notify-exec') },
    { path: `${LIB}/set-up`, mode: 0o755, text: text('set-up') },
    file(`${LIB}/package.json`, manifest(version)),
    ...programEntries(),
    ...modules.flatMap(({ folder, from }) => moduleEntries(folder, LIB, architecture, from)),
    { path: '/usr/bin/fms-collector', mode: 0o755, text: text('fms-collector') },
    file('/usr/lib/systemd/system/fms-collector.service', text('fms-collector.service')),
    file('/usr/lib/sysusers.d/fms-collector.conf', text('sysusers.conf')),
    ...shareEntries(),
    ...docEntries(parts),
  ];
}

/** The sources as they are: node runs them, and stacks in the log name their lines. */
function programEntries(): StagedEntry[] {
  const sources = filesBelow(join(ROOT, 'collector'))
    .filter((path) => !/^(web|grafana)\//.test(path) && /\.(ts|json|yaml|sql)$/.test(path))
    .map((path) => `collector/${path}`);
  const pages = filesBelow(join(ROOT, 'collector/web/dist')).map(
    (path) => `collector/web/dist/${path}`,
  );
  const proto = filesBelow(join(ROOT, 'proto')).map((path) => `proto/${path}`);
  return [...sources, ...pages, ...proto].map((path) => copy(`${LIB}/${path}`, path));
}

/** What people take and change: settings, dashboards, the rules for Prometheus. */
function shareEntries(): StagedEntry[] {
  const grafana = filesBelow(join(ROOT, 'collector/grafana')).filter(
    (path) => !path.startsWith('src/'),
  );
  return [
    file(`${SHARE}/collector.yaml`, text('collector.yaml')),
    file(`${SHARE}/default`, text('default')),
    copy(`${SHARE}/config.schema.json`, 'collector/config.schema.json'),
    ...grafana.map((path) => copy(`${SHARE}/grafana/${path}`, `collector/grafana/${path}`)),
  ];
}

function docEntries({ debianVersion, epochSeconds, bill }: CollectorParts): StagedEntry[] {
  return [
    packed('/usr/share/man/man8/fms-collector.8.gz', text('fms-collector.8')),
    packed(`${DOC}/changelog.gz`, changelog(debianVersion, epochSeconds)),
    file(`${DOC}/copyright`, COPYRIGHT),
    file(`${DOC}/fms-collector.cdx.json`, bill),
    file('/usr/share/lintian/overrides/fms-collector', text('lintian-overrides')),
  ];
}

function file(path: string, content: string): StagedEntry {
  return { path, mode: 0o644, text: content };
}

function copy(path: string, from: string): StagedEntry {
  return { path, mode: 0o644, from: join(ROOT, from) };
}

/** Without the time and name that gzip would write. */
function packed(path: string, content: string): StagedEntry {
  return { path, mode: 0o644, bytes: gzipSync(content, { level: 9 }) };
}

/** What the program reads of it, and what makes node run it. */
function manifest(version: string): string {
  const { name, license } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    name: string;
    license: string;
  };
  return `${JSON.stringify({ name, version, private: true, license, type: 'module' }, undefined, 2)}\n`;
}

/** In Debian's form; what has changed is told by the project's own CHANGELOG.md. */
function changelog(version: string, epochSeconds: number): string {
  const date = new Date(epochSeconds * 1000).toUTCString().replace('GMT', '+0000');
  return `fms-collector (${version}) stable; urgency=medium

  * See CHANGELOG.md of the project.

 -- ${MAINTAINER}  ${date}
`;
}

const COPYRIGHT = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: fms-collector

Files: *
Copyright: 2026 the authors of FMS
License: Apache-2.0
 On Debian systems the text of this licence is in /usr/share/common-licenses/Apache-2.0.
Comment: The package holds Node.js, the engine of ClickHouse (chDB) and the npm packages that
 fms-collector.cdx.json lists with their licences.
`;
