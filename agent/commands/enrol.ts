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
}

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
  const token = await readToken(given, deps.input);
  const wanted = token === undefined ? nameOf(given, deps.settings) : undefined;
  checkContradictions(deps.settings, { url, ...(wanted ?? {}) });
  const { dataDir } = deps.settings;
  const before = readBefore(dataDir);
  becomeOwnerOf(dataDir);
  // Before anything is asked: a folder that takes nothing must not cost the token.
  const key = await askingKey(dataDir);
  const caFingerprint = token?.caFingerprint ?? (await confirmAuthority(url, given, key, deps));
  const options = optionsOf(url, caFingerprint, deps);
  const enrolled =
    wanted === undefined || token !== undefined
      ? await enrolByToken(options, key, token as EnrolmentToken)
      : await enrolByRequest(options, key, wanted, (request) => {
          deps.print(pendingText(request, wanted, key, deps.clock));
        });
  checkContradictions(deps.settings, enrolled.identity.enrolment);
  writeIdentity(dataDir, enrolled.identity);
  deps.print(reportOf(enrolled, caFingerprint, before, dataDir));
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
  input: Readable,
): Promise<EnrolmentToken | undefined> {
  if (token === undefined && tokenFile === undefined) return undefined;
  const text = token === '-' ? await readAll(input) : (token ?? readTokenFile(tokenFile as string));
  const parsed = parseToken(text);
  // Never the text itself: it may be a token with one letter too much.
  if (parsed === undefined) {
    throw new AgentError('AGENT_ENROL_TOKEN', `${text.trim().length} characters`);
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
function nameOf(given: EnrolArguments, settings: EnrolmentSettings): GatewayId {
  const site = given.site ?? settings.site;
  const gateway = given.gateway ?? settings.gateway;
  const isName = (value: unknown): value is string =>
    typeof value === 'string' && isTopicName(value);
  if (!isName(site) || !isName(gateway)) {
    const detail = 'without a token give --site and --gateway (letters, digits, . _ -)';
    throw new AgentError('AGENT_ENROL_TOKEN', detail);
  }
  if (commonNameOf({ site, gateway }) === undefined) {
    throw new AgentError('AGENT_ENROL_TOKEN', `${site}/${gateway} has more than 64 bytes`);
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
function becomeOwnerOf(dataDir: string): void {
  if (process.geteuid?.() !== 0) return;
  const owner = statSync(dataDir, { throwIfNoEntry: false });
  if (owner === undefined || owner.uid === 0) return;
  try {
    process.setgroups?.([owner.gid]);
    process.setegid?.(owner.gid);
    process.seteuid?.(owner.uid);
  } catch (cause) {
    // A root that may not change its user would leave files that the service cannot read.
    const detail = `run this as the owner of ${dataDir} (user ${owner.uid})`;
    throw new AgentError('AGENT_DATA_DIR', detail, { cause });
  }
}

async function confirmAuthority(
  url: string,
  given: EnrolArguments,
  key: string,
  { input, print }: EnrolDeps,
): Promise<string> {
  const presented = await presentedAt(addressOf(url), ANSWER_MS);
  // The plant's issuing authority is often signed by another one, and either may be the one that people know.
  const signers = signersIn(presented);
  const [authority] = signers;
  if (authority === undefined) throw new AgentError('AGENT_COLLECTOR_UNKNOWN', 'no authority');
  const shown = fingerprintOf(authority);
  const names = signers.map((signer) => formatFingerprint(fingerprintOf(signer)));
  print(line('this gateway', `key ${formatFingerprint(keyFingerprint(key))}`));
  for (const [i, name] of names.entries()) {
    print(line(i === 0 ? 'collector' : '', `${i === 0 ? 'authority' : 'signed by'} ${name}`));
  }
  const { caFingerprint } = given;
  if (caFingerprint !== undefined) {
    const expected = parseFingerprint(caFingerprint);
    if (expected === undefined) {
      throw new AgentError('AGENT_ENROL_UNCONFIRMED', '--ca-fingerprint is no fingerprint');
    }
    return expected;
  }
  if (input.isTTY !== true) {
    throw new AgentError('AGENT_ENROL_UNCONFIRMED', 'no --ca-fingerprint, and no terminal');
  }
  const terminal = createInterface({ input, output: process.stderr });
  try {
    const which = signers.length > 1 ? 'one of these authorities' : 'this';
    const question = `Is ${which} what \`fms-collector ca show\` says on the collector? (yes/no) `;
    const answer = await terminal.question(question);
    if (!/^(y|yes|예|네)$/i.test(answer.trim())) {
      throw new AgentError('AGENT_ENROL_UNCONFIRMED', 'the answer was no');
    }
  } finally {
    terminal.close();
  }
  return shown;
}

function pendingText(
  request: { id: string; expiresMs: number },
  gateway: GatewayId,
  key: string,
  clock: Clock,
): string {
  const leftMs = request.expiresMs - clock.wallMs();
  const until = leftMs > 0 && leftMs < 100 * 86_400_000 ? ` (for ${span(leftMs)})` : '';
  return `${line('waiting', `for an admin to approve ${gatewayKey(gateway)}${until}. On the collector:`)}${line(
    '',
    `fms-collector gateway approve ${request.id} "${formatFingerprint(keyFingerprint(key))}"`,
  )}`;
}

function reportOf(
  { identity, aheadMs }: Enrolled,
  caFingerprint: string,
  before: GatewayId | undefined,
  dataDir: string,
): string {
  const { enrolment, certificate, key } = identity;
  const { notAfterMs } = factsOf(certificate);
  const end = new Date(notAfterMs).toISOString().slice(0, 10);
  const isOther = before !== undefined && gatewayKey(before) !== gatewayKey(enrolment);
  return [
    line('enrolled', `${gatewayKey(enrolment)}, at ${enrolment.url}`),
    line('verified', 'the collector holds a certificate of the authority'),
    line('', formatFingerprint(caFingerprint)),
    line('key', `made on this gateway, and stays here: ${formatFingerprint(keyFingerprint(key))}`),
    line('certificate', `until ${end}; the agent renews it by itself`),
    ...(aheadMs !== undefined && Math.abs(aheadMs) > CLOCK_WORD_MS
      ? [
          line(
            'clock',
            `${span(Math.abs(aheadMs))} ${aheadMs < 0 ? 'behind' : 'ahead of'} the collector: readings are timed by the collector's clock unless a time service keeps this one`,
          ),
        ]
      : []),
    line('written', `${identityFolder(dataDir)}: enrolment.json, ca.pem, gateway.pem, key.pem`),
    '\n',
    isOther
      ? `This machine was ${gatewayKey(before)} before: restart the agent (systemctl restart fms-agent).\n`
      : before === undefined
        ? 'Next: fms-agent check. A service that waits for its enrolment begins by itself; one that runs\nwith a token goes on as this gateway after systemctl restart fms-agent.\n'
        : 'A running agent takes the new certificate over by itself within seconds.\n',
    "Devices: /etc/fms-agent/conf.d (or conf.d beside the agent's configuration).\n",
  ].join('');
}

function line(head: string, text: string): string {
  return `${head.padEnd(12)} ${text}\n`;
}
