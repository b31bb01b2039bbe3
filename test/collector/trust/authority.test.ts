/** The authority and what it issues: made once, kept, the plant's, and what is wrong with one. */

import 'reflect-metadata';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import type { Test } from 'tap';
import t from 'tap';
import { DAY_MS, openAuthority } from '../../../collector/trust/authority.ts';
import { AuthorityFiles } from '../../../collector/trust/authority_files.ts';
import { IssuedIdentity } from '../../../collector/trust/issued_identity.ts';
import { gatewayKeyIn, pairOf } from '../../../collector/trust/pem.ts';
import { shownAuthority, withAuthorities } from '../../../collector/trust/shown_authority.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { makeKey } from '../../support/trust.ts';

const NOW = Date.UTC(2026, 10, 28);
/** A server's certificate of an authority that nobody knows, without that authority. */
const FOREIGN = await foreign();

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'fms-ca-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function openIn(folder: string, nowMs = NOW) {
  const files = new AuthorityFiles(folder);
  const clock = { nowMs, wallMs: () => clock.nowMs };
  return { files, clock, authority: await openAuthority({ given: undefined, files, clock }) };
}

function publicKey(pem = makeKey().publicKeyPem) {
  const key = gatewayKeyIn(pem);
  if (key === undefined) throw new Error('no key');
  return key;
}

t.test('made at the first start, for its user alone, and the same from then on', async (t) => {
  const folder = folderOf(t);
  const { authority, files } = await openIn(folder);
  t.ok(authority.own);
  t.ok(authority.certificate.ca);
  t.ok(authority.certificate.verify(authority.certificate.publicKey));
  t.equal(statSync(files.folder).mode & 0o777, 0o700);
  t.equal(statSync(join(files.folder, 'authority.key')).mode & 0o777, 0o600);
  const again = await openIn(folder);
  t.equal(again.authority.fingerprint, authority.fingerprint);
  const both = await Promise.all([openIn(`${folder}/x`), openIn(`${folder}/x`)]);
  t.equal(
    both[0].authority.fingerprint,
    both[1].authority.fingerprint,
    'of two starts one is first',
  );
});

t.test('what cannot be read is never made anew', async (t) => {
  const folder = folderOf(t);
  const { files } = await openIn(folder);
  writeFileSync(join(files.folder, 'authority.key'), 'damaged');
  await t.rejects(openIn(folder), { code: 'TRUST_AUTHORITY_INVALID' });
  if (process.getuid?.() === 0) return;
  chmodSync(join(files.folder, 'authority.key'), 0);
  await t.rejects(openIn(folder), { code: 'TRUST_AUTHORITY_INVALID' });
});

