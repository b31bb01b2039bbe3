/**
 * The identity of an enrolled gateway on its disk, in data_dir/identity: whose it is, the authorities,
 * the certificate and the key. A kill or a power cut at any moment leaves the old identity or the new
 * one whole: the new one is first written as one file (the journal), which counts from its rename on; then
 * the four files, then the journal goes. Whoever reads looks for the journal first.
 */

import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { GatewayId } from '../../proto/topics.ts';
import { isTopicName } from '../../proto/topics.ts';
import { AgentError } from '../errors.ts';

/** Whose identity it is, and with which collector. */
export interface Enrolment extends GatewayId {
  /** mqtts://host:port. */
  url: string;
}

export interface Identity {
  enrolment: Enrolment;
  /** PEM: the authorities of the collector, and nothing else is trusted. */
  ca: string;
  /** PEM: this gateway's certificate. */
  certificate: string;
  /** PEM: its key. */
  key: string;
}

const FOLDER = 'identity';
const ENROLMENT_FILE = 'enrolment.json';
const JOURNAL = 'new.json';
/** A key that a certificate was asked for and not received yet: the same one asks again. */
const ASKING_KEY = 'asking-key.pem';
/** While somebody writes, a reader may find files that do not fit each other; the journal settles it. */
const READ_ATTEMPTS = 5;

/** For tests that end the process at each step. */
export type StepHook = (step: string) => void;

export function identityFolder(dataDir: string): string {
  return join(dataDir, FOLDER);
}

/** Undefined: not enrolled. Throws AGENT_IDENTITY_UNUSABLE. Cheap: no certificate is opened. */
export function readEnrolment(dataDir: string): Enrolment | undefined {
  const folder = identityFolder(dataDir);
  const journal = readJournal(folder);
  if (journal !== undefined) return journal.enrolment;
  const text = read(folder, ENROLMENT_FILE);
  return text === undefined ? undefined : toEnrolment(text, join(folder, ENROLMENT_FILE));
}

/** Undefined: not enrolled. Throws AGENT_IDENTITY_UNUSABLE, also when key and certificate do not fit. */
export function readIdentity(dataDir: string): Identity | undefined {
  const folder = identityFolder(dataDir);
  let fault = '';
  for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
    const identity = readJournal(folder) ?? readFiles(folder);
    if (identity === undefined) return undefined;
    fault = typeof identity === 'string' ? identity : faultOf(identity);
    if (typeof identity !== 'string' && fault === '') return identity;
  }
  throw new AgentError('AGENT_IDENTITY_UNUSABLE', `${folder}: ${fault}`);
}

/**
 * Replaces the identity. Throws AGENT_IDENTITY_UNUSABLE when the disk refuses; then the old one counts,
 * unless the journal was written already.
 */
export function writeIdentity(
  dataDir: string,
  identity: Identity,
  step: StepHook = () => {},
): void {
  const folder = identityFolder(dataDir);
  guarded(folder, () => {
    makeFolder(dataDir);
    writeWhole(folder, JOURNAL, JSON.stringify(identity), step);
    settle(folder, identity, step);
    rmSync(join(folder, ASKING_KEY), { force: true });
  });
}

/** Finishes what a writer that was killed had begun. Throws AGENT_IDENTITY_UNUSABLE. */
export function settleIdentity(dataDir: string): void {
  const folder = identityFolder(dataDir);
  guarded(folder, () => {
    const journal = readJournal(folder);
    if (journal !== undefined) settle(folder, journal, () => {});
  });
}

/** The key that was made for a certificate which did not come yet. */
export function readAskingKey(dataDir: string): string | undefined {
  const key = read(identityFolder(dataDir), ASKING_KEY);
  try {
    if (key !== undefined) createPrivateKey(key);
    return key;
  } catch {
    // Not whole: a new one is made.
    return undefined;
  }
}

/** Keeps it before it is shown to anybody. Throws AGENT_IDENTITY_UNUSABLE. */
export function writeAskingKey(dataDir: string, key: string, step: StepHook = () => {}): void {
  const folder = identityFolder(dataDir);
  guarded(folder, () => {
    makeFolder(dataDir);
    writeWhole(folder, ASKING_KEY, key, step);
  });
}

