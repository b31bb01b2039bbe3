/** Authorities and servers' certificates for tests, in files of the test's folder. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Authority } from '../../collector/trust/authority.ts';
import { newServerKey, openAuthority } from '../../collector/trust/authority.ts';
import { AuthorityFiles } from '../../collector/trust/authority_files.ts';
import type { ServerCertificate } from '../../collector/trust/server_identity.ts';

/** Made in `folder`/ca unless it is there. */
export async function testAuthority(folder: string): Promise<Authority> {
  mkdirSync(folder, { recursive: true });
  const files = new AuthorityFiles(folder);
  const authority = await openAuthority({
    given: undefined,
    files,
    clock: { wallMs: () => Date.now() },
  });
  files.showAuthority(authority.authoritiesPem);
  return authority;
}

export async function serverCertificate(
  authority: Authority,
  names: readonly string[],
): Promise<ServerCertificate> {
  const { keyPem, publicKey } = await newServerKey();
  const issued = await authority.issueServer(names, publicKey);
  const certPem = `${issued.pem}${authority.authoritiesPem}`;
  return { certPem, keyPem, notAfterMs: issued.notAfterMs };
}

/** As `server.crt` and `server.key`. */
export function writePair(
  folder: string,
  { certPem, keyPem }: ServerCertificate,
): { certFile: string; keyFile: string } {
  const files = { certFile: join(folder, 'server.crt'), keyFile: join(folder, 'server.key') };
  writeFileSync(files.certFile, certPem);
  writeFileSync(files.keyFile, keyPem);
  return files;
}
