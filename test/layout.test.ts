/** Keeps the layout that docs/ARCHITECTURE.md describes: who may import what, and where things live. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';

const root = join(import.meta.dirname, '..');

function listFiles(): string[] {
  const output = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  return output.split('\n').filter((file) => file !== '');
}

interface Import {
  file: string;
  /** A repository path ('proto/model.ts') or a package name ('mqtt', 'node:fs'). */
  target: string;
  typeOnly: boolean;
}

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

function packageName(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? specifier);
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(IMPORT)].map((match) => {
    const specifier = match[2] ?? match[3] ?? '';
    const target = specifier.startsWith('.')
      ? normalize(join(dirname(file), specifier))
      : packageName(specifier);
    return { file, target, typeOnly: match[1] !== undefined };
  });
}

const allFiles = listFiles();
const sources = allFiles.filter((file) =>
  /^(proto|agent|collector|simulators)\/.*\.tsx?$/.test(file),
);
const imports = sources.flatMap(importsOf);

/** A file of this repository, as against a package or a builtin. */
function isOurs(target: string): boolean {
  return target.includes('/') && !target.startsWith('@') && !target.startsWith('node:');
}

function offenders(isOffence: (entry: Import) => boolean): string[] {
  return imports.filter(isOffence).map((entry) => `${entry.file} imports ${entry.target}`);
}

function within(folder: string, path: string): boolean {
  return path.startsWith(`${folder}/`);
}

t.test('the scan sees the sources and their imports', async (t) => {
  t.ok(sources.length > 20, `${sources.length} source files`);
  t.ok(imports.some((entry) => entry.target === 'proto/model.ts'));
  t.ok(imports.some((entry) => entry.target === 'mqtt'));
});

t.test('programs import proto/, never each other', async (t) => {
  for (const [folder, allowed] of [
    ['proto', ['proto']],
    ['agent', ['agent', 'proto']],
    ['collector', ['collector', 'proto']],
    ['simulators', ['simulators', 'proto']],
  ] as const) {
    t.same(
      offenders(
        (entry) =>
          within(folder, entry.file) &&
          isOurs(entry.target) &&
          !allowed.some((name) => within(name, entry.target)),
      ),
      [],
      `${folder}/ imports only ${allowed.join(', ')}`,
    );
  }
});

t.test('the pages stand alone: they know the collector by its API only', async (t) => {
  const web = (path: string) => within('collector/web', path);
  t.ok(sources.some((file) => web(file) && file.endsWith('.tsx')));
  t.same(
    offenders(
      (entry) =>
        isOurs(entry.target) &&
        entry.target.startsWith('collector/') &&
        web(entry.file) !== web(entry.target),
    ),
    [],
  );
});

