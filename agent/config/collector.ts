/**
 * Who the gateway is and where it delivers to: what the files say of site, gateway and collector, and
 * what it learned when it was enrolled (data_dir/identity). The two must not contradict.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { gatewayKey } from '../../proto/topics.ts';
import type { Enrolment } from '../identity/files.ts';
import type { Speaker } from '../words/say.ts';
import type { AgentConfig, Data } from './values.ts';
import { asBlock } from './values.ts';
import type { ConfigPath } from './yaml.ts';

/** Where a mistake is put, and files that the configuration names. */
export interface CollectorReading {
  add: (path: ConfigPath, at: 'key' | 'value', message: string) => void;
  /** Text of the file that stands at the path; undefined: that was a mistake, and was added. */
  readFile: (path: ConfigPath, name: string) => string | undefined;
  speaker: Speaker;
  /** The value at this dotted path came from the environment. */
  isFromEnvironment: (path: string) => boolean;
}

/** What of the collector's section may not stand beside an enrolment. */
const ENROLLED_INSTEAD = ['token', 'token_file', 'ca_file', 'cert_file', 'key_file'];

/** Mistakes of files beside an enrolment; fills in what they leave out (`data` is changed). */
export function takeEnrolment(
  data: Data,
  enrolment: Enrolment,
  { add, speaker: { say } }: Pick<CollectorReading, 'add' | 'speaker'>,
): void {
  const name = gatewayKey(enrolment);
  for (const key of ['site', 'gateway'] as const) {
    data[key] ??= enrolment[key];
    if (data[key] === enrolment[key]) continue;
    const message = say(
      '"{key}" is not needed: this gateway is enrolled as {name}; remove this line, or enrol anew',
      { key, name },
    );
    add([key], 'value', message);
  }
  data.collector ??= {};
  const collector = asBlock(data.collector);
  if (collector === undefined) return;
  collector.url ??= enrolment.url;
  for (const key of ENROLLED_INSTEAD) {
    if (collector[key] === undefined) continue;
    const message = say(
      '"{key}" is not needed: this gateway is enrolled as {name}, and shows the certificate that it got then; remove this line',
      { key: `collector.${key}`, name },
    );
    add(['collector', key], 'key', message);
  }
  if (typeof collector.url === 'string' && collector.url.startsWith('mqtt://')) {
    const message = say(
      '"{key}" is not needed: this gateway is enrolled as {name}, and connects with TLS only; remove this line, or begin it with mqtts://',
      { key: 'collector.url', name },
    );
    add(['collector', 'url'], 'value', message);
  }
}

/** Undefined: the section is missing. After mistakes the answer is of no use. */
export function readCollector(
  data: Data | undefined,
  enrolment: Enrolment | undefined,
  reading: CollectorReading,
): AgentConfig['collector'] | undefined {
  if (data === undefined) return undefined;
  const { url } = data;
  const { say } = reading.speaker;
  if (url === undefined)
    reading.add(['collector'], 'key', say('"{key}" is missing', { key: 'url' }));
  const fault = typeof url === 'string' && url !== '' ? urlFault(url, reading.speaker) : undefined;
  if (fault !== undefined) reading.add(['collector', 'url'], 'value', fault);
  if (enrolment !== undefined) {
    return { url: String(url), token: undefined, ca: undefined, isEnrolled: true };
  }
  const file = (key: string): string | undefined => {
    const name = data[key];
    return typeof name === 'string' && name !== ''
      ? reading.readFile(['collector', key], name)
      : undefined;
  };
  const token = readToken(data, file, reading);
  const own = readOwn(data, file, reading);
  const ca = file('ca_file');
  return { url: String(url), token, ca, ...(own === undefined ? {} : { own }) };
}

function readToken(
  data: Data,
  file: (key: string) => string | undefined,
  { add, speaker: { say }, isFromEnvironment }: CollectorReading,
): string | undefined {
  const { token, token_file: tokenFile } = data;
  const hasCertificate = data.cert_file !== undefined || data.key_file !== undefined;
  if (token !== undefined && tokenFile !== undefined && !isFromEnvironment('collector.token')) {
    add(['collector', 'token_file'], 'key', say('give "token" or "token_file", not both'));
  } else if (token === undefined && tokenFile === undefined && !hasCertificate) {
    add(['collector'], 'key', say('"collector" needs "token" or "token_file"'));
  }
  return token === undefined ? file('token_file')?.trim() : String(token);
}

/** A certificate from elsewhere. */
function readOwn(
  data: Data,
  file: (key: string) => string | undefined,
  { add, speaker: { say } }: CollectorReading,
): AgentConfig['collector']['own'] {
  const { cert_file: certFile, key_file: keyFile, url } = data;
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    const [given, missing] =
      certFile === undefined ? ['key_file', 'cert_file'] : ['cert_file', 'key_file'];
    const message = say('"{given}" needs "{missing}" beside it', {
      given: `collector.${given}`,
      missing,
    });
    add(['collector', given], 'key', message);
    return undefined;
  }
  if (typeof url === 'string' && url.startsWith('mqtt://')) {
    add(['collector', 'cert_file'], 'key', say('a certificate is shown with TLS only: mqtts://'));
  }
  const cert = file('cert_file');
  const key = file('key_file');
  if (cert === undefined || key === undefined) return undefined;
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key };
    const message = say('the key is not that of {file}', { file: String(certFile) });
    add(['collector', 'key_file'], 'value', message);
  } catch {
    // The words of OpenSSL would not help: they never name the file.
    const message = say(
      'cert_file and key_file must be a certificate and its key (without a password), as PEM',
    );
    add(['collector', 'cert_file'], 'value', message);
  }
  return undefined;
}

function urlFault(text: string, { say }: Speaker): string | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return say('"collector.url" must be a URL like mqtt://host:1883');
  }
  if (url.protocol !== 'mqtt:' && url.protocol !== 'mqtts:') {
    return say('"collector.url" must begin with mqtt:// or mqtts://, not {scheme}//', {
      scheme: url.protocol,
    });
  }
  if (url.hostname === '') return say('"collector.url" names no host');
  if (url.username !== '' || url.password !== '') {
    return say('"collector.url" must not hold a user or password; the token goes into "token"');
  }
  const rest = url.pathname.replace('/', '') + url.search + url.hash;
  if (rest === '') return undefined;
  return say('"collector.url" must end after the port, not with {rest}', {
    rest: JSON.stringify(rest),
  });
}
