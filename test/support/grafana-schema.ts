/**
 * Checks dashboards against JSON schemas that are made from the types of Grafana's own SDK: what is not in a
 * type is a mistake, as is a missing field or a word that is not one of an enum. Panels are checked with the
 * options and fields of their kind, queries with the model of their data source.
 * (The SDK has no type for the ClickHouse plug-in; targets.ts has it after the plug-in's own.)
 */

import { join } from 'node:path';
import type { ValidateFunction } from 'ajv';
import { Ajv } from 'ajv';
import type { CompletedConfig } from 'ts-json-schema-generator';
import { createGenerator, createProgram, DEFAULT_CONFIG } from 'ts-json-schema-generator';

/** Kinds of panels by Grafana's name of them; grafana-types.ts has their types. */
const KIND_OF_TYPE: Readonly<Record<string, string>> = {
  stat: 'stat',
  timeseries: 'timeseries',
  table: 'table',
  'state-timeline': 'statetimeline',
};

const root = join(import.meta.dirname, '../..');
const config: CompletedConfig = {
  ...DEFAULT_CONFIG,
  path: join(import.meta.dirname, 'grafana-types.ts'),
  tsconfig: join(root, 'tsconfig.json'),
  skipTypeCheck: true,
  additionalProperties: false,
  functions: 'hide',
};
// Once for all: it takes seconds.
const tsProgram = createProgram(config);
const ajv = new Ajv({ strict: false, allErrors: true });
const validators = new Map<string, ValidateFunction>();

/** `type`: of grafana-types.ts, without its The. */
function of(type: string): ValidateFunction {
  const known = validators.get(type);
  if (known !== undefined) return known;
  const schema = createGenerator({ ...config, tsProgram, type: `The${type}` }).createSchema(
    `The${type}`,
  );
  const validator = ajv.compile(schema as object);
  validators.set(type, validator);
  return validator;
}

function mistakesOf(validate: ValidateFunction, value: unknown, where: string): string[] {
  if (validate(value)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) =>
      `${where}${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

interface Query {
  datasource?: { type?: string };
}

interface Panel {
  type: string;
  title?: string;
  options?: object;
  targets?: Query[];
  fieldConfig?: {
    defaults: { custom?: object };
    overrides: { properties: { id: string; value?: unknown }[] }[];
  };
}

interface Dashboard {
  panels?: Panel[];
  annotations?: { list?: { target?: Query }[] };
}

export function dashboardMistakes(dashboard: Dashboard): string[] {
  const { panels = [], annotations = {}, ...rest } = dashboard;
  const list = (annotations.list ?? []).map(({ target, ...annotation }) => annotation);
  const others = { ...rest, annotations: { ...annotations, list } };
  const mistakes = mistakesOf(of('Dashboard'), others, 'dashboard');
  for (const { target } of annotations.list ?? [])
    if (target !== undefined) mistakes.push(...targetMistakes(target, 'annotation'));
  for (const panel of panels) mistakes.push(...panelMistakes(panel));
  return mistakes;
}

function panelMistakes(panel: Panel): string[] {
  const where = `panel ${panel.title ?? ''}`;
  if (panel.type === 'row') return mistakesOf(of('RowPanel'), panel, where);
  const kind = KIND_OF_TYPE[panel.type];
  if (kind === undefined) return [`${where} is of a type that is not checked: ${panel.type}`];
  const { targets = [], ...rest } = panel;
  const mistakes = [
    ...mistakesOf(of('Panel'), rest, where),
    ...mistakesOf(of(`${kind}Options`), panel.options, `${where} options`),
  ];
  for (const target of targets) mistakes.push(...targetMistakes(target, where));
  return [...mistakes, ...fieldMistakes(panel, kind, where)];
}

function targetMistakes(target: Query, where: string): string[] {
  const type = target.datasource?.type;
  if (type !== 'prometheus' && type !== 'grafana-clickhouse-datasource')
    return [`${where} asks an unknown data source: ${type}`];
  const model = type === 'prometheus' ? 'PrometheusQuery' : 'ClickHouseQuery';
  return mistakesOf(of(model), target, `${where} query`);
}

/** Fields of a kind, also one by one in overrides: those are `custom.NAME` there. */
function fieldMistakes(panel: Panel, kind: string, where: string): string[] {
  const custom = kind === 'stat' ? undefined : of(`${kind}Fields`);
  const mistakes: string[] = [];
  const check = (value: object, place: string): void => {
    if (custom === undefined) {
      if (Object.keys(value).length > 0) mistakes.push(`${place}: a ${kind} has no such field`);
    } else mistakes.push(...mistakesOf(custom, value, place));
  };
  const { defaults, overrides } = panel.fieldConfig ?? { defaults: {}, overrides: [] };
  check(defaults.custom ?? {}, `${where} field`);
  const own = of('StandardFields');
  for (const { id, value } of overrides.flatMap(({ properties }) => properties)) {
    const name = /^custom\.(.+)$/.exec(id)?.[1];
    if (name !== undefined) check({ ...defaults.custom, [name]: value }, `${where} override ${id}`);
    else mistakes.push(...mistakesOf(own, { [id]: value }, `${where} override`));
  }
  return mistakes;
}

interface AlertRule {
  data: { datasourceUid: string; model: Query }[];
}

/** Rules as in a file; the group and the folder are added. Models of expressions have no type in the SDK. */
export function alertRuleMistakes(rule: AlertRule, where: string): string[] {
  const { data, ...rest } = rule;
  const whole = {
    ...rest,
    folderUID: 'fms',
    orgID: 1,
    ruleGroup: 'fms',
    data: data.map(({ model, ...query }) => ({ ...query, model: {} })),
  };
  const mistakes = mistakesOf(of('AlertRule'), whole, where);
  for (const { datasourceUid, model } of data)
    if (datasourceUid !== '__expr__') mistakes.push(...targetMistakes(model, where));
  return mistakes;
}
