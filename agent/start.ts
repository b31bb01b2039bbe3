/** Where fms-agent begins, from its sources and as a single binary: the command line, one command. */

import { DEFAULT_CONFIG, fail, load, version } from './commands/command-line.ts';

/** Runs what the command line says. Sets the exit code; never rejects. */
export async function start(argv: readonly string[]): Promise<void> {
  const path = plainRun(argv.slice(2));
  if (path !== undefined) {
    const { run } = await import('./run.ts');
    await run({ path: path || DEFAULT_CONFIG, version: version(), load }).catch(fail);
  } else {
    const { main } = await import('./commands/commands.ts');
    await main(argv);
  }
}

/** `run` as services call it needs no parser of command lines: a tenth of its start. */
function plainRun(args: readonly string[]): string | undefined {
  const [command, option, path, ...rest] = args;
  if (command !== 'run' || rest.length > 0) return undefined;
  if (option === undefined) return process.env.FMS_AGENT_CONFIG ?? '';
  return (option === '--config' || option === '-c') && path !== undefined ? path : undefined;
}
