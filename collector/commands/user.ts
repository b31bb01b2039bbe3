/** `fms-collector user`: who may log in. For the first steps, and for when nobody can log in any more. */

import { isRole } from '../access/grants.ts';
import type { Grant } from '../access/principal.ts';
import { EVERY_SITE } from '../access/principal.ts';
import { CollectorError } from '../errors.ts';
import type { Output } from './check.ts';
import type { Api, ApiOptions } from './client.ts';
import { ApiRefusal, apiOf, askApi } from './client.ts';

interface UserItem {
  name: string;
  grants: Grant[];
  disabled: boolean;
  must_change_password: boolean;
  last_login_ms: number | null;
}

type Env = Record<string, string | undefined>;

/** Prints and returns the exit code, as all here: 0 done, 1 refused, 2 mistakes, 3 nobody answers. */
export function listUsers(options: ApiOptions, env: Env, output: Output): Promise<number> {
  return withApi(options, env, output, async (api) => {
    const { items } = (await (await askApi(api, '/api/v1/users')).json()) as { items: UserItem[] };
    for (const { name, grants, disabled, must_change_password, last_login_ms } of items) {
      const said = [
        disabled ? 'disabled' : grants.map(({ site, role }) => `${site}=${role}`).join(' '),
        last_login_ms === null ? 'never logged in' : new Date(last_login_ms).toISOString(),
        ...(must_change_password ? ['must change the password'] : []),
      ];
      output.log(`${name.padEnd(24)} ${said.join(', ')}`);
    }
  });
}

/** `grants`: `ROLE` for every site, or `SITE=ROLE`. */
export async function addUser(
  name: string,
  asked: readonly string[],
  options: ApiOptions,
  env: Env,
  output: Output,
): Promise<number> {
  const grants = asked.map(grantOf);
  if (grants.includes(undefined)) {
    output.error('a grant is viewer, operator or admin, or SITE=viewer and so on');
    return 2;
  }
  return await withApi(options, env, output, async (api) => {
    const response = await askApi(api, '/api/v1/users', { body: { name, grants } });
    sayPassword((await response.json()) as { name: string; password: string }, output);
  });
}

export function newPassword(
  name: string,
  options: ApiOptions,
  env: Env,
  output: Output,
): Promise<number> {
  return withApi(options, env, output, async (api) => {
    const body = { new_password: true };
    const response = await askApi(api, pathOf(name), { method: 'PATCH', body });
    sayPassword((await response.json()) as { name: string; password: string }, output);
  });
}

export function setDisabled(
  name: string,
  disabled: boolean,
  options: ApiOptions,
  env: Env,
  output: Output,
): Promise<number> {
  return withApi(options, env, output, async (api) => {
    await askApi(api, pathOf(name), { method: 'PATCH', body: { disabled } });
    output.log(disabled ? `${name} is disabled, and logged out.` : `${name} may log in.`);
  });
}

function pathOf(name: string): string {
  return `/api/v1/users/${encodeURIComponent(name)}`;
}

/** The split is at the last sign: names of sites may have one. */
function grantOf(text: string): Grant | undefined {
  const at = text.lastIndexOf('=');
  const site = at < 0 ? EVERY_SITE : text.slice(0, at);
  const role = text.slice(at + 1);
  return site !== '' && isRole(role) ? { site, role } : undefined;
}

function sayPassword({ name, password }: { name: string; password: string }, output: Output): void {
  output.log(`Password of ${name}, to be changed at the first login; it is not said again:`);
  output.log(password);
}

/** Says what went wrong, and answers with the exit code. */
export async function withApi(
  options: ApiOptions,
  env: Env,
  output: Output,
  ask: (api: Api) => Promise<void>,
): Promise<number> {
  const api = apiOf(options, env, output);
  if (api === undefined) return 2;
  try {
    await ask(api);
    return 0;
  } catch (error) {
    if (!(error instanceof ApiRefusal || error instanceof CollectorError)) throw error;
    output.error(`${error.message}\n${error.hint}`);
    return error instanceof CollectorError ? 3 : 1;
  }
}
