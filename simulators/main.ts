#!/usr/bin/env node
/** fms-sim: simulated devices, recordings, load and the demo. */

import { Command, InvalidArgumentError, Option } from 'commander';
import { SimError } from './errors.ts';

const program = new Command('fms-sim')
  .description('Simulated devices, recordings and load for FMS')
  .showHelpAfterError('(--help shows the options)');

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('not a whole number');
  return value;
}

function speedOf(text: string): number {
  const value = text === 'max' ? 0 : Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('a number or max');
  return value;
}

function instantOf(text: string): number {
  const value = Date.parse(text);
  if (Number.isNaN(value)) throw new InvalidArgumentError('not an ISO 8601 time');
  return value;
}

const collect = (value: string, all: string[]): string[] => [...all, value];

program
  .command('devices')
  .description('serve simulated FMS devices over HTTP')
  .option('--config <file>', 'YAML file (simulators/devices.yaml when left out)')
  .option('--host <address>', 'address to listen on')
  .option('--port <number>', 'port to listen on', integer)
  .option('--devices <number>', 'how many devices; more than the file has are made alike', integer)
  .option('--seed <seed>', 'seed of all values')
  .option('--truth <file>', 'append everything that is sent to this file')
  .option('--fault <spec>', 'DEVICE:FAULT[:CHANNEL][,key=value…], repeatable', collect, [])
  .action(async (options) => {
    const { runDevices } = await import('./commands/devices.ts');
    await runDevices(options);
  });

program
  .command('modbus')
  .description('serve simulated devices over Modbus TCP')
  .option('--config <file>', 'YAML file (simulators/modbus.yaml when left out)')
  .option('--host <address>', 'address to listen on')
  .option('--port <number>', 'port to listen on', integer)
  .option('--control-port <number>', 'port of /_faults on this machine', integer)
  .option('--seed <seed>', 'seed of all values')
  .option('--truth <file>', 'append everything that is sent to this file')
  .option('--fault <spec>', 'DEVICE:FAULT[:CHANNEL][,key=value…], repeatable', collect, [])
  .action(async (options) => {
    const { runModbus } = await import('./commands/modbus.ts');
    await runModbus(options);
  });

program
  .command('replay')
  .description('write a recording (CSV, also .gz) as JSON lines, for the reader `command`')
  .argument('<file>', 'CSV file with a header')
  .option('--time <column>', 'time column (guessed: ts, time, timestamp, seconds)')
  .option('--device-column <column>', 'device column (guessed: group, device); - for none')
  .option('--only-device <value>', 'only rows with this value in the device column')
  .option('--device <name>', 'device name to send')
  .option('--device-prefix <text>', 'put before the value of the device column', '')
  .option(
    '--speed <factor>',
    'times the recorded pace; max or 0: as fast as it is read',
    speedOf,
    1,
  )
  .option('--max-pause-s <seconds>', 'shorten longer pauses of the recording to this', integer)
  .option(
    '--start <time>',
    'what second 0 of a relative time column means',
    instantOf,
    946_684_800_000,
  )
  .option('--zone-minutes <minutes>', 'zone of times without one, east of UTC', Number, 0)
  .option('--position <file>', 'keep the position here; a new start goes on after it')
  .option('--truth <file>', 'append every row to this file before it is sent')
  .option('--end-with-stdin', 'end when standard input is closed')
  .action(async (file, options) => {
    const { runReplay } = await import('./commands/replay.ts');
    await runReplay(file, options);
  });

program
  .command('fleet')
  .description('many gateways on one collector, over real MQTT with the real codec')
  .option('--url <url>', 'MQTT address of the collector', 'mqtt://127.0.0.1:1883')
  .option('--site <name>', 'site of the gateways', 'demo')
  .option('--prefix <text>', 'gateways are named by this and 1, 2, 3 …', 'fleet')
  .option('--gateways <number>', 'how many', integer, 10)
  .option('--devices <number>', 'devices of a gateway', integer, 5)
  .option('--channels <number>', 'channels of a device', integer, 7)
  .option('--rate <number>', 'rows a second of each device', Number, 1)
  .option('--batch-ms <number>', 'a gateway publishes a batch so often', integer, 1_000)
  .option('--seconds <number>', 'how long; left out: until Ctrl-C', Number)
  .option('--token <token>', 'the token of every gateway (or FMS_SIM_TOKEN)')
  .option('--tokens <file>', 'JSON object of site/gateway → token')
  .option(
    '--identities <file>',
    'certificates for mqtts://; made by enrolling with one-time --tokens when it is not there',
  )
  .addOption(
    new Option('--mode <mode>', 'how batches are made: simulators/fleet-source.ts says more')
      .choices(['live', 'chunks', 'payload'])
      .default('live'),
  )
  .option('--window <number>', 'unacknowledged batches of a gateway', integer, 8)
  .option('--seed <seed>', 'seed of all values', '1')
  .option('--api <url>', 'address of the collector, to ask its ledger what was stored')
  .option('--truth <file>', 'append every row to this file before it is sent')
  .option('--json', 'the report as one JSON object on the last line')
  .action(async (options) => {
    const { runFleetCommand } = await import('./commands/fleet.ts');
    process.exitCode = await runFleetCommand(options);
  });

const port = (name: string, use: string): Option =>
  new Option(`--${name}-port <number>`, `port of the ${use}`)
    .env(`FMS_${name.toUpperCase()}_PORT`)
    .argParser(integer);

program
  .command('demo')
  .description('simulated devices, agent and collector on this machine, until Ctrl-C')
  .addOption(new Option('--data <folder>', 'data folder').env('FMS_DATA').default('./fms-data'))
  .addOption(port('http', 'page and API'))
  .addOption(port('mqtt', 'MQTT broker'))
  .addOption(port('sim', 'simulated devices'))
  .addOption(port('status', "agent's status"))
  .option('--replay <file>', 'a recording (CSV, also .gz) instead of simulated devices')
  .option('--speed <factor>', 'times the recorded pace, or max', '60')
  .option('--time <column>', 'time column of the recording')
  .option('--device-column <column>', 'device column of the recording; - for none')
  .option('--no-open', 'no effect: no browser is ever opened')
  .action(async (options) => {
    const { runDemoCommand } = await import('./commands/demo.ts');
    process.exitCode = await runDemoCommand(options);
  });

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof SimError) {
    process.stderr.write(`${error.message}\n  ${error.hint}\n`);
    process.exitCode =
      error.code === 'SIM_CONFIG_INVALID' || error.code === 'SIM_OPTION_INVALID' ? 2 : 1;
  } else {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 1;
  }
}
