/**
 * The other processes of the same log that have pages and an API. What only one of them can answer is
 * asked there; what they ask each other carries the asked one's secret, which only members of the log know,
 * and is answered from what the asked one has itself.
 */

import type { FastifyReply, FastifyRequest } from 'fastify';
import { CollectorError } from '../errors.ts';
import type { SecureInit, Trust } from '../secure_fetch.ts';
import { secureFetch } from '../secure_fetch.ts';
import type { Logger } from '../types.ts';

export const MEMBER_HEADER = 'fms-member';

export interface Peer {
  /** http://host:port or https://host:port */
  address: string;
  secret: string;
  /** What it may show at https. */
  trust?: Trust;
}

export interface Peers {
  /** The one that runs the jobs; undefined: this process, or none. */
  leader(): Peer | undefined;
  others(): readonly Peer[];
  /** It is the secret of a member of the log. */
  isMember(secret: string): boolean;
}

/** The only process of its log. */
export const noPeers: Peers = {
  leader: () => undefined,
  others: () => [],
  isMember: () => false,
};

const ASK_TIMEOUT_MS = 10_000;

/** Asked by another process of the log, on behalf of somebody. */
export function isFromMember(request: FastifyRequest, peers: Peers): boolean {
  const secret = request.headers[MEMBER_HEADER];
  return typeof secret === 'string' && peers.isMember(secret);
}

/** Rejects with COLLECTOR_UNREACHABLE or COLLECTOR_NOT_TRUSTED. */
export async function askPeer(peer: Peer, path: string, init: SecureInit = {}): Promise<Response> {
  try {
    const headers = { 'content-type': 'application/json', [MEMBER_HEADER]: peer.secret };
    return await secureFetch(new URL(path, peer.address), { ...init, headers }, peer.trust);
  } catch (error) {
    if (error instanceof CollectorError) throw error;
    const { cause, message } = error as { cause?: { code?: string }; message?: string };
    const detail = `${peer.address}: ${cause?.code ?? message ?? String(error)}`;
    throw new CollectorError('COLLECTOR_UNREACHABLE', detail, { cause: error });
  }
}

/** The answer to a short question; undefined when the peer has none, or does not answer, which is logged. */
export async function textFromPeer(
  peer: Peer,
  path: string,
  logger: Logger,
): Promise<{ text: string; headers: Headers } | undefined> {
  try {
    const signal = AbortSignal.timeout(ASK_TIMEOUT_MS);
    const response = await askPeer(peer, path, { signal });
    if (!response.ok) return undefined;
    return { text: await response.text(), headers: response.headers };
  } catch (error) {
    logger.warn({ address: peer.address }, `another process does not answer: ${String(error)}`);
    return undefined;
  }
}

/** The same, of JSON. */
export async function jsonFromPeer<T>(
  peer: Peer,
  path: string,
  logger: Logger,
): Promise<T | undefined> {
  const answer = await textFromPeer(peer, path, logger);
  return answer === undefined ? undefined : (JSON.parse(answer.text) as T);
}

/** Passes the request on, and its answer back as it comes. */
export async function passOn(
  peer: Peer,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const asked = new AbortController();
  reply.raw.once('close', () => asked.abort());
  const { method, url } = request;
  const body = request.body === undefined ? null : JSON.stringify(request.body);
  const response = await askPeer(peer, url, { method, body, signal: asked.signal });
  reply.hijack();
  const { raw } = reply;
  for (const [header, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) raw.setHeader(header, value);
  const type = response.headers.get('content-type') ?? 'application/json; charset=utf-8';
  raw.writeHead(response.status, { 'content-type': type, 'cache-control': 'no-store' });
  try {
    for await (const piece of response.body ?? []) raw.write(piece);
  } catch {
    // One of the two connections broke: the caller sees that no end came.
    raw.destroy();
    return;
  }
  raw.end();
}
