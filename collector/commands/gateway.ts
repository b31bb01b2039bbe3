/** `fms-collector gateway`: which gateways may come in, tokens for new ones, and the end of those that are lost. */

import { readFileSync } from 'node:fs';
import { formatFingerprint } from '../../proto/enrolment.ts';
import { loadConfig } from '../config.ts';
import type { Output } from './check.ts';
import type { ApiOptions } from './client.ts';
import { askApi } from './client.ts';
import { withApi } from './user.ts';

type Env = Record<string, string | undefined>;

export interface GatewayOptions extends ApiOptions {
  json?: boolean;
}

interface Id {
  site: string;
  gateway: string;
}

interface GatewayItem extends Id {
  state: string;
  certificate: { not_after_ms: number } | null;
  invitation: { expires_ms: number } | null;
  without_tls: boolean;
}

interface Invited extends Id {
  token: string;
  expires_ms: number;
}

/** What gateways connect to. */
interface Address {
  mqtt_port: number;
  names: string[];
}

interface RequestItem extends Id {
  id: string;
  key_fingerprint: string;
  from: string;
  created_ms: number;
  known: boolean;
}

const LIST = '/api/v1/enrolment/gateways';
const HOURS: Record<string, number> = { m: 1 / 60, h: 1, d: 24 };

/** Prints and returns the exit code, as all here: 0 done, 1 refused, 2 mistakes, 3 nobody answers. */
export function listGateways(options: GatewayOptions, env: Env, output: Output): Promise<number> {
  return withApi(options, env, output, async (api) => {
    const { items } = (await (await askApi(api, LIST)).json()) as { items: GatewayItem[] };
    if (options.json) {
      output.log(JSON.stringify(items));
      return;
    }
    for (const { site, gateway, state, certificate, invitation, without_tls } of items) {
      const said = [
        state,
        ...(certificate ? [`certificate until ${isoOf(certificate.not_after_ms)}`] : []),
        ...(invitation ? [`token until ${isoOf(invitation.expires_ms)}`] : []),
        ...(without_tls ? ['token without TLS'] : []),
      ];
      output.log(`${`${site}/${gateway}`.padEnd(32)} ${said.join(', ')}`);
    }
  });
}

/** `names`: `SITE/NAME`, or `NAME` where one site is configured. `csv`: a file with a line `SITE,NAME` each. */
export async function addGateways(
  names: readonly string[],
  options: GatewayOptions & { csv?: string; valid: string },
  env: Env,
  output: Output,
): Promise<number> {
  const validHours = hoursOf(options.valid);
  const gateways = gatewaysOf(names, options, env);
  if (typeof gateways === 'string' || validHours === undefined) {
    output.error(typeof gateways === 'string' ? gateways : NOT_A_TIME);
    return 2;
  }
  return await withApi(options, env, output, async (api) => {
    const body = { gateways, valid_hours: validHours };
    const response = await askApi(api, LIST, { body });
    const answer = (await response.json()) as { items: Invited[] } & Address;
    if (options.json) output.log(JSON.stringify(answer));
    else sayTokens(answer.items, urlOf(answer), output);
  });
}

/** Another token. `now`: the certificate that it has is over at once. */
export async function tokenFor(
  name: string,
  options: GatewayOptions & { valid: string; now?: boolean },
  env: Env,
  output: Output,
): Promise<number> {
  const validHours = hoursOf(options.valid);
  if (validHours === undefined) {
    output.error(NOT_A_TIME);
    return 2;
  }
  return await withGateway(name, options, env, output, async (path, api) => {
    const body = { valid_hours: validHours, now: options.now === true };
    const made = (await (await askApi(api, `${path}/token`, { body })).json()) as Invited & Address;
    if (options.json) output.log(JSON.stringify(made));
    else sayTokens([made], urlOf(made), output);
  });
}

export function revokeGateway(
  name: string,
  options: GatewayOptions & { reason: string },
  env: Env,
  output: Output,
): Promise<number> {
  return withGateway(name, options, env, output, async (path, api) => {
    await askApi(api, `${path}/revoke`, { body: { reason: options.reason } });
    output.log(`${name} is let in no more; its connection ends within seconds.`);
  });
}

export function removeGateway(
  name: string,
  options: GatewayOptions,
  env: Env,
  output: Output,
): Promise<number> {
  return withGateway(name, options, env, output, async (path, api) => {
    await askApi(api, path, { method: 'DELETE' });
    output.log(`${name} is forgotten; what it sent stays.`);
  });
}

