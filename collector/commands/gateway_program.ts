/** The command line of `fms-collector gateway` and `ca`: words and options; what they do is in gateway.ts and ca.ts. */

import type { Command } from 'commander';

interface Given {
  config: string;
  url?: string;
  caFile?: string;
  json?: boolean;
}

/** `configured` adds what all commands that ask the collector take; `withUrl` reads the environment. */
export function addGatewayCommands(
  program: Command,
  configured: (command: Command) => Command,
  withUrl: <Options extends Given>(options: Options) => Options,
): void {
  const gateway = program
    .command('gateway')
    .description('gateways: tokens for new ones, who is in, who is out');
  const command = (usage: string, description: string): Command =>
    configured(gateway.command(usage)).description(description);
  const timed = (one: Command): Command =>
    one.option('--valid <time>', 'how long the token may be used, such as 30m, 24h or 7d', '24h');
  const load = () => import('./gateway.ts');

  command('list', 'names, how they come in, until when')
    .option('-j, --json', 'print JSON')
    .action(async (options: Given) => {
      process.exitCode = await (await load()).listGateways(withUrl(options), process.env, console);
    });
  timed(command('add [names...]', 'make gateways (SITE/NAME), and print a one-time token for each'))
    .option('--csv <file>', 'names from a file, a line SITE,NAME each')
    .option('-j, --json', 'print JSON')
    .action(async (names: string[], options: Given & { csv?: string; valid: string }) => {
      const { addGateways } = await load();
      process.exitCode = await addGateways(names, withUrl(options), process.env, console);
    });
  timed(
    command('token <name>', 'print another token for one that has not enrolled, or was revoked'),
  )
    .option('-j, --json', 'print JSON')
    .action(async (name: string, options: Given & { valid: string }) => {
      const { tokenFor } = await load();
      process.exitCode = await tokenFor(name, withUrl(options), process.env, console);
    });
  timed(command('replace <name>', 'print a token for new hardware under the same name'))
    .option('--now', 'end the certificate of the old hardware at once, not when the new one enrols')
    .option('-j, --json', 'print JSON')
    .action(async (name: string, options: Given & { valid: string; now?: boolean }) => {
      const { tokenFor } = await load();
      process.exitCode = await tokenFor(name, withUrl(options), process.env, console);
    });
  command('revoke <name>', 'let it in no more; a connection ends within seconds')
    .option('--reason <text>', 'for the records', '')
    .action(async (name: string, options: Given & { reason: string }) => {
      const { revokeGateway } = await load();
      process.exitCode = await revokeGateway(name, withUrl(options), process.env, console);
    });
  command(
    'remove <name>',
    'forget one that never enrolled or was revoked; what it sent stays',
  ).action(async (name: string, options: Given) => {
    const { removeGateway } = await load();
    process.exitCode = await removeGateway(name, withUrl(options), process.env, console);
  });
  command('requests', 'gateways that asked without a token, with the fingerprints of their keys')
    .option('-j, --json', 'print JSON')
    .action(async (options: Given) => {
      process.exitCode = await (await load()).listRequests(withUrl(options), process.env, console);
    });
  command(
    'approve <id> <fingerprint...>',
    'issue what it asked for; the fingerprint is as the gateway shows it',
  ).action(async (id: string, fingerprint: string[], options: Given) => {
    const { approveRequest } = await load();
    process.exitCode = await approveRequest(
      id,
      fingerprint,
      withUrl(options),
      process.env,
      console,
    );
  });
  command('reject <id>', 'refuse it').action(async (id: string, options: Given) => {
    process.exitCode = await (await load()).rejectRequest(
      id,
      withUrl(options),
      process.env,
      console,
    );
  });

  const ca = program.command('ca').description('the authority of the certificates');
  configured(ca.command('show'))
    .description('its fingerprint, and until when it is valid')
    .option('--pem', 'print its certificate')
    .option('-j, --json', 'print JSON')
    .action(async (options: Given & { pem?: boolean }) => {
      const { showAuthority } = await import('./ca.ts');
      process.exitCode = await showAuthority(withUrl(options), process.env, console);
    });
}
