/** The commands of fms-agent. What only some of them need is loaded by them. */

import { Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { loadEnrolmentSettings } from '../config/config.ts';
import { AgentError } from '../errors.ts';
import { readers } from '../readers/registry.ts';
import type { BufferPlace } from './buffer.ts';
import {
  DEFAULT_CONFIG,
  EXIT_CONFIG,
  EXIT_ERROR,
  fail,
  load,
  tellMistakes,
  version,
} from './command-line.ts';
import type { EnrolArguments } from './enrol.ts';

/** Parses the command line and runs the command. Sets the exit code; never rejects. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('fms-agent')
    .description('Reads devices, buffers what they say, and delivers it to the collector.')
    .version(version())
    .option(
      '-c, --config <file>',
      `configuration (default: $FMS_AGENT_CONFIG or ${DEFAULT_CONFIG})`,
    )
    .showSuggestionAfterError()
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_CONFIG));
  const command = (name: string, description: string, parent = program): Command =>
    parent.command(name).description(description).option('-c, --config <file>', 'configuration');
  const given = (_: unknown, from: Command): string => {
    const { config = process.env.FMS_AGENT_CONFIG ?? DEFAULT_CONFIG } = from.optsWithGlobals<{
      config?: string;
    }>();
    return config;
  };
  command('run', 'run until stopped; SIGHUP reads the configuration again').action(
    async (options, from) => {
      const { run } = await import('../run.ts');
      await run({ path: given(options, from), version: version(), load });
    },
  );
  command('check', 'check the configuration, then read each device once').action(
    async (options, from) => check(given(options, from)),
  );
  command('enroll', 'get a certificate from the collector: the first one, or a new one')
    .alias('enrol')
    .argument('<url>', 'mqtts://collector:8883')
    .argument('[token]', 'what `fms-collector gateway add` printed; -: from standard input')
    .option('--token-file <file>', 'the file that holds the token')
    .option('--ca-fingerprint <hex>', "without a token: of the collector's authority")
    .option('--site <name>', 'without a token: who this gateway wants to be')
    .option('--gateway <name>')
    .action(
      async (
        url: string,
        token: string | undefined,
        options: Omit<EnrolArguments, 'url' | 'token'>,
        from: Command,
      ) => {
        await enroll(given(options, from), { ...options, url, token });
      },
    );
  command('status', 'tell how the running agent is')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }, from) => {
      await status(given(options, from), options.json === true);
    });
  program
    .command('self-test')
    .description('try what depends on this machine: database, encryption, compression, TLS')
    .action(async () => {
      const { selfTest } = await import('./self-test.ts');
      if (!(await selfTest(print))) process.exitCode = EXIT_ERROR;
    });
  program
    .command('schema', { hidden: true })
    .description('print the JSON Schema of the configuration (agent/config.schema.json)')
    .action(async () => {
      const { publishedSchema } = await import('../config/schema.ts');
      print(`${JSON.stringify(publishedSchema(readers), undefined, 2)}\n`);
    });
  const buffer = program
    .command('buffer')
    .description('look into the buffer; the agent is stopped');
  const bufferCommand = (name: string, description: string): Command =>
    command(name, description, buffer).option(
      '--key-file <file>',
      'keys of an encrypted buffer (default: buffer.key_file; by hand, where the service gets them from)',
    );
  bufferCommand('check', 'read every page and every chunk').action((options: BufferFlags, from) =>
    withBuffer(given(options, from), options, ({ runCheck }, place) => runCheck(place, print)),
  );
  bufferCommand('repair', 'save what can be read into a new file').action(
    (options: BufferFlags, from) =>
      withBuffer(given(options, from), options, ({ runRepair }, place) => runRepair(place, print)),
  );
  bufferCommand('export', 'write all readings to standard output')
    .addOption(new Option('--format <format>').choices(['jsonl', 'csv']).default('jsonl'))
    .action((options: BufferFlags & { format: 'jsonl' | 'csv' }, from) =>
      withBuffer(given(options, from), options, ({ runExport }, place) =>
        runExport(place, options.format, process.stdout, (text) => process.stderr.write(text)),
      ),
    );
  // `buffer export | head` ends when head has enough.
  process.stdout.on('error', () => process.exit(EXIT_ERROR));
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    fail(error);
  }
}

function print(text: string): void {
  process.stdout.write(text);
}

interface BufferFlags {
  keyFile?: string;
}

async function withBuffer(
  path: string,
  { keyFile }: BufferFlags,
  work: (commands: typeof import('./buffer.ts'), place: BufferPlace) => Promise<void> | void,
): Promise<void> {
  const config = load(path);
  if (config === undefined) return;
  const commands = await import('./buffer.ts');
  const credentialsDir = process.env.CREDENTIALS_DIRECTORY;
  await work(commands, commands.placeOf(config, { keyFile, credentialsDir }));
}

async function check(path: string): Promise<void> {
  const config = load(path);
  if (config === undefined) return;
  const { readBufferKeys } = await import('../buffer/keys.ts');
  const credentialsDir = process.env.CREDENTIALS_DIRECTORY;
  // Whether there has to be a key only the service can tell.
  const source = { keyFile: config.buffer.keyFile, credentialsDir, encrypt: undefined };
  for (const warning of readBufferKeys(source).warnings) process.stderr.write(`${warning}\n`);
  const { checkDevices, isUsable, renderReports } = await import('./check.ts');
  if (config.devices.length === 0) {
    process.stdout.write(`${path} is right, but there are no devices yet. ${noDevices(path)}`);
    return;
  }
  process.stdout.write(`${path} is right; reading ${config.devices.length} devices once\n`);
  const deps = { clock: systemClock, env: process.env };
  const reports = await checkDevices(config.devices, readers, deps);
  process.stdout.write(renderReports(reports));
  const failed = reports.filter((report) => !isUsable(report)).map(({ device }) => device);
  if (failed.length > 0) fail(new AgentError('AGENT_CHECK_FAILED', failed.join(', ')));
}

/** What to do about it; of the package, when it is the package's configuration. */
function noDevices(path: string): string {
  if (path !== DEFAULT_CONFIG) return 'They belong into "devices", there or in conf.d/*.yaml.\n';
  return `To do:
  sudo cp /usr/share/fms-agent/devices.yaml /etc/fms-agent/conf.d/
  sudo editor /etc/fms-agent/conf.d/devices.yaml
  sudo fms-agent check
  sudo systemctl reload fms-agent
`;
}

/** Needs no more of the configuration than it says so far. */
async function enroll(path: string, args: EnrolArguments): Promise<void> {
  const loaded = loadEnrolmentSettings({ path, env: process.env, readerTypes: readers });
  if (!loaded.ok) {
    tellMistakes(loaded.mistakes);
    return;
  }
  const { enrol } = await import('./enrol.ts');
  const { settings } = loaded;
  const deps = { settings, version: version(), clock: systemClock, input: process.stdin, print };
  await enrol(args, deps);
}

async function status(path: string, asJson: boolean): Promise<void> {
  const config = load(path);
  if (config === undefined) return;
  const { fetchStatus } = await import('../status/client.ts');
  const answer = await fetchStatus(config);
  if (asJson) process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
  else {
    const { renderStatus } = await import('../status/text.ts');
    process.stdout.write(renderStatus(answer));
  }
}
