/**
 * Certificates of a fleet, come by as real gateways come by theirs: each makes a key of its own, shows its
 * one-time token, and keeps what it is answered. For thousands of them, in one file.
 */

import type { KeyObject } from 'node:crypto';
import { generateKeyPair, sign, X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { DetailedPeerCertificate } from 'node:tls';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import type { CertificateAnswer, EnrolAsk } from '../proto/enrolment.ts';
import {
  ENROLMENT_BYTES_MAX,
  ENROLMENT_PATHS,
  fingerprintOf,
  parseToken,
  proofText,
} from '../proto/enrolment.ts';
import type { GatewayId } from '../proto/topics.ts';
import { gatewayKey } from '../proto/topics.ts';
import { SimError } from './errors.ts';

/** What gateways show, by `site/gateway`, and whom they trust. PEM texts; also the content of the file. */
export interface FleetIdentities {
  authorities: string;
  gateways: Record<string, { cert: string; key: string }>;
}

/** Questions under way: the collector answers one a connection, and bounds these. */
const IN_PARALLEL = 32;
const TIMEOUT_MS = 60_000;

/** `url`: mqtts://. Rejects with SIM_ENROLMENT_REFUSED at the first that is refused. */
export async function enrolFleet(
  url: string,
  gateways: readonly GatewayId[],
  tokenOf: (gateway: GatewayId) => string,
): Promise<FleetIdentities> {
  const [first] = gateways;
  if (first === undefined) return { authorities: '', gateways: {} };
  const { caFingerprint } = tokenIn(tokenOf(first), first);
  const authorities = await authorityAt(url, caFingerprint);
  const identities: FleetIdentities = { authorities, gateways: {} };
  const waiting = gateways.values();
  const work = async (): Promise<void> => {
    for (const gateway of waiting) {
      const identity = await enrol(url, gateway, tokenOf(gateway), authorities);
      identities.gateways[gatewayKey(gateway)] = identity;
    }
  };
  await Promise.all(Array.from({ length: IN_PARALLEL }, work));
  return identities;
}

/** Throws SIM_OPTION_INVALID for anything but the content of such a file. */
export function toIdentities(content: unknown, file: string): FleetIdentities {
  const { authorities, gateways } = (content ?? {}) as Partial<FleetIdentities>;
  if (typeof authorities === 'string' && typeof gateways === 'object' && gateways !== null)
    return { authorities, gateways };
  throw new SimError('SIM_OPTION_INVALID', `${file} does not hold a fleet's certificates`);
}

function tokenIn(text: string, gateway: GatewayId): { secret: string; caFingerprint: string } {
  const token = parseToken(text);
  if (token !== undefined) return token;
  throw new SimError('SIM_OPTION_INVALID', `no one-time token for ${gatewayKey(gateway)}`);
}

/** PEM of the authority of this fingerprint, which the collector has to show with its own certificate. */
async function authorityAt(url: string, fingerprint: string): Promise<string> {
  const { hostname: host, port } = new URL(url);
  const done = Promise.withResolvers<string>();
  const options = { host, port: Number(port || 8883), ALPNProtocols: ['http/1.1'] };
  // Not judged yet: only the authority is looked for, and by it all that follows is judged.
  const socket = connect({ ...options, rejectUnauthorized: false }, () => {
    let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
    while (certificate?.raw !== undefined) {
      const one = new X509Certificate(certificate.raw);
      if (fingerprintOf(one) === fingerprint) done.resolve(one.toString());
      const above: DetailedPeerCertificate = certificate.issuerCertificate;
      certificate = above === certificate ? undefined : above;
    }
    done.reject(new SimError('SIM_ENROLMENT_REFUSED', `${url} is not the collector of the tokens`));
  });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
  socket.once('error', done.reject);
  try {
    return await done.promise;
  } finally {
    socket.destroy();
  }
}

async function enrol(
  url: string,
  gateway: GatewayId,
  text: string,
  ca: string,
): Promise<{ cert: string; key: string }> {
  const { secret, caFingerprint } = tokenIn(text, gateway);
  const { privateKey, publicKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  const ask: EnrolAsk = {
    secret,
    public_key: pemOf(publicKey, 'spki'),
    proof: sign(
      'sha256',
      Buffer.from(proofText('enrol', secret, caFingerprint)),
      privateKey,
    ).toString('base64url'),
    version: 'fleet',
  };
  const { status, body } = await post(new URL(ENROLMENT_PATHS.enrol, httpsOf(url)), ask, ca);
  if (status !== 201)
    throw new SimError('SIM_ENROLMENT_REFUSED', `${gatewayKey(gateway)}: ${status} ${body}`);
  const { certificate } = JSON.parse(body) as CertificateAnswer;
  return { cert: certificate, key: pemOf(privateKey, 'pkcs8') };
}

function httpsOf(url: string): string {
  const { host, port } = new URL(url);
  return `https://${host}${port === '' ? ':8883' : ''}`;
}

function pemOf(key: KeyObject, type: 'spki' | 'pkcs8'): string {
  return key.export({ type, format: 'pem' } as never).toString();
}

async function post(
  url: URL,
  content: object,
  ca: string,
): Promise<{ status: number; body: string }> {
  const done = Promise.withResolvers<IncomingMessage>();
  const asking = request(url, {
    method: 'POST',
    ca,
    // Without the protocol the port takes it for MQTT.
    agent: new Agent({ keepAlive: false, ALPNProtocols: ['http/1.1'] }),
    timeout: TIMEOUT_MS,
    headers: { 'content-type': 'application/json' },
  });
  asking.on('response', done.resolve).on('error', done.reject);
  asking.on('timeout', () => asking.destroy(new Error(`${url}: no answer`)));
  asking.end(JSON.stringify(content));
  const response = await done.promise;
  let body = '';
  for await (const part of response.setEncoding('utf8') as AsyncIterable<string>) {
    body += part;
    if (body.length > ENROLMENT_BYTES_MAX) throw new Error(`${url}: the answer is too long`);
  }
  return { status: response.statusCode ?? 0, body };
}
