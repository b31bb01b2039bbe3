/**
 * Intake in a process of its own that kills itself (SIGKILL) right after the append of its n-th batch,
 * before anybody can be told: node outside-broker-child.ts URL FOLDER N
 */

import { startOutsideBroker } from '../../collector/outside_broker.ts';
import { CountingMetrics } from './broker.ts';
import { openTestLog, outsideConfig } from './outside-broker.ts';
import { silentLogger } from './silent-logger.ts';

const [url = '', folder = '', killAfter = '1'] = process.argv.slice(2);
const log = await openTestLog(folder);
let left = Number(killAfter);
const append = log.append.bind(log);
log.append = async (topic, partition, record) => {
  const offset = await append(topic, partition, record);
  if (record.kind === 'batch' && --left === 0) process.kill(process.pid, 'SIGKILL');
  return offset;
};
await startOutsideBroker({
  outside: outsideConfig(url),
  dataDir: folder,
  log,
  partitionOf: () => 0,
  clock: { wallMs: () => Date.now() },
  metrics: new CountingMetrics(),
  logger: silentLogger,
});
