/** What Grafana is provisioned with: data sources, folders of dashboards, alert rules, and their links. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { ALERT_RULES, alertingFile } from '../../../collector/grafana/src/alerting.ts';
import { alertingText, dashboardFiles } from '../../../collector/grafana/src/files.ts';
import { CLICKHOUSE, PROMETHEUS } from '../../../collector/grafana/src/targets.ts';
import { headingsOf } from '../../support/grafana-docs.ts';
import { alertRuleMistakes } from '../../support/grafana-schema.ts';

const root = join(import.meta.dirname, '../../..');
const folder = join(root, 'collector/grafana/provisioning');
const read = (path: string): string => readFileSync(join(folder, path), 'utf8');

// The schemas take seconds, many on a busy machine.
t.setTimeout(1_200_000);

t.test('the data sources are those that the dashboards ask', async (t) => {
  const { datasources } = parse(read('datasources/fms.yaml')) as {
    datasources: { uid: string; type: string }[];
  };
  t.same(
    datasources.map(({ uid, type }) => ({ type, uid })),
    [CLICKHOUSE, PROMETHEUS],
  );
});

t.test('a folder a language', async (t) => {
  const { providers } = parse(read('dashboards/fms.yaml')) as {
    providers: { options: { path: string } }[];
  };
  for (const { options } of providers) {
    const path = options.path.replace('$FMS_DASHBOARDS', join(folder, '../dashboards'));
    t.ok(existsSync(path), path);
  }
  t.equal(providers.length, readdirSync(join(folder, '../dashboards')).length);
});

t.test('every variable of the environment is in docs/GRAFANA.md', async (t) => {
  const docs = readFileSync(join(root, 'docs/GRAFANA.md'), 'utf8');
  const texts = ['datasources/fms.yaml', 'dashboards/fms.yaml'].map(read).join('\n');
  const names = new Set([...texts.matchAll(/\$(FMS_\w+)/g)].map(([, name]) => name!));
  t.ok(names.size >= 7);
  for (const name of names) t.match(docs, name);
});

t.test('alert rules', async (t) => {
  const text = read('alerting/fms.yaml');
  t.equal(text, alertingText(), 'npm run build:grafana');
  t.notMatch(text, /\$/, 'Grafana would take it for a variable of its environment');
  const { groups } = JSON.parse(JSON.stringify(alertingFile())) as {
    groups: { rules: Parameters<typeof alertRuleMistakes>[0][] }[];
  };
  const [group] = groups;
  for (const [i, rule] of group!.rules.entries())
    t.same(alertRuleMistakes(rule, ALERT_RULES[i]!.uid), []);
  for (const { runbook, summary, summaryKo } of ALERT_RULES) {
    t.ok(headingsOf(root, runbook.split('#')[0]!).has(runbook.split('#')[1]!), runbook);
    t.match(summary, /^[ -~]+$/);
    t.match(summaryKo, /\p{Script=Hangul}/u);
  }
});

t.test(
  'links lead to dashboards of the same language, with variables that these have',
  async (t) => {
    interface Shape {
      uid: string;
      templating: { list?: { name: string }[] };
    }
    const files = [...dashboardFiles()];
    const variables = new Map(
      files.map(([, text]) => {
        const { uid, templating } = JSON.parse(text) as Shape;
        return [uid, (templating.list ?? []).map(({ name }) => name)];
      }),
    );
    let links = 0;
    for (const [path, text] of files) {
      const language = path.split('/')[0]!;
      for (const [, uid, query = ''] of text.matchAll(/"\/d\/([\w-]+)(\?[^"]*)?"/g)) {
        links++;
        const known = variables.get(uid!);
        t.ok(known, `${path} links to ${uid}`);
        t.ok(uid!.endsWith(`-${language}`), `${path} stays in its language`);
        for (const [, name] of query.matchAll(/var-(\w+)=/g))
          t.ok(known?.includes(name!), `${path}: ${uid} has variable ${name}`);
      }
    }
    t.ok(links > 50, `${links} links`);
    for (const uid of variables.keys()) {
      const others = files.filter(([, text]) => !text.includes(`"uid": "${uid}"`));
      t.ok(
        others.some(([, text]) => text.includes(`/d/${uid}`)),
        `something leads to ${uid}`,
      );
    }
  },
);

t.test('titles and descriptions are in the language of their folder', async (t) => {
  interface Words {
    title: string;
    description?: string;
    panels: { type: string; title: string; description?: string }[];
  }
  for (const [path, text] of dashboardFiles()) {
    const { description = '', panels } = JSON.parse(text) as Words;
    const isKorean = path.startsWith('ko/');
    for (const words of [description, ...panels.map((panel) => panel.description ?? '')]) {
      if (words === '') continue;
      t.equal(/\p{Script=Hangul}/u.test(words), isKorean, `${path}: ${words}`);
    }
    for (const { type, title, description = '' } of panels) {
      t.not(title, '');
      if (type !== 'row') t.not(description, '', `${path}: ${title} says what it shows`);
    }
  }
});
