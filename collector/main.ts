#!/usr/bin/env node
/**
 * fms-collector. Exit codes: 0 done; 1 failed, or the ledger does not balance; 2 mistakes in the
 * configuration; 3 the collector that was asked does not answer.
 */

import { enableCompileCache } from 'node:module';

// Before anything uses them: statements of the embedded engine take a thread each, as long as they run, of those that
// also read and write files. Four (the default) are fewer than it has connections.
process.env.UV_THREADPOOL_SIZE ??= '16';
enableCompileCache();
// Everything else is loaded after the cache is there, and only what the command needs.
const { Command } = await import('commander');
const { default: packageJson } = await import('../package.json', { with: { type: 'json' } });

const URL_HELP = 'address of its API (or environment FMS_COLLECTOR_URL)';
const CA_HELP = 'PEM: whose certificate it may show at https (or environment FMS_COLLECTOR_CA)';
const CONFIG_DEFAULT = process.env.FMS_COLLECTOR_CONFIG ?? '/etc/fms-collector/collector.yaml';

const program = new Command('fms-collector')
  .description('Takes in readings from gateways, accounts for them, stores and shows them.')
  .version(packageJson.version);

function addCommand(name: string, description: string): InstanceType<typeof Command> {
  return program
    .command(name)
    .description(description)
    .option(
      '-c, --config <file>',
      'configuration file (or environment FMS_COLLECTOR_CONFIG)',
      CONFIG_DEFAULT,
    );
}

interface OfProcess {
  config: string;
  components?: string;
}

/** One configuration file does for several processes. */
function withComponents(command: InstanceType<typeof Command>): InstanceType<typeof Command> {
  return command.option(
    '--components <names>',
    'what this process does: some of intake,process,write,serve (or environment FMS_COLLECTOR_COMPONENTS)',
  );
}

function environmentFor({ components }: OfProcess): NodeJS.ProcessEnv {
  if (components === undefined) return process.env;
  return { ...process.env, FMS_COLLECTOR_COMPONENTS: components };
}

withComponents(addCommand('run', 'run the collector until SIGTERM or SIGINT')).action(
  async (options: OfProcess) => {
    const { run } = await import('./commands/run.ts');
    await run(options.config, packageJson.version, environmentFor(options));
  },
);

withComponents(
  addCommand('check', 'check the configuration; say every mistake with its line'),
).action(async (options: OfProcess) => {
  const { check } = await import('./commands/check.ts');
  process.exitCode = check(options.config, environmentFor(options), console);
});

addCommand('health', 'ask the running collector whether it is alive')
  .option('-u, --url <url>', URL_HELP)
  .option('--ca-file <file>', CA_HELP)
  .option('--ready', 'whether every part of it works')
  .addHelpText(
    'after',
    '\nExit codes: 0 it is, 1 it is not ready, 2 mistakes in the configuration, 3 no answer.',
  )
  .action(async (options: { config: string; url?: string; caFile?: string; ready?: boolean }) => {
    const { health } = await import('./commands/health.ts');
    const url = options.url ?? process.env.FMS_COLLECTOR_URL;
    process.exitCode = await health({ ...options, url }, process.env, console);
  });

addCommand('ledger', 'ask the running collector where every reading is')
  .option('-u, --url <url>', URL_HELP)
  .option('--ca-file <file>', CA_HELP)
  .option('-e, --epochs', 'one line for each epoch of a gateway')
  .option('-d, --deep', 'also compare with the rows of the tables; says which readings differ')
  .option('--site <site>', 'only this site')
  .option('--gateway <gateway>', 'only gateways of this name')
  .option('-j, --json', 'print JSON; with --deep a second line')
  .addHelpText(
    'after',
    '\nExit codes: 0 it balances, 1 it does not, 2 mistakes in the configuration, 3 no answer.',
  )
  .action(
    async (options: {
      config: string;
      url?: string;
      epochs?: boolean;
      deep?: boolean;
      site?: string;
      gateway?: string;
      json?: boolean;
    }) => {
      const { ledger } = await import('./commands/ledger.ts');
      const url = options.url ?? process.env.FMS_COLLECTOR_URL;
      process.exitCode = await ledger({ ...options, url }, process.env, console);
    },
  );

addCommand('backup', 'copy log and store of the running collector into a new folder')
  .argument('<folder>', 'must not exist, or be empty')
  .option('-u, --url <url>', URL_HELP)
  .option('--ca-file <file>', CA_HELP)
  .action(async (folder: string, options: { config: string; url?: string }) => {
    const { backupCommand } = await import('./backup/commands.ts');
    const url = options.url ?? process.env.FMS_COLLECTOR_URL;
    const asked = new AbortController();
    for (const name of ['SIGINT', 'SIGTERM'] as const)
      process.once(name, () => asked.abort(new Error(`ended by ${name}`)));
    const { signal } = asked;
    process.exitCode = await backupCommand(
      folder,
      { ...options, url, signal },
      process.env,
      console,
    );
  });

