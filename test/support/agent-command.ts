/** Which fms-agent tests start. */

import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../../agent/main.ts');
const { FMS_AGENT_PROGRAM: PROGRAM } = process.env;
// The agent takes variables of this form for its configuration, and would complain of this one.
delete process.env.FMS_AGENT_PROGRAM;

/**
 * A program and its first arguments: the sources, or the packaged program that FMS_AGENT_PROGRAM names
 * (test/packaging/agent-suites.test.ts runs suites so).
 */
export function agentCommand(): [string, ...string[]] {
  return PROGRAM === undefined ? [process.execPath, MAIN] : [PROGRAM];
}
