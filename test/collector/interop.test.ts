/** docs/INTEROP.md: its examples are run against a real Kafka, its lists compared with the sources. */

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findingKinds } from '../../collector/findings.ts';
import { openKafkaLog } from '../../collector/log/kafka.ts';
import type { Log } from '../../collector/log/log.ts';
import { startProcessing } from '../../collector/processing.ts';
import type { AlertEntry } from '../../collector/processor/outputs/alert.ts';
import type { AnomalyEntry } from '../../collector/processor/outputs/anomaly.ts';
import type { AuditRecord } from '../../collector/processor/outputs/audit.ts';
import type { DeviceEntry } from '../../collector/processor/outputs/device.ts';
import type { EventEntry } from '../../collector/processor/outputs/event.ts';
import { EventKind } from '../../collector/processor/outputs/event.ts';
import type { GatewayEntry } from '../../collector/processor/outputs/gateway.ts';
import type { LedgerEntry } from '../../collector/processor/outputs/ledger.ts';
import type { MarkEntry } from '../../collector/processor/outputs/mark.ts';
import type { QuarantineEntry } from '../../collector/processor/outputs/quarantine.ts';
import type { ReleaseEntry } from '../../collector/processor/outputs/release.ts';
import type { SilenceEntry } from '../../collector/processor/outputs/silence.ts';
import { OutputKind, RawKind } from '../../collector/types.ts';
import { encodeBatch } from '../../proto/batch.ts';
import type { Reading } from '../../proto/model.ts';
import { encodeState } from '../../proto/state.ts';
import { FORM_TIMEOUT_MS } from '../support/form.ts';
import { kafkaMissing } from '../support/kafka/cache.ts';
import type { KafkaCluster } from '../support/kafka.ts';
import { kafkaForTests } from '../support/kafka.ts';
import { until } from '../support/plant.ts';
import { whyNotWithout } from '../support/programs.ts';
import { STATE } from '../support/raw-records.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { headerOf, reading, sealAll, T0 } from '../support/wire.ts';

// Also when run alone, without the runner's own limit.
t.setTimeout(FORM_TIMEOUT_MS);

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/INTEROP.md'), 'utf8');
const CAUGHT_UP_WITHIN_MS = 120_000;

/** The text of the block that the page marks so. */
function example(name: string): string {
  const found = page.match(new RegExp(`\`\`\`\\w+ example=${name}\\n([\\s\\S]*?)\`\`\``));
  if (found?.[1] === undefined) throw new Error(`no example ${name}`);
  return found[1];
}

function section(title: string): string {
  const found = page.match(new RegExp(`### ${title}\\n([\\s\\S]*?)(?=\\n##)`));
  if (found?.[1] === undefined) throw new Error(`no section ${title}`);
  return found[1];
}

/** Names in the first column of the section's table. */
function fieldsOf(title: string): string[] {
  const rows = section(title)
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  return rows.flatMap((row) => namesIn(row.split('|')[1] ?? '')).sort();
}

function namesIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');
}

/** Every field of the type, by the compiler's word. */
type Fields<T> = Record<keyof Required<T>, true>;

