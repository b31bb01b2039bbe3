/** Programs of the machine that packaging runs. */

import { spawnSync } from 'node:child_process';
import { PackagingError } from './options.ts';

/** Runs it to its end and answers with its standard output. Throws a PackagingError with what it said. */
export function runProgram(
  name: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; input?: string } = {},
): string {
  const { cwd, env = process.env, input } = options;
  const { error, status, stdout, stderr } = spawnSync(name, args, {
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
    env,
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? {} : { input }),
  });
  if (error !== undefined) {
    throw new PackagingError(`${name} cannot be run: ${error.message}`, { cause: error });
  }
  if (status !== 0) {
    throw new PackagingError(`${name} ${args.join(' ')}: exit code ${status}\n${stdout}${stderr}`);
  }
  return stdout;
}

/** The first of them that answers to --version. */
export function findProgram(names: readonly string[]): string | undefined {
  return names.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
}