addCommand('restore', 'put a backup into data_dir while no collector runs on it')
  .argument('<folder>', 'what backup made')
  .option('-f, --force', 'move aside what data_dir holds')
  .action(async (folder: string, options: { config: string; force?: boolean }) => {
    const { restoreCommand } = await import('./backup/commands.ts');
    process.exitCode = await restoreCommand(folder, options, process.env, console);
  });

const job = program.command('job').description('jobs that the running collector runs on schedule');
const configured = (command: InstanceType<typeof Command>): InstanceType<typeof Command> =>
  command
    .option('-c, --config <file>', 'configuration file', CONFIG_DEFAULT)
    .option('-u, --url <url>', URL_HELP)
    .option('--ca-file <file>', CA_HELP);

configured(job.command('list'))
  .description('their names, and how their last runs ended')
  .action(async (options: { config: string; url?: string }) => {
    const { listJobs } = await import('./commands/job.ts');
    const url = options.url ?? process.env.FMS_COLLECTOR_URL;
    process.exitCode = await listJobs({ ...options, url }, process.env, console);
  });

configured(job.command('run'))
  .argument('<name>', 'see job list')
  .description('make what is due, now')
  .option('--from <time>', 'only periods that end after this, such as 2026-11-01')
  .option('--to <time>', 'only periods that begin before this')
  .option('--site <site>', 'only this site')
  .option('--all', 'make every period of the range again, changed or not')
  .action(
    async (
      name: string,
      options: {
        config: string;
        url?: string;
        from?: string;
        to?: string;
        site?: string;
        all?: boolean;
      },
    ) => {
      const { runJob } = await import('./commands/job.ts');
      const url = options.url ?? process.env.FMS_COLLECTOR_URL;
      process.exitCode = await runJob(name, { ...options, url }, process.env, console);
    },
  );

const user = program.command('user').description('who may log in to the running collector');
interface OfUsers {
  config: string;
  url?: string;
}
const withUrl = <Options extends OfUsers>(options: Options): Options => {
  const url = options.url ?? process.env.FMS_COLLECTOR_URL;
  return url === undefined ? options : { ...options, url };
};

configured(user.command('list'))
  .description('names, roles, last logins')
  .action(async (options: OfUsers) => {
    const { listUsers } = await import('./commands/user.ts');
    process.exitCode = await listUsers(withUrl(options), process.env, console);
  });

configured(user.command('add'))
  .argument('<name>')
  .argument('<grants...>', 'viewer, operator or admin of every site; of one site: SITE=viewer')
  .description('make a user, and say the password for the first login')
  .action(async (name: string, grants: string[], options: OfUsers) => {
    const { addUser } = await import('./commands/user.ts');
    process.exitCode = await addUser(name, grants, withUrl(options), process.env, console);
  });

configured(user.command('passwd'))
  .argument('<name>')
  .description('make another password, and say it; all sessions of the user end')
  .action(async (name: string, options: OfUsers) => {
    const { newPassword } = await import('./commands/user.ts');
    process.exitCode = await newPassword(name, withUrl(options), process.env, console);
  });

for (const verb of ['disable', 'enable'] as const)
  configured(user.command(verb))
    .argument('<name>')
    .description(
      verb === 'disable'
        ? 'end all sessions, and let the user in no more'
        : 'let the user in again',
    )
    .action(async (name: string, options: OfUsers) => {
      const { setDisabled } = await import('./commands/user.ts');
      const isOff = verb === 'disable';
      process.exitCode = await setDisabled(name, isOff, withUrl(options), process.env, console);
    });

const { addGatewayCommands } = await import('./commands/gateway_program.ts');
addGatewayCommands(program, configured, withUrl);

const audit = program
  .command('audit')
  .description('who did what: whether the log of it is whole, its head, a file of it');

configured(audit.command('verify'))
  .description('walk the chain of hashes in the store, and compare its end with the log')
  .option('--after <number>', 'trust this entry, and begin behind it')
  .option('--anchor <number:hash>', 'also compare with what `audit head` printed once')
  .option('-j, --json', 'print JSON')
  .addHelpText(
    'after',
    '\nExit codes: 0 whole, 1 broken or refused, 2 mistakes in the configuration, 3 no answer.',
  )
  .action(async (options: OfUsers & { after?: string; anchor?: string; json?: boolean }) => {
    const { verifyAudit } = await import('./commands/audit.ts');
    process.exitCode = await verifyAudit(withUrl(options), process.env, console);
  });

configured(audit.command('head'))
  .description('print NUMBER:HASH of the newest entry, to be kept elsewhere')
  .action(async (options: OfUsers) => {
    const { auditHead } = await import('./commands/audit.ts');
    process.exitCode = await auditHead(withUrl(options), process.env, console);
  });

