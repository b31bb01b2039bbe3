/**
 * TLS to the collector: version, the gateway's own certificate, and whether the other side is the
 * collector. Nothing that is written leaves before that is clear.
 */

import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { fingerprintOf, formatFingerprint } from '../../proto/enrolment.ts';
import { AgentError } from '../errors.ts';
import type { Log } from '../log.ts';
import { certificatesOf, hasName, isForServers, namesOf, pathTo } from './verify.ts';

/** What a gateway shows, in PEM. */
export interface OwnCertificate {
  cert: string;
  key: string;
}

/** By what the collector is known. */
export type Trust =
  /** PEM of its authorities. */
  | { ca: string }
  /** The system's authorities. */
  | { system: true }
  /** Fingerprint of an authority that it has to show. */
  | { fingerprint: string };

export interface TlsOptions {
  host: string;
  port: number;
  trust: Trust;
  own?: OwnCertificate | undefined;
  /** `http/1.1` for the endpoint of enrolment; left out: MQTT. */
  protocol?: 'http/1.1';
  /** All is right but the time: the certificate's, or this machine's. The connection goes on. */
  onWrongTime?: (detail: string) => void;
}

/**
 * Begins to connect. The socket emits `trusted` (no arguments) when the other side is the collector, and
 * only then begins to send what was written to it; else it is destroyed with a coded error. Its deadline
 * is the caller's.
 */
export function connectTls(options: TlsOptions): TLSSocket {
  const { host, port, trust, own, protocol } = options;
  const socket = process.getBuiltinModule('node:tls').connect({
    host,
    port,
    minVersion: 'TLSv1.2',
    // Judged below, where the time can be told from the rest.
    rejectUnauthorized: false,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    // A plant's issuing authority is trusted without the root above it.
    ...('ca' in trust ? { ca: trust.ca, allowPartialTrustChain: true } : {}),
    ...own,
    ...(protocol === undefined ? {} : { ALPNProtocols: [protocol] }),
  });
  socket.setNoDelay(true);
  socket.cork();
  socket.once('secureConnect', () => {
    const fault = faultOf(socket, options);
    if (fault !== undefined) {
      socket.destroy(fault);
      return;
    }
    socket.emit('trusted');
    socket.uncork();
  });
  return socket;
}

/** Why the other side is not to be spoken to; undefined: it is the collector. */
function faultOf(socket: TLSSocket, options: TlsOptions): AgentError | undefined {
  const { trust, host } = options;
  const presented = presentedBy(socket);
  const [leaf] = presented;
  if (leaf === undefined) {
    return new AgentError('AGENT_COLLECTOR_UNKNOWN', `${host} shows no certificate`);
  }
  if ('fingerprint' in trust) return faultOfStranger(presented, leaf, trust.fingerprint, host);
  const code = codeOf(socket.authorizationError);
  if (code === undefined) return undefined;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return wrongName(leaf, host);
  if (isOfTime(code) && 'ca' in trust) {
    const fault = faultButTime(certificatesOf(trust.ca), presented, leaf, host);
    if (fault !== undefined) return fault;
    options.onWrongTime?.(`valid from ${leaf.validFrom} to ${leaf.validTo}`);
    return undefined;
  }
  const detail = isOfTime(code)
    ? `the certificate of ${host} is valid from ${leaf.validFrom} to ${leaf.validTo}`
    : `${host} shows a certificate of ${issuerOf(leaf)} (${code}); ${authorityOf(presented)}`;
  return new AgentError('AGENT_COLLECTOR_UNKNOWN', detail);
}

/** TLS names one fault only: that the time is wrong must not hide that something else is. */
function faultButTime(
  anchors: readonly X509Certificate[],
  presented: readonly X509Certificate[],
  leaf: X509Certificate,
  host: string,
): AgentError | undefined {
  if (pathTo(anchors, presented) === undefined) {
    const detail = `${host} shows a certificate of ${issuerOf(leaf)}; ${authorityOf(presented)}`;
    return new AgentError('AGENT_COLLECTOR_UNKNOWN', detail);
  }
  if (!isForServers(leaf)) {
    const detail = `${host} shows a certificate that is not for servers`;
    return new AgentError('AGENT_COLLECTOR_UNKNOWN', detail);
  }
  return hasName(leaf, host) ? undefined : wrongName(leaf, host);
}