t.test('the processor is pure', async (t) => {
  const forbidden =
    /^node:(fs|net|http|https|tls|dgram|child_process|worker_threads|timers|os|process)$/;
  const pure = (file: string) => within('collector/processor', file);
  t.same(
    offenders(
      (entry) =>
        pure(entry.file) &&
        (forbidden.test(entry.target) ||
          (isOurs(entry.target) &&
            !within('collector/processor', entry.target) &&
            !within('proto', entry.target) &&
            ![
              'collector/types.ts',
              'collector/errors.ts',
              'collector/expressions.ts',
              'collector/findings.ts',
              'collector/profile.ts',
              'collector/alert.ts',
              'collector/quality/score.ts',
              'collector/log/log.ts',
              'collector/store/store.ts',
            ].includes(entry.target))),
    ),
    [],
  );
  const impure = sources
    .filter(pure)
    .filter((file) =>
      /\bDate\.now\(|\bnew Date\(\)|\bsetTimeout\(|\bsetInterval\(|\bperformance\.now\(|\bMath\.random\(/.test(
        readFileSync(join(root, file), 'utf8'),
      ),
    );
  t.same(impure, [], 'no clock, timer or chance in collector/processor');
});

t.test('one owner for each package', async (t) => {
  const owners: Record<string, readonly string[]> = {
    mqtt: ['agent/forwarder', 'collector/outside_broker', 'simulators/fleet'],
    aedes: ['collector/broker'],
    'better-sqlite3': ['agent/buffer', 'collector/log/sqlite'],
    '@clickhouse/client': ['collector/store/chdb', 'collector/store/clickhouse'],
    '@platformatic/kafka': ['collector/log/kafka'],
    chdb: ['collector/store/chdb'],
    '@grafana/grafana-foundation-sdk': ['collector/grafana/src'],
    fastify: ['collector/api'],
    '@fastify/static': ['collector/api'],
    '@fastify/cookie': ['collector/api/guard'],
    '@fastify/rate-limit': ['collector/api/rate_limits'],
    react: ['collector/web'],
    'react-dom': ['collector/web'],
    '@tanstack/react-query': ['collector/web'],
    wouter: ['collector/web'],
    uplot: ['collector/web/src/chart'],
    protobufjs: ['proto'],
    'modbus-serial': ['agent/readers/modbus', 'simulators/modbus'],
    jsmodbus: ['agent/readers/modbus', 'simulators/modbus'],
    '@marcbachmann/cel-js': ['collector/expressions'],
    'node-cron': ['collector/jobs/schedule'],
    'csv-parse': ['collector/backtest/recording', 'simulators/recording'],
    nodemailer: ['collector/notifiers/email'],
    'prom-client': ['collector/metrics/registry'],
    '@peculiar/x509': ['collector/trust'],
    'reflect-metadata': ['collector/trust'],
    pino: ['agent/main', 'agent/logger', 'collector/main', 'collector/logger'],
  };
  for (const [name, places] of Object.entries(owners)) {
    t.same(
      offenders(
        (entry) =>
          entry.target === name &&
          !entry.typeOnly &&
          !places.some((place) => entry.file.startsWith(place)),
      ),
      [],
      `${name} is imported only by ${places.join(', ')}`,
    );
  }
});

t.test('stages do not import stages', async (t) => {
  const stages: Record<string, RegExp> = {
    'agent/readers': /^agent\/(buffer|forwarder)/,
    'agent/buffer': /^agent\/(readers|forwarder|runner)/,
    'agent/forwarder': /^agent\/(readers|runner|buffer)/,
    'agent/runner': /^agent\/(readers|forwarder|buffer)/,
    'collector/broker': /^collector\/(store|processor|api|log\/sqlite)/,
    'collector/log': /^collector\/(store|processor|api|broker)/,
    'collector/processor': /^collector\/(api|broker|log\/sqlite)/,
    'collector/store': /^collector\/(api|broker|jobs|log\/sqlite)/,
    'collector/notifiers': /^collector\/(api|broker|store|processing|log\/sqlite)/,
    'collector/jobs': /^collector\/(api|broker|log|processor)/,
    'collector/query': /^collector\/(api|broker|log|processor|store\/(chdb|clickhouse))/,
    'collector/api': /^collector\/(broker|log\/sqlite|store\/chdb|processing)/,
  };
  for (const [stage, forbidden] of Object.entries(stages)) {
    t.same(
      offenders(
        (entry) => entry.file.startsWith(stage) && !entry.typeOnly && forbidden.test(entry.target),
      ),
      [],
      `${stage} stands alone`,
    );
  }
});

t.test('no circles among the sources', async (t) => {
  const edges = new Map<string, string[]>();
  for (const entry of imports) {
    if (isOurs(entry.target)) {
      edges.set(entry.file, [...(edges.get(entry.file) ?? []), entry.target]);
    }
  }
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) {
      circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      return;
    }
    if (done.has(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of sources) visit(file, []);
  t.same(circles, []);
});

t.test('no catch-all folders, no barrels, no inline type imports', async (t) => {
  t.same(
    allFiles.filter((file) => /(^|\/)(common|utils?|helpers?|misc|shared)(\/|\.ts$)/.test(file)),
    [],
  );
  const barrels = sources.filter((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return /^export\s+(\*|\{[^}]*\})\s+from\s/m.test(text);
  });
  t.same(barrels, [], 'no file re-exports another');
  const inline = [...sources, ...allFiles.filter((file) => /^test\/.*\.ts$/.test(file))].filter(
    (file) => /import\s+\{[^}]*\btype\s+[A-Z]/.test(readFileSync(join(root, file), 'utf8')),
  );
  t.same(inline, [], '`import type { … }` on a line of its own');
});

t.test('top level and test folder hold what they are for', async (t) => {
  const allowed =
    /^(agent|collector|proto|simulators|packaging|test|docs|\.ci)\/|^(package\.json|package-lock\.json|tsconfig\.json|biome\.json|\.taprc|\.gitignore|\.npmrc|README\.md|README\.ko\.md|CONTRIBUTING\.md|CHANGELOG\.md|LICENSE)$/;
  t.same(
    allFiles.filter((file) => !allowed.test(file)),
    [],
  );
  const strays = allFiles.filter(
    (file) =>
      /^test\/.*\.ts$/.test(file) &&
      !file.endsWith('.test.ts') &&
      !/^test\/(support|contracts|bench|faults\/support)\//.test(file) &&
      file !== 'test/setup.ts' &&
      file !== 'test/screenshots.ts' &&
      file !== 'test/faults/main.ts',
  );
  t.same(strays, [], 'every test file is run (*.test.ts), or lives where support belongs');
});
