/** Asks the running agent for its status. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentConfig } from '../config/values.ts';
import { AgentError } from '../errors.ts';
import { STATUS_FILE } from './page.ts';
import type { StatusJson } from './status.ts';

const TIMEOUT_MS = 5_000;

/** Rejects with AGENT_NOT_RUNNING when nobody, or somebody else, answers. */
export async function fetchStatus(config: AgentConfig): Promise<StatusJson> {
  const { host } = config.status;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${portOf(config)}/status`;
  let answer: StatusJson;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    answer = (await response.json()) as StatusJson;
  } catch (cause) {
    const { message, cause: reason } = cause as Error;
    const detail = reason instanceof Error ? reason.message : message;
    throw new AgentError('AGENT_NOT_RUNNING', `${url}: ${detail}`, { cause });
  }
  if (typeof answer !== 'object' || answer === null || typeof answer.version !== 'string') {
    throw new AgentError('AGENT_NOT_RUNNING', `${url}: another program answers there`);
  }
  return answer;
}

/** With `port: 0` the agent wrote down which one it got. */
function portOf(config: AgentConfig): number {
  if (config.status.port !== 0) return config.status.port;
  const path = join(config.dataDir, STATUS_FILE);
  try {
    return Number((JSON.parse(readFileSync(path, 'utf8')) as { port: unknown }).port);
  } catch (cause) {
    throw new AgentError('AGENT_NOT_RUNNING', `${path} does not name its port`, { cause });
  }
}