function faultOfStranger(
  presented: readonly X509Certificate[],
  leaf: X509Certificate,
  fingerprint: string,
  host: string,
): AgentError | undefined {
  const anchor = presented.find((certificate) => fingerprintOf(certificate) === fingerprint);
  if (anchor === undefined) {
    const detail = `expected the authority ${formatFingerprint(fingerprint)}; ${authorityOf(presented)}`;
    return new AgentError('AGENT_ENROL_STRANGER', detail);
  }
  return faultButTime([anchor], presented, leaf, host);
}

function wrongName(leaf: X509Certificate, host: string): AgentError {
  return new AgentError('AGENT_COLLECTOR_NAME', `it is not for ${host} but for ${namesOf(leaf)}`);
}

function isOfTime(code: string): boolean {
  return code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID';
}

/** Node gives the code itself, or an error that has it; undefined: nothing is wrong. */
function codeOf(error: unknown): string | undefined {
  if (error == null) return undefined;
  const { code, message } = error as { code?: unknown; message?: unknown };
  return String(code ?? message ?? error);
}

/** What TlsOptions.onWrongTime is for: a word in the log, once. */
export function wrongTimeTeller(log: Log): (detail: string) => void {
  let isSaid = false;
  return (detail) => {
    if (isSaid) return;
    isSaid = true;
    const fields = { certificate: detail, machine_ms: Date.now() };
    log.warn("the collector's certificate is not valid at this machine's time", fields);
  };
}

/** What the other side showed, its own first. */
export function presentedBy(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: Partial<PeerCertificate> & { issuerCertificate?: PeerCertificate } =
    socket.getPeerCertificate(true) ?? {};
  while (next.raw !== undefined && chain.length < 16) {
    const certificate = new X509Certificate(next.raw);
    chain.push(certificate);
    if (next.issuerCertificate === undefined || next.issuerCertificate === next) break;
    next = next.issuerCertificate;
  }
  return chain;
}

function issuerOf(leaf: X509Certificate): string {
  return JSON.stringify(leaf.issuer.replaceAll('\n', ', '));
}

function authorityOf(presented: readonly X509Certificate[]): string {
  const last = presented.at(-1);
  if (last === undefined || !last.ca) return 'it shows no authority';
  return `it shows the authority ${formatFingerprint(fingerprintOf(last))}`;
}

/**
 * What a failed connection means where TLS is to blame; undefined: something else is. The other side's
 * own words (alerts) are believed: they decide over nothing but the message.
 */
export function errorOfTls(error: Error): AgentError | undefined {
  if (error instanceof AgentError) return error;
  const code = String((error as { code?: unknown }).code);
  const coded = (as: AgentError['code'], detail: string): AgentError =>
    new AgentError(as, detail, { cause: error });
  if (/ALERT_CERTIFICATE_REVOKED/.test(code)) {
    return coded('AGENT_CERTIFICATE_REVOKED', 'the collector says so');
  }
  if (/ALERT_CERTIFICATE_EXPIRED/.test(code)) {
    return coded('AGENT_CERTIFICATE_EXPIRED', 'the collector says so');
  }
  if (
    /ALERT_(BAD|UNSUPPORTED|UNKNOWN)_C|CERTIFICATE_(UNKNOWN|REQUIRED)|ALERT_ACCESS_DENIED|ALERT_UNKNOWN_CA/.test(
      code,
    )
  ) {
    return coded('AGENT_CERTIFICATE_REFUSED', code);
  }
  return /^ERR_SSL|^EPROTO/.test(code) ? coded('AGENT_TLS_FAILED', code) : undefined;
}