export function listRequests(options: GatewayOptions, env: Env, output: Output): Promise<number> {
  return withApi(options, env, output, async (api) => {
    const response = await askApi(api, '/api/v1/enrolment/requests');
    const { items } = (await response.json()) as { items: RequestItem[] };
    if (options.json) {
      output.log(JSON.stringify(items));
      return;
    }
    for (const { id, site, gateway, from, created_ms, known, key_fingerprint } of items) {
      const replaces = known ? ', would replace the gateway of that name' : '';
      output.log(`${id} ${site}/${gateway} from ${from} at ${isoOf(created_ms)}${replaces}`);
      output.log(`  ${formatFingerprint(key_fingerprint)}`);
    }
  });
}

/** `fingerprint`: as the gateway shows it; several words are joined. */
export function approveRequest(
  id: string,
  fingerprint: readonly string[],
  options: GatewayOptions,
  env: Env,
  output: Output,
): Promise<number> {
  return withApi(options, env, output, async (api) => {
    const body = { key_fingerprint: fingerprint.join(' ') };
    await askApi(api, `/api/v1/enrolment/requests/${encodeURIComponent(id)}/approve`, { body });
    output.log('Approved: the gateway fetches its certificate by itself.');
  });
}

export function rejectRequest(
  id: string,
  options: GatewayOptions,
  env: Env,
  output: Output,
): Promise<number> {
  return withApi(options, env, output, async (api) => {
    await askApi(api, `/api/v1/enrolment/requests/${encodeURIComponent(id)}/reject`, { body: {} });
    output.log('Rejected.');
  });
}

const NOT_A_TIME = '--valid is a number with m, h or d behind it, such as 30m, 24h or 7d';

function urlOf({ names, mqtt_port }: Address): string {
  const name = names[0] ?? 'COLLECTOR';
  return `mqtts://${name.includes(':') ? `[${name}]` : name}:${mqtt_port}`;
}

function sayTokens(items: readonly Invited[], url: string, output: Output): void {
  for (const { site, gateway, token } of items) output.log(`${site}/${gateway} ${token}`);
  const [first] = items;
  if (first === undefined) return;
  const until = isoOf(first.expires_ms);
  // Not among the tokens: those may go on to a file.
  output.error(
    `Each token is for one gateway and one use, until ${until}, and is not said again. On the gateway:\n  fms-agent enroll ${url} TOKEN`,
  );
}

async function withGateway(
  name: string,
  options: GatewayOptions,
  env: Env,
  output: Output,
  ask: (path: string, api: Parameters<Parameters<typeof withApi>[3]>[0]) => Promise<void>,
): Promise<number> {
  const found = gatewaysOf([name], options, env);
  const [id] = typeof found === 'string' ? [] : found;
  if (id === undefined) {
    output.error(typeof found === 'string' ? found : 'which gateway?');
    return 2;
  }
  const path = `${LIST}/${encodeURIComponent(id.site)}/${encodeURIComponent(id.gateway)}`;
  return await withApi(options, env, output, (api) => ask(path, api));
}

/** A text says what is wrong. */
function gatewaysOf(
  names: readonly string[],
  { csv, config }: GatewayOptions & { csv?: string },
  env: Env,
): Id[] | string {
  let said = names.map((name) => name.split('/'));
  try {
    if (csv !== undefined) said = [...said, ...rowsOf(readFileSync(csv, 'utf8'))];
  } catch (error) {
    return `${csv} cannot be read: ${(error as Error).message}`;
  }
  const only = said.some((parts) => parts.length === 1) ? onlySite(config, env) : undefined;
  const gateways: Id[] = [];
  for (const parts of said) {
    const [first = '', second] = parts;
    if (parts.length > 2 || first === '' || second === '')
      return `${parts.join('/')} is no name: SITE/NAME`;
    if (second !== undefined) gateways.push({ site: first, gateway: second });
    else if (only !== undefined) gateways.push({ site: only, gateway: first });
    else
      return `which site is ${first} of? SITE/NAME (NAME alone does where one site is configured)`;
  }
  return gateways.length > 0 ? gateways : 'name the gateways, or a file with --csv';
}

/** Names have no commas or quotes: a line is as simple as it looks. A header, and a mark of the encoding, may be there. */
function rowsOf(text: string): string[][] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const rows = lines.filter((line) => line.trim() !== '').map((line) => line.split(/[,;\t]/));
  const cells = rows.map((row) => row.map((cell) => cell.trim()));
  const isHeader = /^(site|gateway|name)$/i.test(cells[0]?.[0] ?? '');
  return isHeader ? cells.slice(1) : cells;
}

function onlySite(config: string, env: Env): string | undefined {
  try {
    const [site, ...others] = loadConfig(config, env).sites.keys();
    return others.length === 0 ? site : undefined;
  } catch {
    // Its mistakes are said by what needs more of it.
    return undefined;
  }
}

function hoursOf(text: string): number | undefined {
  const [, number, unit = 'h'] = /^(\d+(?:\.\d+)?)([mhd])?$/.exec(text.trim()) ?? [];
  const hours = Number(number) * (HOURS[unit] ?? 1);
  return number !== undefined && hours > 0 ? hours : undefined;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
