/** `fms-agent enroll URL TOKEN`: from a bare gateway to one with a certificate. What it asks and prints. */

import { readFileSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import type { Readable } from 'node:stream';
import type { EnrolmentToken } from '../../proto/enrolment.ts';
import {
  commonNameOf,
  fingerprintOf,
  formatFingerprint,
  parseFingerprint,
  parseToken,
} from '../../proto/enrolment.ts';
import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey, isTopicName } from '../../proto/topics.ts';
import type { EnrolmentSettings } from '../config/config.ts';
import { formatMistake } from '../config/config.ts';
import { AgentError } from '../errors.ts';
import { addressOf, presentedAt } from '../identity/ask.ts';
import { factsOf } from '../identity/certificate.ts';
import type { Enrolled, EnrolmentOptions } from '../identity/enrolment.ts';
import { askingKey, enrolByRequest, enrolByToken, toEnrolmentUrl } from '../identity/enrolment.ts';
import { identityFolder, readEnrolment, writeIdentity } from '../identity/files.ts';
import { keyFingerprint } from '../identity/keys.ts';
import { signersIn } from '../identity/verify.ts';
import { span } from '../status/text.ts';
import type { Clock } from '../types.ts';
import type { Say, Speaker, Text } from '../words/say.ts';
import { padTo, widthOf } from '../words/text.ts';

export interface EnrolArguments {
  url: string;
  /** `-`: standard input; undefined: without a token, unless there is a file. */
  token: string | undefined;
  tokenFile: string | undefined;
  /** Of the collector's authority, as a person typed it. */
  caFingerprint: string | undefined;
  site: string | undefined;
  gateway: string | undefined;
}

export interface EnrolDeps {
  settings: EnrolmentSettings;
  version: string;
  clock: Clock;
  input: Readable & { isTTY?: boolean };
  print: (text: string) => void;
  speaker: Speaker;
}

/** Texts, not a pattern: one letter beyond Latin 1 in a pattern of the bundle doubles all of it in memory. */
const YES: readonly string[] = ['y', 'yes', '예', '네'];

const ANSWER_MS = 30_000;
const TOKEN_BYTES_MAX = 4_096;
/** More than this is worth a word. */
const CLOCK_WORD_MS = 5_000;

/**
 * Enrols, or rejects with a coded error; then nothing of the gateway's identity has changed. Run as root
 * it goes on as the owner of data_dir, so that everything belongs to the user of the service.
 */
export async function enrol(given: EnrolArguments, deps: EnrolDeps): Promise<void> {
  const url = toEnrolmentUrl(given.url);
  if (url === undefined) throw new AgentError('AGENT_ENROL_URL', given.url);
  const token = await readToken(given, deps);
  const wanted = token === undefined ? nameOf(given, deps) : undefined;
  checkContradictions(deps.settings, { url, ...(wanted ?? {}) });
  const { dataDir } = deps.settings;
  const before = readBefore(dataDir);
  becomeOwnerOf(dataDir, deps.speaker);
  // Before anything is asked: a folder that takes nothing must not cost the token.
  const key = await askingKey(dataDir);
  const caFingerprint = token?.caFingerprint ?? (await confirmAuthority(url, given, key, deps));
  const options = optionsOf(url, caFingerprint, deps);
  const enrolled =
    wanted === undefined || token !== undefined
      ? await enrolByToken(options, key, token as EnrolmentToken)
      : await enrolByRequest(options, key, wanted, (request) => {
          deps.print(pendingText(request, wanted, key, deps));
        });
  checkContradictions(deps.settings, enrolled.identity.enrolment);
  writeIdentity(dataDir, enrolled.identity);
  deps.print(reportOf(enrolled, caFingerprint, before, deps));
}

function optionsOf(url: string, caFingerprint: string, deps: EnrolDeps): EnrolmentOptions {
  const { settings, version, clock } = deps;
  return {
    dataDir: settings.dataDir,
    url,
    caFingerprint,
    version,
    timeoutMs: ANSWER_MS,
    monoMs: () => clock.monoMs(),
    wallMs: () => clock.wallMs(),
  };
}

async function readToken(
  { token, tokenFile }: EnrolArguments,
  { input, speaker: { say } }: EnrolDeps,
): Promise<EnrolmentToken | undefined> {
  if (token === undefined && tokenFile === undefined) return undefined;
  const text = token === '-' ? await readAll(input) : (token ?? readTokenFile(tokenFile as string));
  const parsed = parseToken(text);
  // Never the text itself: it may be a token with one letter too much.
  if (parsed === undefined) {
    const { length: count } = text.trim();
    throw new AgentError('AGENT_ENROL_TOKEN', say('{count} characters', { count }));
  }
  return parsed;
}

function readTokenFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(0, TOKEN_BYTES_MAX);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new AgentError('AGENT_ENROL_TOKEN', detail, { cause });
  }
}

async function readAll(input: Readable): Promise<string> {
  let text = '';
  for await (const part of input) {
    text += String(part);
    if (text.length > TOKEN_BYTES_MAX) break;
  }
  return text;
}

/** Without a token the gateway says who it wants to be. */
function nameOf(given: EnrolArguments, { settings, speaker: { say } }: EnrolDeps): GatewayId {
  const site = given.site ?? settings.site;
  const gateway = given.gateway ?? settings.gateway;
  const isName = (value: unknown): value is string =>
    typeof value === 'string' && isTopicName(value);
  if (!isName(site) || !isName(gateway)) {
    const detail = say('without a token give --site and --gateway (letters, digits, . _ -)');
    throw new AgentError('AGENT_ENROL_TOKEN', detail);
  }
  if (commonNameOf({ site, gateway }) === undefined) {
    const name = { gateway: `${site}/${gateway}` };
    throw new AgentError('AGENT_ENROL_TOKEN', say('{gateway} has more than 64 bytes', name));
  }
  return { site, gateway };
}

function checkContradictions(
  settings: EnrolmentSettings,
  planned: { url: string; site?: string; gateway?: string },
): void {
  const site = planned.site ?? String(settings.site ?? '');
  const gateway = planned.gateway ?? String(settings.gateway ?? '');
  const mistakes = settings.contradictionsOf({ url: planned.url, site, gateway });
  if (mistakes.length === 0) return;
  throw new AgentError('AGENT_ENROL_CONTRADICTS', mistakes.map(formatMistake).join('\n'));
}

/** A folder that is not whole is no reason not to enrol anew. */
function readBefore(dataDir: string): GatewayId | undefined {
  try {
    return readEnrolment(dataDir);
  } catch {
    return undefined;
  }
}

/** Files are then made as that user makes them, and no link of that user leads root anywhere. */
function becomeOwnerOf(dataDir: string, { say }: Speaker): void {
  if (process.geteuid?.() !== 0) return;
  const owner = statSync(dataDir, { throwIfNoEntry: false });
  if (owner === undefined || owner.uid === 0) return;
  try {
    process.setgroups?.([owner.gid]);
    process.setegid?.(owner.gid);
    process.seteuid?.(owner.uid);
  } catch (cause) {
    // A root that may not change its user would leave files that the service cannot read.
    const named = { folder: dataDir, user: owner.uid };
    const detail = say('run this as the owner of {folder} (user {user})', named);
    throw new AgentError('AGENT_DATA_DIR', detail, { cause });
  }
}

async function confirmAuthority(
  url: string,
  given: EnrolArguments,
  key: string,
  { input, print, speaker: { say } }: EnrolDeps,
): Promise<string> {
  const presented = await presentedAt(addressOf(url), ANSWER_MS);
  // The plant's issuing authority is often signed by another one, and either may be the one that people know.
  const signers = signersIn(presented);
  const [authority] = signers;
  if (authority === undefined) {
    throw new AgentError('AGENT_COLLECTOR_UNKNOWN', say('no authority'));
  }
  const shown = fingerprintOf(authority);
  const names = signers.map((signer) => formatFingerprint(fingerprintOf(signer)));
  const line = liner(say);
  const own = { fingerprint: formatFingerprint(keyFingerprint(key)) };
  print(line('this gateway', say('key {fingerprint}', own)));
  for (const [i, fingerprint] of names.entries()) {
    print(
      i === 0
        ? line('collector', say('authority {fingerprint}', { fingerprint }))
        : line('', say('signed by {fingerprint}', { fingerprint })),
    );
  }
  const { caFingerprint } = given;
  if (caFingerprint !== undefined) {
    const expected = parseFingerprint(caFingerprint);
    if (expected === undefined) {
      const detail = say('--ca-fingerprint is no fingerprint');
      throw new AgentError('AGENT_ENROL_UNCONFIRMED', detail);
    }
    return expected;
  }
  if (input.isTTY !== true) {
    const detail = say('no --ca-fingerprint, and no terminal');
    throw new AgentError('AGENT_ENROL_UNCONFIRMED', detail);
  }
  const terminal = createInterface({ input, output: process.stderr });
  try {
    const question =
      signers.length > 1
        ? say(
            'Is one of these authorities what `fms-collector ca show` says on the collector? (yes/no) ',
          )
        : say('Is this what `fms-collector ca show` says on the collector? (yes/no) ');
    const answer = await terminal.question(question);
    if (!YES.includes(answer.trim().toLowerCase())) {
      throw new AgentError('AGENT_ENROL_UNCONFIRMED', say('the answer was no'));
    }
  } finally {
    terminal.close();
  }
  return shown;
}