const QUARANTINE: Fields<QuarantineEntry> = {
  site: true,
  gateway: true,
  device: true,
  reason: true,
  detail: true,
  timeMs: true,
  receivedMs: true,
  epoch: true,
  seq: true,
  count: true,
  head: true,
  reading: true,
};
const EVENT: Fields<EventEntry> = {
  site: true,
  gateway: true,
  device: true,
  timeMs: true,
  kind: true,
  severity: true,
  detail: true,
};
const LEDGER: Fields<LedgerEntry> = {
  site: true,
  gateway: true,
  epoch: true,
  openedMs: true,
  lastSeq: true,
  stored: true,
  quarantined: true,
  duplicates: true,
  gaps: true,
  gapReadings: true,
  inFlight: true,
  storedSum: true,
  quarantinedSum: true,
  sumBalance: true,
  seen: true,
  closed: true,
  balance: true,
  updatedMs: true,
};
const GATEWAY: Fields<GatewayEntry> = {
  site: true,
  gateway: true,
  online: true,
  endedCleanly: true,
  version: true,
  installId: true,
  epoch: true,
  lastSeq: true,
  bufferReadings: true,
  bufferBytes: true,
  bufferSecondsUntilEviction: true,
  clockUnsynced: true,
  clockStepMs: true,
  readers: true,
  stateMs: true,
  updatedMs: true,
};
const DEVICE: Fields<DeviceEntry> = {
  site: true,
  device: true,
  gateway: true,
  area: true,
  line: true,
  profile: true,
  intervalMs: true,
  channels: true,
  state: true,
  firstReceivedMs: true,
  lastReceivedMs: true,
  lastMs: true,
  updatedMs: true,
};
const RELEASE: Fields<ReleaseEntry> = {
  site: true,
  gateway: true,
  epoch: true,
  seq: true,
  by: true,
  releasedMs: true,
};
const ANOMALY: Fields<AnomalyEntry> = {
  id: true,
  site: true,
  gateway: true,
  device: true,
  detector: true,
  channel: true,
  state: true,
  onsetMs: true,
  peakMs: true,
  endMs: true,
  score: true,
  value: true,
  expectedLow: true,
  expectedHigh: true,
  reason: true,
  channels: true,
  maintenance: true,
  version: true,
  updatedMs: true,
};
const ALERT: Fields<AlertEntry> = {
  id: true,
  site: true,
  gateway: true,
  device: true,
  area: true,
  line: true,
  rule: true,
  severity: true,
  state: true,
  title: true,
  titleKo: true,
  summary: true,
  summaryKo: true,
  values: true,
  startedMs: true,
  firedMs: true,
  acknowledgedMs: true,
  acknowledgedBy: true,
  acknowledgedNote: true,
  resolvedMs: true,
  resolvedBy: true,
  silence: true,
  inhibitedBy: true,
  version: true,
  receivedMs: true,
  updatedMs: true,
};
const SILENCE: Fields<SilenceEntry> = {
  id: true,
  kind: true,
  site: true,
  area: true,
  line: true,
  device: true,
  rule: true,
  fromMs: true,
  untilMs: true,
  by: true,
  reason: true,
  updatedMs: true,
};
const MARK: Fields<MarkEntry> = {
  anomaly: true,
  site: true,
  gateway: true,
  device: true,
  mark: true,
  by: true,
  note: true,
  markedMs: true,
};
const AUDIT: Fields<AuditRecord> = {
  number: true,
  id: true,
  atMs: true,
  loggedMs: true,
  who: true,
  kind: true,
  from: true,
  action: true,
  site: true,
  target: true,
  detail: true,
  previousMs: true,
  previousHash: true,
  hash: true,
};
/** By kind: the section, and the fields of what the kind holds. */
const JSON_KINDS = {
  quarantine: { title: 'Quarantine entry', fields: QUARANTINE },
  event: { title: 'Event', fields: EVENT },
  ledger: { title: 'Ledger entry', fields: LEDGER },
  gateway: { title: 'Gateway', fields: GATEWAY },
  device: { title: 'Device', fields: DEVICE },
  release: { title: 'Release', fields: RELEASE },
  anomaly: { title: 'Anomaly', fields: ANOMALY },
  alert: { title: 'Alert', fields: ALERT },
  silence: { title: 'Silence', fields: SILENCE },
  mark: { title: 'Mark', fields: MARK },
  audit: { title: 'Audit entry', fields: AUDIT },
};

