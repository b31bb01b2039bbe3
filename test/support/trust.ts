/**
 * Gateways that enrol by program, as fms-agent does: a key, its proof, a certificate. And whatever else a client may
 * send to the TLS port.
 */

import type { KeyObject } from 'node:crypto';
import { createPublicKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { connect } from 'node:tls';
import type { CertificateAnswer, ProofPurpose } from '../../proto/enrolment.ts';
import { ENROLMENT_PATHS, fingerprintOf, parseToken, proofText } from '../../proto/enrolment.ts';
import type { GatewayId } from '../../proto/topics.ts';

export interface GatewayKey {
  /** PKCS #8. */
  keyPem: string;
  publicKeyPem: string;
  fingerprint: string;
}

/** What a gateway has once it is enrolled. PEM texts. */
export interface EnrolledGateway extends GatewayId {
  cert: string;
  key: string;
  /** Of the collector's authorities. */
  ca: string;
  notAfterMs: number;
}

export function makeKey(): GatewayKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return keyOf(privateKey);
}

export function keyOf(privateKey: KeyObject): GatewayKey {
  const publicKey = createPublicKey(privateKey);
  const publicKeyDer = publicKey.export({ type: 'spki', format: 'der' });
  return {
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    fingerprint: fingerprintOf({ publicKeyDer }),
  };
}

export function proofOf(
  key: GatewayKey,
  purpose: ProofPurpose,
  subject: string,
  caFingerprint: string,
): string {
  const text = Buffer.from(proofText(purpose, subject, caFingerprint));
  return sign('sha256', text, key.keyPem).toString('base64url');
}

export interface EndpointAnswer {
  status: number;
  body: Record<string, unknown> & { error?: { code: string; message: string } };
  retryAfter: string | undefined;
}

/** One request to the endpoint. The collector is not verified unless `ca` is given. */
export function askEndpoint(
  port: number,
  path: string,
  options: { body?: unknown; raw?: string; cert?: string; key?: string; ca?: string } = {},
): Promise<EndpointAnswer> {
  const { body, cert, key, ca } = options;
  const text = options.raw ?? (body === undefined ? undefined : JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        path,
        method: text === undefined ? 'GET' : 'POST',
        timeout: 60_000,
        createConnection: () =>
          connect({
            host: '127.0.0.1',
            port,
            ALPNProtocols: ['http/1.1'],
            ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
            ...(cert !== undefined && key !== undefined && { cert, key }),
          }),
        headers: text === undefined ? {} : { 'content-type': 'application/json' },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const said = Buffer.concat(chunks).toString('utf8');
          try {
            resolve({
              status: response.statusCode ?? 0,
              body: JSON.parse(said) as EndpointAnswer['body'],
              retryAfter: response.headers['retry-after'],
            });
          } catch {
            reject(new Error(`no JSON: ${said.slice(0, 200)}`));
          }
        });
      },
    );
    asked.on('timeout', () => asked.destroy(new Error('no answer for a minute')));
    asked.on('error', reject);
    asked.end(text);
  });
}

/** The answer to a token, shown with this key. */
export async function askWithToken(
  port: number,
  token: string,
  key: GatewayKey = makeKey(),
): Promise<EndpointAnswer> {
  const parsed = parseToken(token);
  if (parsed === undefined) throw new Error(`no token: ${token}`);
  const { secret, caFingerprint } = parsed;
  const proof = proofOf(key, 'enrol', secret, caFingerprint);
  const body = { secret, public_key: key.publicKeyPem, proof, version: '0.0.0-test' };
  return await askEndpoint(port, ENROLMENT_PATHS.enrol, { body });
}

/** Rejects when the collector refuses. */
export async function enrolWithToken(
  port: number,
  token: string,
  key: GatewayKey = makeKey(),
): Promise<EnrolledGateway> {
  return enrolledBy(await askWithToken(port, token, key), key);
}

export function enrolledBy({ status, body }: EndpointAnswer, key: GatewayKey): EnrolledGateway {
  if (status !== 201 && status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  const answer = body as unknown as CertificateAnswer;
  return {
    site: answer.site,
    gateway: answer.gateway,
    cert: answer.certificate,
    key: key.keyPem,
    ca: answer.authorities,
    notAfterMs: answer.not_after_ms,
  };
}

export async function askToRenew(
  port: number,
  gateway: EnrolledGateway,
  installId: string,
  key: GatewayKey = makeKey(),
): Promise<EndpointAnswer> {
  const shown = fingerprintOf(new X509Certificate(gateway.cert));
  const proof = proofOf(key, 'renew', shown, fingerprintOf(new X509Certificate(gateway.ca)));
  const body = { public_key: key.publicKeyPem, proof, install_id: installId, version: 'test' };
  const { cert, key: shownKey, ca } = gateway;
  return await askEndpoint(port, ENROLMENT_PATHS.renew, { body, cert, key: shownKey, ca });
}

/** Tokens of the admin API, in the order of `names`; as many names as one likes. `token`: an API token. */
export async function invite(
  base: string,
  names: readonly GatewayId[],
  { validHours = 1, headers = {} }: { validHours?: number; headers?: Record<string, string> } = {},
): Promise<(GatewayId & { token: string })[]> {
  const made: (GatewayId & { token: string })[] = [];
  for (let from = 0; from < names.length; from += 1_000) {
    const gateways = names
      .slice(from, from + 1_000)
      .map(({ site, gateway }) => ({ site, gateway }));
    const response = await fetch(`${base}/api/v1/enrolment/gateways`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ gateways, valid_hours: validHours }),
    });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    made.push(...((await response.json()) as { items: (GatewayId & { token: string })[] }).items);
  }
  return made;
}

/**
 * Gateways with certificates, in the order of `names`: thousands in a test that is not about enrolment. They share
 * one key, which nobody checks, and come eight at a time.
 */
export async function enrolMany(
  base: string,
  port: number,
  names: readonly GatewayId[],
): Promise<EnrolledGateway[]> {
  const invited = await invite(base, names);
  const key = makeKey();
  const enrolled: EnrolledGateway[] = [];
  const next = invited.entries();
  const work = async (): Promise<void> => {
    for (const [i, { token }] of next) enrolled[i] = await enrolWithToken(port, token, key);
  };
  await Promise.all(Array.from({ length: 8 }, work));
  return enrolled;
}