function settle(folder: string, identity: Identity, step: StepHook): void {
  const { enrolment, ca, certificate, key } = identity;
  writeWhole(folder, 'key.pem', key, step);
  writeWhole(folder, 'gateway.pem', certificate, step);
  writeWhole(folder, 'ca.pem', ca, step);
  writeWhole(folder, ENROLMENT_FILE, `${JSON.stringify(enrolment, undefined, 2)}\n`, step);
  step('remove the journal');
  rmSync(join(folder, JOURNAL), { force: true });
  for (const name of readdirSync(folder)) {
    if (name.endsWith('.part')) rmSync(join(folder, name), { force: true });
  }
  syncFolder(folder);
}

function makeFolder(dataDir: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o750 });
  const folder = identityFolder(dataDir);
  if (mkdirSync(folder, { recursive: true, mode: 0o700 }) !== undefined) syncFolder(dataDir);
}

/** All of it or nothing, on the disk when it returns; for this user alone. */
function writeWhole(folder: string, name: string, text: string, step: StepHook): void {
  const part = join(folder, `${name}.${randomBytes(4).toString('hex')}.part`);
  step(`write ${name}`);
  const file = openSync(part, 'wx', 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  step(`rename ${name}`);
  renameSync(part, join(folder, name));
  syncFolder(folder);
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function readJournal(folder: string): Identity | undefined {
  const text = read(folder, JOURNAL);
  if (text === undefined) return undefined;
  const path = join(folder, JOURNAL);
  const { enrolment, ...pems } = parse(text, path) as Record<string, unknown>;
  const { ca, certificate, key } = pems;
  if (typeof ca !== 'string' || typeof certificate !== 'string' || typeof key !== 'string') {
    throw new AgentError('AGENT_IDENTITY_UNUSABLE', `${path} is not whole`);
  }
  return { enrolment: checkEnrolment(enrolment, path), ca, certificate, key };
}

/** A text says what is missing. */
function readFiles(folder: string): Identity | string | undefined {
  const enrolment = read(folder, ENROLMENT_FILE);
  if (enrolment === undefined) return undefined;
  const [ca, certificate, key] = ['ca.pem', 'gateway.pem', 'key.pem'].map((name) =>
    read(folder, name),
  );
  if (ca === undefined) return 'ca.pem is missing';
  if (certificate === undefined) return 'gateway.pem is missing';
  if (key === undefined) return 'key.pem is missing';
  return { enrolment: toEnrolment(enrolment, join(folder, ENROLMENT_FILE)), ca, certificate, key };
}

/** Empty: key and certificate belong together. */
function faultOf({ certificate, key }: Identity): string {
  try {
    const fits = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
    return fits ? '' : 'gateway.pem is not for the key in key.pem';
  } catch (error) {
    return `gateway.pem or key.pem: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function toEnrolment(text: string, path: string): Enrolment {
  return checkEnrolment(parse(text, path), path);
}

function checkEnrolment(value: unknown, path: string): Enrolment {
  const { url, site, gateway } = (value ?? {}) as Record<string, unknown>;
  if (typeof url === 'string' && typeof site === 'string' && typeof gateway === 'string') {
    const isRight = isTopicName(site) && isTopicName(gateway) && url.startsWith('mqtts://');
    if (isRight && URL.canParse(url)) return { url, site, gateway };
  }
  throw new AgentError('AGENT_IDENTITY_UNUSABLE', `${path} is not whole`);
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AgentError('AGENT_IDENTITY_UNUSABLE', `${path} is not whole`, { cause });
  }
}

/** Undefined: it does not exist. */
function read(folder: string, name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new AgentError('AGENT_IDENTITY_UNUSABLE', message, { cause: error });
  }
}

function guarded(folder: string, work: () => void): void {
  try {
    work();
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new AgentError('AGENT_IDENTITY_UNUSABLE', `${folder}: ${detail}`, { cause });
  }
}