t.test('the page names every kind, field, finding and event', async (t) => {
  for (const { title, fields } of Object.values(JSON_KINDS))
    t.same(fieldsOf(title), Object.keys(fields).sort(), title);
  const kinds = page.match(/## Kinds of records\n([\s\S]*?)\n###/)?.[1] ?? '';
  for (const kind of [...Object.values(OutputKind), ...Object.values(RawKind)])
    t.match(kinds, `\`${kind}\``, `kind ${kind}`);
  const events = section('Event').match(/\| `kind` \| (.*)/)?.[1] ?? '';
  t.same(namesIn(events).sort(), Object.values(EventKind).sort(), 'kinds of events');
  const findings = section('Findings and treatments');
  for (const [name, { bit }] of Object.entries(findingKinds))
    t.match(findings, `| ${bit} | \`${name}\` |`, `finding ${name}`);
});

const skip = kafkaMissing() || whyNotWithout('kcat');

t.test('the examples, on a real Kafka', { skip }, async (t) => {
  const kafka = await kafkaForTests(t);
  const readings = plantReadings();
  await fill(kafka, readings);

  // Within the repository: the consumer finds protobufjs there, as with an installation of its own.
  const folder = t.testdir();
  mkdirSync(join(folder, 'proto'));
  for (const file of ['fms.proto', 'records.proto'])
    copyFileSync(join(root, 'proto', file), join(folder, 'proto', file));
  writeFileSync(join(folder, 'readings.mjs'), example('consumer'));
  const run = (name: string): string[] => {
    const env = { ...process.env, BROKER: kafka.bootstrap.join(',') };
    const output = execFileSync('bash', ['-c', `set -o pipefail; ${example(name)}`], {
      cwd: folder,
      env,
      encoding: 'utf8',
    });
    return output.trimEnd().split('\n');
  };

  t.match(run('list').join('\n'), 'topic "fms.readings" with 1 partitions');

  const shown = run('readings').map((line) => JSON.parse(line));
  const wanted = readings.map(({ device, channel, timeMs, value, quality }, i) => {
    return { site: 'demo', seq: i + 1, device, channel, timeMs, value, quality };
  });
  t.match(shown, wanted, 'the consumer shows every reading as it was');
  const documented = page.match(/```\n(\{"offset".*)\n```/)?.[1] ?? '{}';
  t.same(shown[0], JSON.parse(documented), 'the line that the page shows');

  const seen = new Set<string>();
  for (const line of run('events')) {
    const [, , , key, header, ...rest] = line.split(' ');
    const kind = header?.replace('kind=', '') as keyof typeof JSON_KINDS;
    seen.add(kind);
    if (key !== 'demo/gw1') t.fail(`key ${key}`);
    const value: unknown = JSON.parse(rest.join(' '));
    for (const entry of [value].flat() as object[])
      t.same(extraOf(entry, JSON_KINDS[kind].fields), [], `fields of ${kind}`);
  }
  t.same([...seen].sort(), ['device', 'event', 'gateway', 'ledger']);

  const raw = run('raw').map((line) => line.split(' ').slice(2));
  t.match(raw, [
    ['demo/gw1', 'kind=batch', /\d+/, 'bytes'],
    ['demo/gw1', 'kind=state', /\d+/, 'bytes'],
    ['demo/gw1', 'kind=batch', '7', 'bytes'],
  ]);
});

function extraOf(entry: object, fields: Record<string, true>): string[] {
  return Object.keys(entry).filter((name) => !(name in fields));
}

function plantReadings(): Reading[] {
  const at = (device: string, channel: string, value: Reading['value'], n = 0): Reading => ({
    ...reading(channel, 0, { timeMs: T0 + n * 1_000 }),
    device,
    value,
  });
  return [
    at('press-1', 'temperature', 21.5),
    at('press-1', 'temperature', 21.75, 1),
    at('press-1', 'temperature', 1e-12, 2),
    at('press-1', 'running', true),
    at('press-1', 'running', false, 1),
    at('press-1', 'state', 'übel', 0),
    at('press-2', 'count', 4_000_000_000),
  ];
}

/** What a gateway sends, and a payload that is none. Resolves when all of it was processed. */
async function fill(kafka: KafkaCluster, readings: readonly Reading[]): Promise<void> {
  const log: Log = await openKafkaLog({
    kafka: kafka.config('fms'),
    partitions: 1,
    maxBytes: Number.MAX_SAFE_INTEGER,
    retentionBytes: Number.MAX_SAFE_INTEGER,
    retentionMs: Number.MAX_SAFE_INTEGER,
    clock: { wallMs: () => Date.now() },
    log: silentLogger,
  });
  const append = (kind: string, value: Uint8Array) =>
    log.append('raw', 0, { key: 'demo/gw1', kind, value });
  await append(RawKind.BATCH, encodeBatch(headerOf(readings.length), sealAll(readings)));
  await append(RawKind.STATE, encodeState(STATE));
  const last = await append(RawKind.BATCH, Buffer.from('garbage'));
  const processing = startProcessing({ log, logger: silentLogger });
  await until('all is processed', CAUGHT_UP_WITHIN_MS, () =>
    processing.status().every((status) => status.position > last),
  );
  await processing.stop();
  await log.close();
}
