/** Which fms-agent tests start. */

import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../../agent/main.ts');

/**
 * A program and its first arguments: the sources, or the packaged program that FMS_AGENT_PROGRAM names
 * (test/packaging/agent-suites.test.ts runs suites so).
 */
export function agentCommand(env = process.env): [string, ...string[]] {
  const { FMS_AGENT_PROGRAM: program } = env;
  return program === undefined ? [process.execPath, MAIN] : [program];
}