t.test(
  'certificates of gateways are for clients, and outlast neither days nor authority',
  async (t) => {
    const { authority, clock } = await openIn(folderOf(t));
    const names = `s/${'가'.repeat(20)}`;
    const issued = await authority.issueGateway(names, publicKey(), 90);
    const certificate = new X509Certificate(issued.pem);
    t.ok(certificate.checkIssued(authority.certificate));
    t.ok(certificate.verify(authority.certificate.publicKey));
    t.same(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2']);
    t.notOk(certificate.ca);
    t.equal(certificate.subject, `CN=${names}`);
    t.equal(issued.notAfterMs, NOW + 90 * DAY_MS);
    t.equal(issued.notBeforeMs, NOW - 3_600_000);
    clock.nowMs = authority.notAfterMs - 10 * DAY_MS;
    const last = await authority.issueGateway('s/g', publicKey(), 90);
    t.equal(last.notAfterMs, authority.notAfterMs);
    clock.nowMs = authority.notAfterMs;
    await t.rejects(authority.issueGateway('s/g', publicKey(), 90), {
      code: 'TRUST_AUTHORITY_INVALID',
    });
  },
);

t.test('keys that are none for a gateway', async (t) => {
  const export_ = { type: 'spki', format: 'pem' } as const;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const ed = generateKeyPairSync('ed25519');
  for (const { publicKey } of [rsa, p384, ed])
    t.equal(gatewayKeyIn(publicKey.export(export_).toString()), undefined);
  t.equal(
    gatewayKeyIn(makeKey().keyPem),
    undefined,
    'a private key is not taken for its public one',
  );
  t.equal(gatewayKeyIn(''), undefined);
});

t.test("the plant's authority may have an RSA key, or another curve", async (t) => {
  const clock = { wallMs: () => NOW };
  const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const ec = { name: 'ECDSA', hash: 'SHA-384' };
  const modulus = { modulusLength: 2_048, publicExponent: new Uint8Array([1, 0, 1]) };
  for (const algorithm of [
    { ...rsa, ...modulus },
    { ...ec, namedCurve: 'P-384' },
  ]) {
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const made = await x509.X509CertificateGenerator.createSelfSigned({
      name: [{ CN: ['플랜트 CA, "2"'] }],
      keys,
      signingAlgorithm: { name: algorithm.name, hash: algorithm.hash },
      notBefore: new Date(NOW - DAY_MS),
      notAfter: new Date(NOW + DAY_MS),
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    });
    const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
    const given = {
      cert: made.toString('pem'),
      key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    };
    const files = new AuthorityFiles(folderOf(t));
    const authority = await openAuthority({ given, files, clock });
    const { pem } = await authority.issueGateway('s/g', publicKey(), 90);
    const certificate = new X509Certificate(pem);
    t.ok(certificate.checkIssued(authority.certificate), algorithm.name);
    t.ok(certificate.verify(authority.certificate.publicKey), algorithm.name);
  }
});

t.test("the plant's authority: its files, and those above it", async (t) => {
  const folder = folderOf(t);
  const { authority: root } = await openIn(folder);
  const kept = new AuthorityFiles(folder).authority();
  const files = new AuthorityFiles(`${folder}/other`);
  const clock = { wallMs: () => NOW };
  if (kept === undefined) return;
  const given = await openAuthority({ given: kept, files, clock });
  t.notOk(given.own);
  t.equal(given.fingerprint, root.fingerprint);
  t.equal(files.authority(), undefined, 'no own one is made beside it');
  const { pem } = await root.issueGateway('s/g', publicKey(), 1);
  t.match(pairOf(pem, kept.key), /belongs to none/);
  t.match(pairOf(kept.cert, ''), /cannot be read/);
  t.match(pairOf('', kept.key), /no certificate/);
  const sealed = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  });
  t.match(pairOf(kept.cert, sealed.toString()), /passphrase/);
  const leaf = await root.issueServer(['x.example'], publicKey());
  t.throws(() => shownAuthority(given, shownOf(FOREIGN)), /up to the root/);
  t.equal(shownAuthority(given, shownOf(leaf.pem)).fingerprint, root.fingerprint);
  const whole = withAuthorities(given, shownOf(leaf.pem)).certPem;
  t.equal(whole.match(/BEGIN/g)?.length, 2, 'the authority goes with it');
});

function shownOf(certPem: string) {
  return { certPem, keyPem: '', notAfterMs: 0 };
}

t.test("the server's certificate: kept, and issued anew for other names or in time", async (t) => {
  const { authority, files, clock } = await openIn(folderOf(t));
  const options = { authority, files, clock, logger: silentLogger };
  const open = async (names: string[]) => {
    const opened = await IssuedIdentity.open({ ...options, names });
    t.teardown(() => opened.close());
    return opened;
  };
  const first = await open(['a.example', '192.0.2.1']);
  const leaf = new X509Certificate(first.identity.current.certPem);
  t.equal(leaf.subjectAltName, 'DNS:a.example, IP Address:192.0.2.1');
  t.same(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  const same = await open(['192.0.2.1', 'a.example']);
  t.equal(same.identity.current.certPem, first.identity.current.certPem);
  const other = await open(['b.example', '*.c.example', '2001:db8::1']);
  t.not(other.identity.current.certPem, first.identity.current.certPem);
  const told: number[] = [];
  other.identity.onChange(({ notAfterMs }) => told.push(notAfterMs));
  await other.renew();
  t.same(told, []);
  clock.nowMs += 300 * DAY_MS;
  await other.renew();
  t.same(told, [clock.nowMs + 397 * DAY_MS]);
});

async function foreign(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'fms-ca-'));
  try {
    const { authority } = await openIn(folder);
    return (await authority.issueServer(['x.example'], publicKey())).pem;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
