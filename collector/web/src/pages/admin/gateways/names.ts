/** Names of gateways as people paste them, or keep them in a CSV file. */

export interface NamedGateway {
  site: string;
  gateway: string;
}

export interface Mistake {
  /** From 1. */
  line: number;
  why: 'no_site' | 'form' | 'name' | 'twice' | 'too_long';
  /** What stands there. */
  text: string;
}

export interface ReadNames {
  gateways: NamedGateway[];
  mistakes: Mistake[];
}

export const GATEWAYS_MAX = 1_000;
const HEADS = ['site', 'gateway', 'name', 'plant', '사업장', '게이트웨이', '이름'];
/** As the collector has it (topics): the collector's answer counts. */
const NAME = /^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u;
/** Of site and gateway with the / between them, in UTF-8: they stand in a certificate. */
const BYTES_MAX = 64;

/**
 * A line each: GATEWAY, SITE/GATEWAY, or the two with a comma, semicolon or tab between. A first line that names
 * columns is skipped; so are empty ones and those that begin with #. `site`: of lines that name none; '': none.
 */
export function readNames(text: string, site: string): ReadNames {
  const gateways: NamedGateway[] = [];
  const mistakes: Mistake[] = [];
  const seen = new Set<string>();
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
  for (const [i, raw] of lines.entries()) {
    const cells = cellsOf(raw);
    if (cells.length === 0 || (i === 0 && cells.every(isHead))) continue;
    const read = gatewayOf(cells, site);
    const key = typeof read === 'string' ? '' : `${read.site}/${read.gateway}`;
    const why = typeof read === 'string' ? read : seen.has(key) ? 'twice' : undefined;
    if (why !== undefined) mistakes.push({ line: i + 1, why, text: raw.trim().slice(0, 80) });
    else if (typeof read !== 'string') gateways.push(read);
    seen.add(key);
  }
  return { gateways, mistakes };
}

function cellsOf(line: string): string[] {
  const text = line.trim();
  if (text === '' || text.startsWith('#')) return [];
  return text
    .split(/[,;\t/]/)
    .map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'))
    .filter((cell, i, all) => cell !== '' || i < all.length - 1);
}

function isHead(cell: string): boolean {
  return HEADS.includes(cell.toLowerCase());
}

function gatewayOf(cells: readonly string[], site: string): NamedGateway | Mistake['why'] {
  const [first = '', second] = cells;
  if (cells.length > 2) return 'form';
  if (second === undefined && site === '') return 'no_site';
  const named = second === undefined ? { site, gateway: first } : { site: first, gateway: second };
  if (!NAME.test(named.site) || !NAME.test(named.gateway)) return 'name';
  const bytes = new TextEncoder().encode(`${named.site}/${named.gateway}`).length;
  return bytes > BYTES_MAX ? 'too_long' : named;
}
