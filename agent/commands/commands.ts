/** The commands of fms-agent. What only some of them need is loaded by them. */

import type { Command } from 'commander';
import { Option } from 'commander';
import { systemClock } from '../clock.ts';
import { loadEnrolmentSettings } from '../config/config.ts';
import { AgentError } from '../errors.ts';
import { readers } from '../readers/registry.ts';
import { languageOf, speakerOf } from '../words/language.ts';
import type { Say, Speaker } from '../words/say.ts';
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
import { languageOption, newParser } from './parser.ts';

/** Parses the command line and runs the command. Sets the exit code; never rejects. */
export async function main(argv: readonly string[]): Promise<void> {
  const speaker = await speakerOf(languageOf(argv.slice(2), process.env));
  const program = programOf(speaker);
  // `buffer export | head` ends when head has enough.
  process.stdout.on('error', () => process.exit(EXIT_ERROR));
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    fail(error, speaker);
  }
}

function programOf(speaker: Speaker): Command {
  const { say, retell } = speaker;
  const program = newParser('fms-agent', speaker)
    .description(say('Reads devices, buffers what they say, and delivers it to the collector.'))
    .version(version(), '-V, --version', retell('output the version number'))
    .option(
      '-c, --config <file>',
      say('configuration (default: $FMS_AGENT_CONFIG or {path})', { path: DEFAULT_CONFIG }),
    )
    .addOption(languageOption(speaker))
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_CONFIG));
  const bare = (name: string, description: string, parent = program): Command =>
    parent.command(name).description(description).addOption(languageOption(speaker));
  const command = (name: string, description: string, parent = program): Command =>
    bare(name, description, parent).option('-c, --config <file>', say('configuration'));
  command('run', say('run until stopped; SIGHUP reads the configuration again')).action(
    async (options, from) => {
      const { run } = await import('../run.ts');
      // Its words go to the journal, which is in English; see decision 0039.
      const start = run({ path: given(options, from), version: version(), load });
      await start.catch((error: unknown) => fail(error));
    },
  );
  command('check', say('check the configuration, then read each device once')).action(
    async (options, from) => check(given(options, from), speaker),
  );
  addEnrol(
    command('enroll', say('get a certificate from the collector: the first one, or a new one')),
    speaker,
  );
  command('status', say('tell how the running agent is'))
    .option('--json', say('as JSON'))
    .action(async (options: { json?: boolean }, from) => {
      await status(given(options, from), options.json === true, speaker);
    });
  bare(
    'self-test',
    say('try what depends on this machine: database, encryption, compression, TLS'),
  ).action(async () => {
    const { selfTest } = await import('./self-test.ts');
    if (!(await selfTest(print, speaker))) process.exitCode = EXIT_ERROR;
  });
  program
    .command('schema', { hidden: true })
    .description(say('print the JSON Schema of the configuration (agent/config.schema.json)'))
    .action(async () => {
      const { publishedSchema } = await import('../config/schema.ts');
      print(`${JSON.stringify(publishedSchema(readers), undefined, 2)}\n`);
    });
  const buffer = bare('buffer', say('look into the buffer; the agent is stopped'));
  addBufferCommands((name, description) => command(name, description, buffer), speaker);
  return program;
}

function given(_: unknown, from: Command): string {
  const { config = process.env.FMS_AGENT_CONFIG ?? DEFAULT_CONFIG } = from.optsWithGlobals<{
    config?: string;
  }>();
  return config;
}

function addEnrol(command: Command, speaker: Speaker): void {
  const { say } = speaker;
  command
    .alias('enrol')
    .argument('<url>', 'mqtts://collector:8883')
    .argument('[token]', say('what `fms-collector gateway add` printed; -: from standard input'))
    .option('--token-file <file>', say('the file that holds the token'))
    .option('--ca-fingerprint <hex>', say("without a token: of the collector's authority"))
    .option('--site <name>', say('without a token: who this gateway wants to be'))
    .option('--gateway <name>')
    .action(
      async (
        url: string,
        token: string | undefined,
        options: Omit<EnrolArguments, 'url' | 'token'>,
        from: Command,
      ) => {
        await enroll(given(options, from), { ...options, url, token }, speaker);
      },
    );
}

