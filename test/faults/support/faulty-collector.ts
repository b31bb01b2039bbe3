/**
 * The collector as `fms-collector run` wires it, with its log wrapped so that a test can make it fail
 * while everything runs: `node test/faults/support/faulty-collector.ts run --config FILE`. A POST to
 * /MODE (log-control.ts) on the loopback port FMS_TEST_CONTROL_PORT switches; the answer says how many
 * appends hang.
 */

import { createServer } from 'node:http';
import { startCollector } from '../../../collector/collector.ts';
import { loadConfig } from '../../../collector/config.ts';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import { createLogger } from '../../../collector/logger.ts';
import { RawKind } from '../../../collector/types.ts';
import type { AppendFault } from '../../support/faulty-log.ts';
import { FaultyLog } from '../../support/faulty-log.ts';
import type { LogMode } from './log-control.ts';

const FAULTS: Record<LogMode, AppendFault | undefined> = {
  none: undefined,
  refuse: 'refuse',
  'refuse-batches': 'refuse',
  hang: 'hang',
  'fail-after-storing': 'fail-after-storing',
};

let log: FaultyLog | undefined;

function switchTo(mode: string): void {
  if (log === undefined) throw new Error('the log is not open yet');
  if (!(mode in FAULTS)) throw new Error(`no mode ${mode}`);
  log.appendFault = FAULTS[mode as LogMode];
  log.faultHits = (_topic, { kind }) => mode !== 'refuse-batches' || kind === RawKind.BATCH;
  // A disk that takes no records takes no positions either.
  log.refuseRest = mode === 'refuse';
  if (mode !== 'hang') log.release();
}

const control = createServer((request, response) => {
  try {
    if (request.method === 'POST') switchTo((request.url ?? '').slice(1));
    response.end(JSON.stringify({ held: log?.held ?? 0 }));
  } catch (error) {
    response.writeHead(400).end(String(error));
  }
});
control.listen(Number(process.env.FMS_TEST_CONTROL_PORT), '127.0.0.1');

const file = process.argv[process.argv.indexOf('--config') + 1];
if (file === undefined) throw new Error('usage: run --config FILE');
const logger = createLogger('info');
const collector = await startCollector(loadConfig(file), {
  clock: { wallMs: () => Date.now() },
  logger,
  version: '0.0.0-test',
  openLog: async (options) => {
    log = new FaultyLog(await openSqliteLog(options));
    return log;
  },
});
process.once('SIGTERM', () => {
  control.close();
  control.closeAllConnections();
  void collector.stop().then(() => process.exit(0));
});
const failure = await collector.failed;
if (failure !== undefined) throw failure;
