/**
 * `fms-collector health`: is the collector of this configuration alive, or ready? For supervisors that can only run
 * a program, such as a container's health check; there is no curl in the image.
 */

import { CollectorError } from '../errors.ts';
import { secureFetch } from '../secure_fetch.ts';
import type { Output } from './check.ts';
import { apiOf } from './client.ts';

const TIMEOUT_MS = 4_000;

export interface HealthOptions {
  config: string;
  url?: string | undefined;
  caFile?: string | undefined;
  /** Every part works, not only the process. */
  ready?: boolean;
}

interface Check {
  name: string;
  ready: boolean;
  reason: string;
}

/** Prints one line and returns the exit code: 0 well, 1 not ready, 2 mistakes, 3 nobody answers. */
export async function health(
  { ready = false, ...asked }: HealthOptions,
  env: Record<string, string | undefined>,
  output: Output,
): Promise<number> {
  try {
    const api = apiOf(asked, env, output);
    if (api === undefined) return 2;
    const address = new URL(ready ? '/readyz' : '/healthz', api.url);
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    // Whoever asks here may know it anyway: no token is shown.
    const answer = await secureFetch(address, { signal }, api.trust);
    const text = await answer.text();
    if (answer.ok) output.log(ready ? 'ready' : 'alive');
    else output.error(`not ready: ${reasonsIn(text)}`);
    return answer.ok ? 0 : 1;
  } catch (error) {
    const { message, cause } = error as { message?: string; cause?: { code?: string } };
    const code = error instanceof CollectorError ? error.code : 'COLLECTOR_UNREACHABLE';
    output.error(`${code}: ${cause?.code ?? message ?? String(error)}`);
    return 3;
  }
}

/** Of the parts that are not ready, as /readyz says them. */
function reasonsIn(text: string): string {
  try {
    const { checks } = JSON.parse(text) as { checks: Check[] };
    const failing = checks.filter((check) => !check.ready);
    return failing.map(({ name, reason }) => `${name} (${reason})`).join(', ');
  } catch {
    return text.slice(0, 200);
  }
}
