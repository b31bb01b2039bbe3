/** `npm run package -- agent`: fms-agent for gateways, as a .deb and as a tarball for each architecture. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildDeb } from '../deb.ts';
import { CACHE, nodeVersion } from '../node-binaries.ts';
import type { Architecture, PackageOptions } from '../options.ts';
import { DEBIAN_ARCHITECTURES, debianVersion } from '../options.ts';
import { billOfMaterials } from '../sbom.ts';
import { buildTarball } from '../tarball.ts';
import { buildBinary } from './binary.ts';
import { bundleAgent } from './bundle.ts';
import type { BuiltAgent } from './contents.ts';
import { CONFFILES, debEntries, MAINTAINER, tarballEntries, text } from './contents.ts';

const DESCRIPTION = `FMS gateway agent
 Reads the devices of a factory (HTTP, Modbus TCP, or any program), keeps each
 reading in an encrypted buffer on the disk until the FMS collector has it, and
 delivers it over MQTT with mutual TLS.`;

/** The paths of what it made. Throws a PackagingError. */
export async function packageAgent(options: PackageOptions): Promise<string[]> {
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, 'agent-'));
  const bundled = bundleFolder(options.say);
  try {
    const main = join(bundled, 'fms-agent.cjs');
    const { packageFolders } = await bundleAgent({ path: main, version: options.version });
    const { version, epochSeconds } = options;
    const about = { name: 'fms-agent', version, nodeVersion: nodeVersion(), epochSeconds };
    const bill = billOfMaterials({ ...about, packageFolders });
    const billPath = join(options.out, `fms-agent-${version}.cdx.json`);
    writeFileSync(billPath, bill);
    const files = options.architectures.flatMap((architecture) => {
      options.say(`fms-agent ${version} for linux-${architecture}`);
      const folder = join(work, architecture);
      buildBinary({ main, architecture, folder, say: options.say });
      return pack({ folder, bill }, architecture, work, options);
    });
    return [...files, billPath];
  } finally {
    rmSync(work, { recursive: true, force: true });
    rmSync(bundled, { recursive: true, force: true });
  }
}

/**
 * Where the bundle lies stands in the binary (stacks in the log show it), so it lies at the same place each
 * time: the same sources give the same bytes, wherever the checkout is. When another packaging is at it, or
 * one was killed, anywhere else.
 */
function bundleFolder(say: (line: string) => void): string {
  const usual = '/tmp/fms-agent-package';
  try {
    mkdirSync(usual, { mode: 0o700 });
    return usual;
  } catch {
    say(`${usual} is taken: the bytes of this package will differ from those of others`);
    return mkdtempSync(join(tmpdir(), 'fms-agent-package-'));
  }
}

function pack(
  built: BuiltAgent,
  architecture: Architecture,
  work: string,
  options: PackageOptions,
): string[] {
  const { version, out, quick, epochSeconds } = options;
  const name = `fms-agent-${version}-linux-${architecture}`;
  const deb = buildDeb(
    {
      control: control(version, architecture),
      entries: debEntries(built, debianVersion(version), epochSeconds),
      conffiles: CONFFILES,
      scripts: {
        postinst: text('postinst'),
        prerm: text('prerm'),
        postrm: text('postrm'),
      },
    },
    { out, work: join(work, 'deb'), quick, epochSeconds },
  );
  const tarball = buildTarball(tarballEntries(built), {
    path: join(out, `${name}.tar.gz`),
    work: join(work, name),
    quick,
    epochSeconds,
  });
  return [deb, tarball];
}

function control(version: string, architecture: Architecture): Record<string, string> {
  return {
    Package: 'fms-agent',
    Version: debianVersion(version),
    Architecture: DEBIAN_ARCHITECTURES[architecture],
    Maintainer: MAINTAINER,
    Section: 'net',
    Priority: 'optional',
    // What every Debian 12 and Ubuntu 22.04 has, so that dpkg -i needs no network.
    Depends: 'libc6 (>= 2.34), libgcc-s1, libstdc++6 (>= 11), passwd',
    Description: DESCRIPTION,
  };
}
