/** A software bill of materials: CycloneDX 1.6 in JSON, of what a package really holds. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PackagingError } from './options.ts';

const ROOT = join(import.meta.dirname, '..');

interface LockedPackage {
  version: string;
  integrity?: string;
  license?: string;
}

interface Manifest {
  name: string;
  version: string;
  license?: string;
}

export interface BillOptions {
  /** The program: fms-agent, fms-collector. */
  name: string;
  version: string;
  /** Folders of npm packages, from the root of the repository: node_modules/yaml. */
  packageFolders: readonly string[];
  nodeVersion: string;
  epochSeconds: number;
}

/** The same text for the same input: its serial number is made of its content. */
export function billOfMaterials(options: BillOptions): string {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const components = [
    nodeComponent(options.nodeVersion),
    ...[...new Set(options.packageFolders)]
      .sort()
      .map((folder) => npmComponent(folder, lock.packages[folder])),
  ];
  const bill = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: new Date(options.epochSeconds * 1000).toISOString(),
      component: {
        type: 'application',
        'bom-ref': `${options.name}@${options.version}`,
        name: options.name,
        version: options.version,
        licenses: [{ license: { id: 'Apache-2.0' } }],
      },
    },
    components,
    dependencies: [
      {
        ref: `${options.name}@${options.version}`,
        dependsOn: components.map((component) => component['bom-ref']),
      },
    ],
  };
  const hex = createHash('sha256').update(JSON.stringify(bill)).digest('hex');
  // A UUID of version 8: made of whatever its maker likes.
  const uuid = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
  const { bomFormat, specVersion, ...rest } = bill;
  const whole = { bomFormat, specVersion, serialNumber: `urn:uuid:${uuid}`, ...rest };
  return `${JSON.stringify(whole, undefined, 2)}\n`;
}

function nodeComponent(version: string) {
  const purl = `pkg:generic/node@${version}`;
  return {
    type: 'platform',
    'bom-ref': purl,
    name: 'node',
    version,
    purl,
    licenses: [{ license: { id: 'MIT' } }],
  };
}

function npmComponent(folder: string, locked: LockedPackage | undefined) {
  const manifest = manifestOf(folder, locked);
  const purl = `pkg:npm/${manifest.name.replace('@', '%40')}@${manifest.version}`;
  const [algorithm, base64] = (locked?.integrity ?? '').split('-', 2);
  return {
    type: 'library',
    'bom-ref': purl,
    name: manifest.name,
    version: manifest.version,
    purl,
    ...(manifest.license === undefined ? {} : { licenses: licenseOf(manifest.license) }),
    ...(algorithm === 'sha512' && base64 !== undefined
      ? { hashes: [{ alg: 'SHA-512', content: Buffer.from(base64, 'base64').toString('hex') }] }
      : {}),
  };
}

/** Packages for another machine are not in this checkout: of those package-lock.json says what there is to say. */
function manifestOf(folder: string, locked: LockedPackage | undefined): Manifest {
  const path = join(ROOT, folder, 'package.json');
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
  if (locked === undefined) throw new PackagingError(`package-lock.json does not know ${folder}`);
  const { version, license } = locked;
  return license === undefined ? { name, version } : { name, version, license };
}

/** `(MIT OR Apache-2.0)` is an expression, `MIT` an id. */
function licenseOf(text: string) {
  return /[ ()]/.test(text) ? [{ expression: text }] : [{ license: { id: text } }];
}