function addBufferCommands(
  command: (name: string, description: string) => Command,
  speaker: Speaker,
): void {
  const { say } = speaker;
  const bufferCommand = (name: string, description: string): Command =>
    command(name, description).option(
      '--key-file <file>',
      say(
        'keys of an encrypted buffer (default: buffer.key_file; by hand, where the service gets them from)',
      ),
    );
  bufferCommand('check', say('read every page and every chunk')).action(
    (options: BufferFlags, from) =>
      withBuffer(given(options, from), options, speaker, ({ runCheck }, place) =>
        runCheck(place, print, speaker),
      ),
  );
  bufferCommand('repair', say('save what can be read into a new file')).action(
    (options: BufferFlags, from) =>
      withBuffer(given(options, from), options, speaker, ({ runRepair }, place) =>
        runRepair(place, print, speaker),
      ),
  );
  bufferCommand('export', say('write all readings to standard output'))
    .addOption(new Option('--format <format>').choices(['jsonl', 'csv']).default('jsonl'))
    .action((options: BufferFlags & { format: 'jsonl' | 'csv' }, from) =>
      withBuffer(given(options, from), options, speaker, ({ runExport }, place) => {
        const tell = (text: string): void => void process.stderr.write(text);
        return runExport(place, options.format, process.stdout, tell, speaker);
      }),
    );
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
  speaker: Speaker,
  work: (commands: typeof import('./buffer.ts'), place: BufferPlace) => Promise<void> | void,
): Promise<void> {
  const config = load(path, speaker);
  if (config === undefined) return;
  const commands = await import('./buffer.ts');
  const credentialsDir = process.env.CREDENTIALS_DIRECTORY;
  await work(commands, commands.placeOf(config, { keyFile, credentialsDir }));
}

async function check(path: string, speaker: Speaker): Promise<void> {
  const { say, retell } = speaker;
  const config = load(path, speaker);
  if (config === undefined) return;
  const { readBufferKeys } = await import('../buffer/keys.ts');
  const credentialsDir = process.env.CREDENTIALS_DIRECTORY;
  // Whether there has to be a key only the service can tell.
  const source = { keyFile: config.buffer.keyFile, credentialsDir, encrypt: undefined };
  for (const warning of readBufferKeys(source).warnings) {
    process.stderr.write(`${retell(warning)}\n`);
  }
  const { checkDevices, isUsable, renderReports } = await import('./check.ts');
  if (config.devices.length === 0) {
    const text = say('{path} is right, but there are no devices yet.', { path });
    print(`${text} ${noDevices(path, say)}`);
    return;
  }
  const { length: count } = config.devices;
  print(`${say('{path} is right; reading {count} devices once', { path, count })}\n`);
  const deps = { clock: systemClock, env: process.env };
  const reports = await checkDevices(config.devices, readers, deps);
  print(renderReports(reports, speaker));
  const failed = reports.filter((report) => !isUsable(report)).map(({ device }) => device);
  if (failed.length > 0) fail(new AgentError('AGENT_CHECK_FAILED', failed.join(', ')), speaker);
}

/** What to do about it; of the package, when it is the package's configuration. */
function noDevices(path: string, say: Say): string {
  if (path !== DEFAULT_CONFIG) {
    return `${say('They belong into "devices", there or in conf.d/*.yaml.')}\n`;
  }
  return `${say('To do:')}
  sudo cp /usr/share/fms-agent/devices.yaml /etc/fms-agent/conf.d/
  sudo editor /etc/fms-agent/conf.d/devices.yaml
  sudo fms-agent check
  sudo systemctl reload fms-agent
`;
}

/** Needs no more of the configuration than it says so far. */
async function enroll(path: string, args: EnrolArguments, speaker: Speaker): Promise<void> {
  const loaded = loadEnrolmentSettings({
    path,
    env: process.env,
    readerTypes: readers,
    speaker,
  });
  if (!loaded.ok) {
    tellMistakes(loaded.mistakes, speaker);
    return;
  }
  const { enrol } = await import('./enrol.ts');
  const { settings } = loaded;
  const { stdin: input } = process;
  await enrol(args, { settings, version: version(), clock: systemClock, input, print, speaker });
}

async function status(path: string, asJson: boolean, speaker: Speaker): Promise<void> {
  const config = load(path, speaker);
  if (config === undefined) return;
  const { fetchStatus } = await import('../status/client.ts');
  const answer = await fetchStatus(config);
  if (asJson) process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
  else {
    const { renderStatus } = await import('../status/text.ts');
    print(renderStatus(answer, speaker));
  }
}
