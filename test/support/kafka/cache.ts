/**
 * The Kafka broker of the tests, fetched once per machine: its jars and an empty cluster's first records.
 * In `$FMS_TEST_CACHE`, else `~/.cache/fms-tests`, or in the system's folder for temporary files when
 * that cannot be written.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../programs.ts';

const POM = join(import.meta.dirname, 'pom.xml');
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';
const FETCH_TIMEOUT_MS = 300_000;
const FORMAT_TIMEOUT_MS = 60_000;
/** Changes with what is prepared here. */
const LAYOUT = 1;

/** Who may log in with SCRAM; PLAIN has the same. */
export const KAFKA_USER = 'fms';
export const KAFKA_PASSWORD = 'fms-kafka-secret';

export interface KafkaFiles {
  /** For `java -cp`. */
  classPath: string;
  /** `bootstrap.checkpoint` of a formatted data folder: features and users. The same for each node. */
  checkpoint: string;
  /** What archiveClasses() makes (classes.ts): Java need not read and check them again. May not be there. */
  classes: string;
}

/** Undefined until fetchKafka has run on this machine. */
export function kafkaFiles(): KafkaFiles | undefined {
  const folder = cacheFolders()
    .map((cache) => join(cache, folderName()))
    .find((path) => existsSync(path));
  if (folder === undefined) return undefined;
  return {
    classPath: join(folder, 'jars', '*'),
    checkpoint: join(folder, 'bootstrap.checkpoint'),
    classes: join(folder, 'classes.jsa'),
  };
}

/** What `skip` of a test is: why there is no Kafka. With CI=true never: the test fails instead. */
export function kafkaMissing(): string | false {
  if (process.env.CI === 'true') return false;
  if (findProgram('java') === undefined) return 'needs java: npm test says what to install';
  return kafkaFiles() === undefined ? "needs Kafka's jars: node test/setup.ts fetches them" : false;
}

/** Asks Maven for the jars, and makes what each broker's folder begins with. Throws with Maven's words. */
export function fetchKafka(): void {
  if (kafkaFiles() !== undefined) return;
  const cache = writableCache();
  const work = mkdtempSync(join(cache, 'kafka-'));
  try {
    const jars = join(work, 'jars');
    // Not beside the sources: Maven may want to write a folder `target`.
    cpSync(POM, join(work, 'pom.xml'));
    const args = ['-q', '-B', '-f', join(work, 'pom.xml'), COPY, `-DoutputDirectory=${jars}`];
    // Maven wants to keep what it loads, else in the home folder.
    if (!isWritable(homedir())) args.push(`-Dmaven.repo.local=${join(cache, 'maven')}`);
    run('mvn', args, { timeout: FETCH_TIMEOUT_MS });
    format(work, join(jars, '*'));
    rmSync(join(work, 'pom.xml'));
    renameSync(work, join(cache, folderName()));
  } catch (error) {
    // Another process may have been quicker.
    if (kafkaFiles() === undefined) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function format(work: string, classPath: string): void {
  const data = join(work, 'data');
  const properties = join(work, 'format.properties');
  writeFileSync(
    properties,
    [
      'process.roles=broker,controller',
      'node.id=1',
      'controller.quorum.voters=1@127.0.0.1:9093',
      'controller.listener.names=CONTROLLER',
      'listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
      `log.dirs=${data}`,
    ].join('\n'),
  );
  const user = `[name=${KAFKA_USER},password=${KAFKA_PASSWORD}]`;
  const users = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((m) => ['-S', `${m}=${user}`]);
  const tool = ['-Xmx128m', '-cp', classPath, 'kafka.tools.StorageTool', 'format'];
  run('java', [...tool, '-c', properties, '-t', 'fms-kafka-for-the-test', ...users], {
    timeout: FORMAT_TIMEOUT_MS,
  });
  renameSync(join(data, 'bootstrap.checkpoint'), join(work, 'bootstrap.checkpoint'));
  rmSync(data, { recursive: true });
  rmSync(properties);
}

function run(program: string, args: string[], options: { timeout: number }): void {
  const path = findProgram(program);
  if (path === undefined) throw new Error(`${program} is not installed`);
  try {
    execFileSync(path, args, { ...options, stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: Buffer; stderr?: Buffer };
    const said = `${stdout ?? ''}${stderr ?? ''}`.trim();
    throw new Error(`${program} failed: ${said || String(error)}`, { cause: error });
  }
}

function folderName(): string {
  const content = createHash('sha256').update(readFileSync(POM)).digest('hex').slice(0, 12);
  return `kafka-${LAYOUT}-${content}`;
}

function cacheFolders(): string[] {
  const named = process.env.FMS_TEST_CACHE;
  if (named !== undefined && named !== '') return [named];
  return [join(homedir(), '.cache', 'fms-tests'), join(tmpdir(), `fms-tests-${userInfo().uid}`)];
}

function writableCache(): string {
  const folder = cacheFolders().find((path) => {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch {
      return false;
    }
    return isWritable(path);
  });
  if (folder === undefined) throw new Error(`none can be written: ${cacheFolders().join(', ')}`);
  return folder;
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
