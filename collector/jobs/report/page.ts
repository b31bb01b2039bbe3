/** The report as one page that needs nothing else: it can be mailed, printed and opened without a network. */

import type { Dimension } from '../../findings.ts';
import { DIMENSIONS } from '../../findings.ts';
import type { QualityReason } from '../../quality/score.ts';
import type { Report, ReportDevice, Scores } from './model.ts';
import type { Language, Words } from './words.ts';
import { words } from './words.ts';

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2126; background: #fff; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; color: #4a5159; } .revised { color: #1d2126; border-left: 4px solid #6b7580; padding-left: .75rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #d9dde2; vertical-align: top; }
th { font-weight: 600; color: #4a5159; } .n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.missed { font-weight: 700; } .missed::before { content: "\\25bc "; }
@media print { body { margin: 0; max-width: none; } tr { break-inside: avoid; } }
@media (prefers-color-scheme: dark) { body { color: #e4e7ea; background: #16191d; } p, th { color: #a9b1ba; } th, td { border-color: #333a42; } .revised { color: #e4e7ea; } }
`;

type Cell = string | { html: string; missed?: boolean };

export function reportPage(report: Report, language: Language): string {
  const w = words[language];
  const { period, site } = report;
  const number = new Intl.NumberFormat(language);
  const title = `${w.title}: ${site}, ${period.label}`;
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<p>${escaped(`${w.period[period.kind]}: ${local(period.start_ms, report, language)} – ${local(period.end_ms, report, language)}`)}</p>
<p>${escaped(`${w.times(period.time_zone)} · ${w.made}: ${local(report.made_ms, report, language)}`)}</p>
${report.revision > 0 ? `<p class="revised">${escaped(w.revised(report.revision))}</p>` : ''}
${scoreTable(report, w)}
<p>${escaped(`${w.expected}: ${report.expected === null ? w.unknown : number.format(report.expected)} · ${w.received}: ${number.format(report.received)}`)}</p>
<h2>${escaped(w.reasons)}</h2>
${reasonTable(report.reasons, w, language, number)}
<h2>${escaped(w.devices)}</h2>
${deviceTable(report, w, language, number)}
<h2>${escaped(w.quarantined)}</h2>
${table(
  w,
  [w.reason, w.readings],
  [1],
  report.quarantined.map(({ reason, count }) => [reason, number.format(count)]),
)}
<h2>${escaped(w.lost)}</h2>
${table(
  w,
  [w.gateway, w.reason, w.readings],
  [2],
  report.lost.map((gap) => [gap.gateway, gap.reason, number.format(gap.readings)]),
)}
</body>
</html>
`;
}

function scoreTable({ scores, targets }: Report, w: Words): string {
  const rows = DIMENSIONS.map((dimension): Cell[] => {
    const score = scores[dimension];
    const target = targets[dimension];
    const missed = isMissed(score, target);
    const verdict = score === null ? w.unknown : target === null ? '' : missed ? w.missed : w.met;
    const aim = target === null ? '' : `${target} %`;
    return [w.dimensions[dimension], percent(score, w), aim, { html: escaped(verdict), missed }];
  });
  rows.push([w.dimensions.all, percent(scores.all, w), '', '']);
  return table(w, [w.dimension, '%', w.target, ''], [1, 2], rows);
}

function reasonTable(
  reasons: readonly QualityReason[],
  w: Words,
  language: Language,
  number: Intl.NumberFormat,
): string {
  const rows = reasons.map((reason) => [
    `${reason[language]} (${reason.code})`,
    w.dimensions[reason.dimension],
    number.format(reason.count),
    `-${reason.points.toFixed(2)}`,
  ]);
  return table(w, [w.reason, w.dimension, w.readings, w.points], [2, 3], rows);
}

function deviceTable(
  report: Report,
  w: Words,
  language: Language,
  number: Intl.NumberFormat,
): string {
  const head = [
    w.device, w.place, w.profile, ...DIMENSIONS.map((d) => w.dimensions[d]), w.dimensions.all,
    w.availability, w.failures, w.betweenFailures, w.reasons,
  ]; // biome-ignore format: a table
  const rows = report.devices.map((device) =>
    deviceRow(device, report.targets, w, language, number),
  );
  const left = report.devices_left_out;
  const note = left > 0 ? `<p>${escaped(w.leftOut(number.format(left)))}</p>` : '';
  return table(w, head, [3, 4, 5, 6, 7, 8, 9, 10], rows) + note;
}

function deviceRow(
  device: ReportDevice,
  targets: Report['targets'],
  w: Words,
  language: Language,
  number: Intl.NumberFormat,
): Cell[] {
  const { scores, availability, failures, time_between_failures_ms: between } = device;
  return [
    device.device,
    [device.area, device.line].filter((text) => text !== '').join(' / '),
    device.profile === '' ? w.unprofiled : device.profile,
    ...DIMENSIONS.map((dimension) => judged(scores, dimension, targets[dimension], w)),
    percent(scores.all, w),
    percent(availability === null ? null : 100 * availability, w),
    failures === null ? w.unknown : number.format(failures),
    between === null ? '' : `${number.format(Math.round(between / 360_000) / 10)} ${w.hours}`,
    device.reasons.map((reason) => `${reason[language]} (-${reason.points.toFixed(1)})`).join(' '),
  ];
}

function judged(scores: Scores, dimension: Dimension, target: number | null, w: Words): Cell {
  const score = scores[dimension];
  return { html: escaped(percent(score, w)), missed: isMissed(score, target) };
}

function isMissed(score: number | null, target: number | null): boolean {
  return score !== null && target !== null && score < target;
}

/** Never rounded up to a full 100. */
function percent(score: number | null, w: Words): string {
  if (score === null) return w.unknown;
  return (Math.floor(score * 10) / 10).toFixed(1);
}

/** `numeric`: columns of numbers. */
function table(
  w: Words,
  head: readonly string[],
  numeric: readonly number[],
  rows: readonly (readonly Cell[])[],
): string {
  if (rows.length === 0) return `<p>${escaped(w.none)}</p>`;
  const line = (cells: readonly Cell[], tag: 'th' | 'td'): string => {
    const made = cells.map((cell, i) => {
      const html = typeof cell === 'string' ? escaped(cell) : cell.html;
      const names = [
        numeric.includes(i) ? 'n' : '',
        typeof cell !== 'string' && cell.missed === true ? 'missed' : '',
      ].filter((name) => name !== '');
      const marked = names.length > 0 ? ` class="${names.join(' ')}"` : '';
      return `<${tag}${marked}>${html}</${tag}>`;
    });
    return `<tr>${made.join('')}</tr>`;
  };
  return `<table><thead>${line(head, 'th')}</thead><tbody>\n${rows.map((row) => line(row, 'td')).join('\n')}\n</tbody></table>`;
}

function local(timeMs: number, { period }: Report, language: Language): string {
  return new Intl.DateTimeFormat(language === 'ko' ? 'ko-KR' : 'en-GB', {
    timeZone: period.time_zone,
    dateStyle: 'medium',
    timeStyle: 'short',
  }).format(timeMs);
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
