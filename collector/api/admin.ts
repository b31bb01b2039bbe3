/**
 * What changes something (release, backup, jobs) is taken only from this machine until there are users:
 * from a loopback address, not through a proxy, and never from a page of another origin. The content
 * type application/json is what a browser does not send across origins without asking first.
 */

import type { FastifyRequest, HTTPMethods } from 'fastify';
import { CollectorError } from '../errors.ts';
import type { Peers } from './peers.ts';
import { isFromMember } from './peers.ts';

const PROXY_HEADERS = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const;
const OWN_ORIGIN = ['same-origin', 'none'];
const WITH_BODY: readonly HTTPMethods[] = ['POST', 'PUT', 'PATCH'];

/**
 * As adminOnly, but one of the processes of the log may ask for somebody of whom it knows that: as an `onRequest`
 * hook.
 */
export function adminOrMember(peers: Peers): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    if (!isFromMember(request, peers)) await adminOnly(request);
  };
}

/**
 * `onRequest` hook of a route that changes something. Rejects with API_NOT_LOCAL (403) or, when the
 * body is not declared as JSON, API_CONTENT_TYPE (415).
 */
export async function adminOnly(request: FastifyRequest): Promise<void> {
  const { headers } = request;
  const address = request.socket.remoteAddress ?? '';
  if (!isLoopback(address))
    throw new CollectorError('API_NOT_LOCAL', `asked from ${address || 'an unknown address'}`);
  const proxy = PROXY_HEADERS.find((name) => headers[name] !== undefined);
  if (proxy !== undefined) throw new CollectorError('API_NOT_LOCAL', `the header ${proxy} is set`);
  const site = headers['sec-fetch-site'];
  if (site !== undefined && !OWN_ORIGIN.includes(String(site)))
    throw new CollectorError('API_NOT_LOCAL', 'asked by a page of another origin');
  if (!WITH_BODY.includes(request.method as HTTPMethods)) return;
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json')
    throw new CollectorError('API_CONTENT_TYPE', `content-type is ${type ?? 'missing'}`);
}

/** 127.0.0.0/8 and ::1, also in the form in which IPv6 sockets show IPv4 peers. */
export function isLoopback(address: string): boolean {
  const plain = address.toLowerCase().replace(/^::ffff:/, '');
  return plain === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain);
}