configured(audit.command('export'))
  .description('print the entries, or write them to a file; is an entry itself')
  .option('-f, --format <format>', 'csv or jsonl', 'jsonl')
  .option('-o, --out <file>', 'must not exist; left out: stdout')
  .option('--from <time>', 'only entries from then on, such as 2026-11-01')
  .option('--to <time>', 'only entries before')
  .option('--who <name>', 'only those of this name')
  .option('--action <action>', 'only these, such as user.create; user. for all that begin so')
  .option('--site <site>', 'only this site')
  .option('--text <text>', 'in target or detail')
  .action(async (options: OfUsers & { format: string; out?: string }) => {
    const { exportAudit } = await import('./commands/audit.ts');
    process.exitCode = await exportAudit(withUrl(options), process.env, console, process.stdout);
  });

const BACKTEST_HELP = `
Of a recording the rows go to stdout (or --out) as CSV, one for each of the file, in its order:
  timestamp  as it stands in the file
  score      0 to 1, all detectors joined; 0.5 or more where there is an alarm, and only there
  alarm      1 or 0. With several channels 1 on every row at which an anomaly is open, from its beginning to
             its end (count rows); with one channel only on the row at which it begins (count alarms);
             --mark says it otherwise
  reason     what is wrong, on the rows that say so
The summary goes to stderr: anomalies per device and day and, with labels, how well they were met, by row
(alarm against label) and by event (found when an alarm is on in it). Training rows are not counted.
Of a history (no file): each anomaly that there would have been, and the counts beside those that there were.

  fms-collector backtest pump.csv.gz --time ts --channels pressure,flow --train 400 --label fault
  fms-collector backtest --device plant/D01 --from 2026-11-01 --to 2026-12-01 --profile new/fms.yaml

Exit codes: 0 done; 1 failed; 2 mistakes in options, recording or profile; 3 no answer.`;

interface BacktestGiven {
  config: string;
  language: string;
  url?: string;
}

const backtestCommand = program
  .command('backtest')
  .description("what rules and detectors would say of a recording, or of a device's own history")
  .argument(
    '[file]',
    'recording: CSV with a header, plain or .gz; left out: a history, see --device',
  );
backtestCommand
  .option(
    '--time <column>',
    'ISO 8601, "YYYY-MM-DD HH:MM:SS", or seconds or milliseconds since 1970',
  )
  .option('--channels <names>', 'columns of the values, with commas between them')
  .option('--train <rows>', 'rows that the detectors learn from before they say anything')
  .option('--profile <profile>', 'a profile file (YAML), or the name of a profile in profiles_dir')
  .option('--out <file>', 'where the rows go; - is stdout; left out: stdout, of a history nowhere')
  .option('--label <column>', '1 where something was wrong, else 0')
  .option('--windows <file>', 'JSON {"name": [["from", "to"], …]}: when something was wrong')
  .option(
    '--name <name>',
    'which of the windows; left out: those that end with the name of the file',
  )
  .option('--delimiter <character>', 'left out: comma, semicolon or tab, by the header')
  .option('--zone <zone>', 'of times that name none: Asia/Seoul, +09:00 (left out: UTC)')
  .option('--interval <seconds>', 'from row to row, instead of what the profile says')
  .option('--device <name>', 'what the device is called; of a history SITE/DEVICE')
  .option('--from <time>', 'of a history: its start (left out: 30 days before --to)')
  .option('--to <time>', 'of a history: its end (left out: now)')
  .option('--warm-up <hours>', 'of a history: read so much before --from, to learn (left out: 168)')
  .option('-u, --url <url>', 'of a history: address of the API (or environment FMS_COLLECTOR_URL)')
  .option('--ca-file <file>', `of a history: ${CA_HELP}`)
  .option(
    '--mark <rows>',
    'which rows have an alarm: onset or open; left out: by the number of channels',
  )
  .option('--language <language>', 'of the reasons: en or ko', 'en')
  .option('-j, --json', 'the summary as one line of JSON')
  .option(
    '-c, --config <file>',
    'configuration file (or environment FMS_COLLECTOR_CONFIG)',
    CONFIG_DEFAULT,
  )
  .addHelpText('after', BACKTEST_HELP)
  .action(async (file: string | undefined, options: BacktestGiven) => {
    const { backtest } = await import('./commands/backtest.ts');
    const isHistory = file === undefined;
    const url = options.url ?? (isHistory ? process.env.FMS_COLLECTOR_URL : undefined);
    process.exitCode = await backtest(file, { ...options, url }, process.env, {
      stdout: process.stdout,
      output: console,
      nowMs: Date.now(),
    });
  });

const notify = program.command('notify').description('those who hear of alerts');
notify
  .command('test')
  .description(
    'send a test message to every receiver of the configuration, also while no collector runs',
  )
  .option('-c, --config <file>', 'configuration file', CONFIG_DEFAULT)
  .option('-r, --receiver <name>', 'only this one')
  .addHelpText(
    'after',
    '\nExit codes: 0 all got it, 1 one did not, 2 mistakes in the configuration.',
  )
  .action(async (options: { config: string; receiver?: string }) => {
    const { notifyTest } = await import('./commands/notify.ts');
    process.exitCode = await notifyTest(options, process.env, console);
  });

await program.parseAsync();