function pendingText(
  request: { id: string; expiresMs: number },
  wanted: GatewayId,
  key: string,
  { clock, speaker }: EnrolDeps,
): string {
  const { say } = speaker;
  const line = liner(say);
  const leftMs = request.expiresMs - clock.wallMs();
  const gateway = gatewayKey(wanted);
  const text =
    leftMs > 0 && leftMs < 100 * 86_400_000
      ? say('for an admin to approve {gateway} (for {span}). On the collector:', {
          gateway,
          span: span(leftMs, speaker),
        })
      : say('for an admin to approve {gateway}. On the collector:', { gateway });
  const fingerprint = formatFingerprint(keyFingerprint(key));
  return `${line('waiting', text)}${line(
    '',
    `fms-collector gateway approve ${request.id} "${fingerprint}"`,
  )}`;
}

function reportOf(
  { identity, aheadMs }: Enrolled,
  caFingerprint: string,
  before: GatewayId | undefined,
  { settings, speaker }: EnrolDeps,
): string {
  const { say } = speaker;
  const line = liner(say);
  const { enrolment, certificate, key } = identity;
  const date = new Date(factsOf(certificate).notAfterMs).toISOString().slice(0, 10);
  const fingerprint = formatFingerprint(keyFingerprint(key));
  const gateway = gatewayKey(enrolment);
  return [
    line('enrolled', say('{gateway}, at {url}', { gateway, url: enrolment.url })),
    line('verified', say('the collector holds a certificate of the authority')),
    line('', formatFingerprint(caFingerprint)),
    line('key', say('made on this gateway, and stays here: {fingerprint}', { fingerprint })),
    line('certificate', say('until {date}; the agent renews it by itself', { date })),
    aheadMs !== undefined && Math.abs(aheadMs) > CLOCK_WORD_MS
      ? line('clock', clockText(aheadMs, speaker))
      : '',
    line(
      'written',
      `${identityFolder(settings.dataDir)}: enrolment.json, ca.pem, gateway.pem, key.pem`,
    ),
    `\n${nextText(gateway, before, say)}\n`,
    `${say("Devices: /etc/fms-agent/conf.d (or conf.d beside the agent's configuration).")}\n`,
  ].join('');
}

function clockText(aheadMs: number, speaker: Speaker): string {
  const apart = { span: span(Math.abs(aheadMs), speaker) };
  return aheadMs < 0
    ? speaker.say(
        "{span} behind the collector: readings are timed by the collector's clock unless a time service keeps this one",
        apart,
      )
    : speaker.say(
        "{span} ahead of the collector: readings are timed by the collector's clock unless a time service keeps this one",
        apart,
      );
}

function nextText(gateway: string, before: GatewayId | undefined, say: Say): string {
  if (before === undefined) {
    return say(
      'Next: fms-agent check. A service that waits for its enrolment begins by itself; one that runs\nwith a token goes on as this gateway after systemctl restart fms-agent.',
    );
  }
  const old = gatewayKey(before);
  return old === gateway
    ? say('A running agent takes the new certificate over by itself within seconds.')
    : say('This machine was {gateway} before: restart the agent (systemctl restart fms-agent).', {
        gateway: old,
      });
}

const HEADS = [
  'this gateway',
  'collector',
  'waiting',
  'enrolled',
  'verified',
  'key',
  'certificate',
  'clock',
  'written',
] as const satisfies readonly Text[];

/** Makes lines with a head, or, with an empty one, that go on with the line above. */
function liner(say: Say): (head: (typeof HEADS)[number] | '', text: string) => string {
  const width = Math.max(...HEADS.map((head) => widthOf(say(head))));
  return (head, text) => `${padTo(head === '' ? '' : say(head), width)} ${text}\n`;
}
