/**
 * What the pages for those who install and run it name is there: commands and their options, keys of both
 * configurations, codes of errors, tests, other pages and their headings.
 */

import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import agentSchema from '../agent/config.schema.json' with { type: 'json' };
import { agentErrors } from '../agent/errors.ts';
import collectorSchema from '../collector/config.schema.json' with { type: 'json' };
import { collectorErrors } from '../collector/errors.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Whose commands and configurations are checked. */
const PAGES = ['docs/INSTALL.md', 'docs/INSTALL.ko.md', 'docs/SECURITY.md'];
/** Whose links are. */
const LINKED = ['README.md', 'README.ko.md', ...globSync('docs/*.md', { cwd: ROOT })];

interface Block {
  language: string;
  text: string;
}

function blocksOf(markdown: string): Block[] {
  const blocks = [...markdown.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm)];
  return blocks.map(([, indent = '', language = '', text = '']) => ({
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));
}

/** Calls of the programs, as words; of shell blocks and of `code` between words. */
function callsOf(markdown: string): string[][] {
  const lines = blocksOf(markdown)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.replaceAll(/ +#.*$/gm, '').split('\n'));
  const prose = markdown.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '');
  const inline = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
  return [...lines, ...inline]
    .flatMap((line) => line.split(/&&|\||;/))
    .map((call) => call.trim().split(/\s+/))
    .map((words) => words.slice(words.findIndex((word) => /^fms-(agent|collector)$/.test(word))))
    .filter(([program]) => program === 'fms-agent' || program === 'fms-collector');
}

/** Of the sources of the command lines: all that may be said there. */
const SPOKEN: Readonly<Record<string, string>> = {
  'fms-agent': [read('agent/commands/command-line.ts'), read('agent/commands/commands.ts')].join(
    '\n',
  ),
  'fms-collector': [read('collector/main.ts'), read('collector/commands/gateway_program.ts')].join(
    '\n',
  ),
};

/** What a call says that no source of its program knows; '--help' and '--version' are the library's. */
function unknownIn([program = '', ...words]: readonly string[]): string[] {
  const known = SPOKEN[program] ?? '';
  const options = words
    .filter((word) => word.startsWith('--'))
    .map((word) => word.split('=')[0] ?? '')
    .filter((option) => !['--help', '--version', '--'].includes(option));
  const [verb = '', second = ''] = words.filter((word) => /^[a-z][a-z-]*$/.test(word));
  const isGroup = ['gateway', 'user', 'audit', 'job', 'notify', 'ca', 'buffer'].includes(verb);
  const verbs = [verb, ...(isGroup ? [second] : [])].filter((word) => word !== '');
  return [
    ...options.filter((option) => !new RegExp(`['\`" ](--)?${option.slice(2)}\\b`).test(known)),
    ...verbs.filter((word) => !new RegExp(`['"\`]${word}\\b`).test(known)),
  ].map((word) => `${program} ${word}`);
}

interface Schema {
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  items?: Schema;
}

/** Keys that the schema does not have, as paths. */
function strangeKeys(schema: Schema, value: unknown, path = ''): string[] {
  if (Array.isArray(value))
    return value.flatMap((item) => strangeKeys(schema.items ?? {}, item, path));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const known = schema.properties?.[key];
    const any = schema.additionalProperties;
    if (known !== undefined) return strangeKeys(known, inner, `${path}${key}.`);
    if (typeof any === 'object') return strangeKeys(any, inner, `${path}${key}.`);
    return schema.properties === undefined ? [] : [`${path}${key}`];
  });
}

/** As GitHub makes them. */
function anchorsOf(markdown: string): Set<string> {
  const prose = markdown.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '');
  const heads = [...prose.matchAll(/^#+ (.+)$/gm)].map(([, head = '']) => head);
  return new Set(
    heads.map((head) =>
      head
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

t.test('commands and options', async (t) => {
  for (const page of PAGES) {
    const calls = callsOf(read(page));
    t.ok(calls.length > 5, `${page}: ${calls.length} calls`);
    t.same(calls.flatMap(unknownIn), [], page);
  }
  t.same(unknownIn(['fms-agent', 'enrolll', '--tokn-file']), [
    'fms-agent --tokn-file',
    'fms-agent enrolll',
  ]);
  t.same(unknownIn(['fms-collector', 'gateway', 'ad']), ['fms-collector ad']);
});

t.test('keys of the configurations', async (t) => {
  let seen = 0;
  for (const page of PAGES)
    for (const { language, text } of blocksOf(read(page))) {
      if (language !== 'yaml') continue;
      seen += 1;
      const value: unknown = parse(text);
      const of = [agentSchema, collectorSchema].map((schema) =>
        strangeKeys(schema as Schema, value),
      );
      t.ok(
        of.some((strange) => strange.length === 0),
        `${page}: ${text.split('\n')[0]}: ${of.map((strange) => strange.join(', ')).join(' or ')}`,
      );
    }
  t.ok(seen >= 10, `${seen} blocks`);
  t.same(strangeKeys(collectorSchema as Schema, { mqtt: { tsl: {} }, sites: { x: {} } }), [
    'mqtt.tsl',
  ]);
});

t.test('codes of errors', async (t) => {
  const known = new Set([...Object.keys(agentErrors), ...Object.keys(collectorErrors)]);
  const CODE = /`((?:AGENT|ENROL|API|COLLECTOR|TRUST|GATEWAY|STORE|LOG)_[A-Z_]+)`/g;
  for (const page of PAGES) {
    const named = [...read(page).matchAll(CODE)].map(([, code = '']) => code);
    t.same(
      named.filter((code) => !known.has(code)),
      [],
      page,
    );
  }
});

t.test('tests that prove what is said', async (t) => {
  const named = [
    ...read('docs/SECURITY.md').matchAll(/(test\/[\w./-]+\.test\.ts)(?:, "([^|]+)")?/g),
  ];
  t.ok(named.length > 20);
  for (const [, file = '', title = ''] of named) {
    const text = existsSync(join(ROOT, file)) ? read(file) : '';
    t.ok(text !== '' && text.includes(title), `${file}: ${title}`);
  }
});

t.test('links', async (t) => {
  const broken: string[] = [];
  let links = 0;
  for (const page of LINKED) {
    const prose = read(page).replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '');
    for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?|mailto):/.test(target)) continue;
      links += 1;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), decodeURI(path)));
      const isThere = existsSync(join(ROOT, file));
      const isHead =
        anchor === undefined ||
        (isThere && file.endsWith('.md') && anchorsOf(read(file)).has(decodeURIComponent(anchor)));
      if (!isThere || !isHead) broken.push(`${page}: ${target}`);
    }
  }
  t.ok(links > 50, `${links} links`);
  t.same(broken, []);
});

t.test('both languages have the same commands and configurations', async (t) => {
  const blocks = (page: string) =>
    blocksOf(read(page)).map(
      ({ language, text }) => `${language}\n${text.replaceAll(/ *#.*$/gm, '')}`,
    );
  t.same(blocks('docs/INSTALL.ko.md'), blocks('docs/INSTALL.md'));
  const heads = (page: string) => [...read(page).matchAll(/^#+ /gm)].map(([head]) => head);
  t.same(heads('docs/INSTALL.ko.md'), heads('docs/INSTALL.md'));
});
