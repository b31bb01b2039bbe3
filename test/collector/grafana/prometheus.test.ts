/** Prometheus: promtool finds configuration, rules and their tests right; every metric named is there. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { dashboardFiles } from '../../../collector/grafana/src/files.ts';
import { makeRig } from '../../support/agent-process.ts';
import { headingsOf } from '../../support/grafana-docs.ts';
import { prometheusQueries } from '../../support/grafana-queries.ts';
import { findProgram, whyNotWithout } from '../../support/programs.ts';
import { TestCollector } from '../../support/running-collector.ts';

const root = join(import.meta.dirname, '../../..');
const folder = join(root, 'collector/grafana/prometheus');
const skip = whyNotWithout('promtool');
t.setTimeout(1_200_000);

interface RuleFile {
  groups: { rules: Rule[] }[];
}

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

const rules = ['alerts', 'recording'].flatMap((name) => {
  const { groups } = parse(readFileSync(join(folder, `rules/${name}.yml`), 'utf8')) as RuleFile;
  return groups.flatMap((group) => group.rules);
});
const alerts = rules.filter(({ alert }) => alert !== undefined);

function promtool(...args: string[]): string {
  return execFileSync(findProgram('promtool') ?? 'promtool', args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: 'pipe',
  });
}

t.test('promtool', { skip }, async (t) => {
  t.match(promtool('check', 'config', '--lint-fatal', 'prometheus.yml'), /SUCCESS/);
  t.match(
    promtool('check', 'rules', '--lint-fatal', 'rules/alerts.yml', 'rules/recording.yml'),
    /SUCCESS/,
  );
  t.match(promtool('test', 'rules', 'tests/alerts.yml'), /SUCCESS/);
  t.throws(() => promtool('check', 'rules', 'tests/alerts.yml'), 'it does find mistakes');
});

t.test(
  'each alert has its test, words in both languages and a runbook that is there',
  async (t) => {
    const { tests } = parse(readFileSync(join(folder, 'tests/alerts.yml'), 'utf8')) as {
      tests: { name: string }[];
    };
    t.same(
      tests.map(({ name }) => name).sort(),
      alerts.flatMap(({ alert }) => [`${alert} fires`, `${alert} does not fire`]).sort(),
    );
    for (const { alert, annotations = {}, labels = {} } of alerts) {
      t.ok(['warning', 'error', 'critical'].includes(labels.severity ?? ''), `${alert} severity`);
      for (const name of ['summary', 'description']) {
        t.match(annotations[name], /\w/, `${alert} ${name}`);
        t.match(annotations[`${name}_ko`], /\p{Script=Hangul}/u, `${alert} ${name}_ko`);
      }
      const [page, anchor] = (annotations.runbook ?? '').split('#');
      t.ok(headingsOf(root, page!).has(anchor ?? ''), `${alert} ${annotations.runbook}`);
    }
  },
);

/** Names of metrics in an expression; what stands in quotes and brackets is none. */
function metricsOf(expr: string): string[] {
  return expr.match(/\bfms_(?:collector|agent)[\w:]+/g) ?? [];
}

/** Names in an answer of /metrics: those of its families, and of histograms their parts. */
function familiesOf(text: string): Set<string> {
  const names = new Set<string>();
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\w+)$/gm)) {
    names.add(name!);
    if (type === 'histogram')
      for (const part of ['bucket', 'sum', 'count']) names.add(`${name}_${part}`);
  }
  return names;
}

t.test('every metric that a dashboard or rule names is in a real answer of /metrics', async (t) => {
  const collector = new TestCollector();
  t.teardown(() => collector.remove());
  await collector.start();
  const rig = await makeRig(t);
  const url = `mqtt://127.0.0.1:${collector.mqttPort}`;
  rig.write({
    ...rig.base,
    collector: { url, token: 'token-of-gateway-1' },
    devices: [rig.device('D01')],
  });
  const agent = rig.run('run');
  await agent.line('first reading in the buffer');
  const { url: statusUrl } = await agent.line('status page');
  const agentUrl = new URL('/metrics', String(statusUrl)).href;
  const known = new Set<string>(rules.map(({ record }) => record ?? ''));
  for (const address of [`${collector.base}/metrics`, agentUrl]) {
    const response = await fetch(address);
    t.equal(response.status, 200);
    for (const name of familiesOf(await response.text())) known.add(name);
  }
  const asked = [
    ...prometheusQueries(dashboardFiles()),
    ...rules.map(({ alert, record, expr }) => ({ name: alert ?? record ?? '', sql: expr })),
  ];
  t.ok(asked.length > 60, `${asked.length} expressions`);
  for (const { name, sql } of asked) {
    const names = metricsOf(sql);
    if (names.length === 0) t.match(sql, /\bup\b/, `${name} names a metric`);
    for (const metric of names) t.ok(known.has(metric), `${name}: ${metric}`);
  }
});

t.test('dashboards’ expressions are right by promtool', { skip }, async (t) => {
  const expressions = prometheusQueries(dashboardFiles())
    .map(({ sql }) => sql)
    .filter((sql) => !sql.startsWith('label_values('))
    .map((sql) => sql.replaceAll('$__rate_interval', '1m'));
  const groups = [
    {
      name: 'dashboards',
      rules: [...new Set(expressions)].map((expr, i) => ({ record: `dashboards:expr${i}`, expr })),
    },
  ];
  const file = join(t.testdir({ 'rules.yml': JSON.stringify({ groups }) }), 'rules.yml');
  t.match(promtool('check', 'rules', file), /SUCCESS/);
});
