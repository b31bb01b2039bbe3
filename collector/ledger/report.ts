/** The ledger as a table that an operator understands. Pure. */

interface Numbers {
  sent: number;
  stored: number;
  quarantined: number;
  duplicates: number;
  gap_readings: number;
  gaps: Record<string, number>;
  in_flight: number;
  balance: number;
}

interface Line extends Numbers {
  site: string;
  gateway: string;
  epoch: string;
  opened_ms: number;
  sum_balance: string;
}

interface Totals extends Numbers {
  gateways: number;
  epochs: number;
  sums_off: number;
}

/** What /api/v1/ledger answers. */
export interface Answer {
  items: Line[];
  next: string | null;
  complete: boolean;
  totals: Totals;
}

const HEAD = [
  'GATEWAY',
  'EPOCHS',
  'SENT',
  'STORED',
  'QUARANTINE',
  'LOST',
  'ON THE WAY',
  'BALANCE',
  'REPEATED',
];

/** One line a gateway, or an epoch, and a verdict in words. */
export function report(answer: Answer, byEpoch: boolean): string[] {
  const { items, totals } = answer;
  if (items.length === 0) return ['No gateway has sent anything yet.'];
  const rows = byEpoch
    ? items.map((line) => cells(`${line.site}/${line.gateway}`, line.epoch, line, isOff(line)))
    : byGateway(items).map(({ name, epochs, sums, off }) => cells(name, String(epochs), sums, off));
  const head = byEpoch ? HEAD.with(1, 'EPOCH') : HEAD;
  const total = cells('TOTAL', String(totals.epochs), totals, totals.sums_off);
  const lines = table([head, ...rows, total]);
  lines.push('');
  const gaps = Object.entries(totals.gaps).filter(([, count]) => count > 0);
  if (gaps.length > 0)
    lines.push(`Lost, by reason: ${gaps.map(([why, n]) => `${why} ${format(n)}`).join(', ')}.`);
  if (!answer.complete) lines.push('There are more epochs than the collector keeps at hand.');
  lines.push(verdict(totals));
  return lines;
}

function verdict({ balance, sums_off, in_flight }: Totals): string {
  if (balance !== 0)
    return `DOES NOT BALANCE: ${format(balance)} readings are not accounted for. SENT should equal STORED + QUARANTINE + LOST + ON THE WAY.`;
  if (sums_off !== 0)
    return `DOES NOT BALANCE: the counts agree, the sums of the numbers do not, in ${format(sums_off)} epochs. 'ledger --deep' says which readings.`;
  const flight =
    in_flight === 0
      ? ''
      : ` ${format(in_flight)} are on the way: numbered by a gateway, not here yet.`;
  return `Every reading is accounted for.${flight}`;
}

interface GatewaySums {
  name: string;
  epochs: number;
  sums: typeof ZERO;
  off: number;
}

function byGateway(items: readonly Line[]): GatewaySums[] {
  const gateways = new Map<string, GatewaySums>();
  for (const line of items) {
    const name = `${line.site}/${line.gateway}`;
    const entry = gateways.get(name) ?? { name, epochs: 0, sums: { ...ZERO }, off: 0 };
    gateways.set(name, entry);
    entry.epochs++;
    entry.off += isOff(line);
    for (const key of Object.keys(ZERO) as (keyof typeof ZERO)[])
      entry.sums[key] += key === 'balance' ? Math.abs(line[key]) : line[key];
  }
  return [...gateways.values()];
}

const ZERO = {
  sent: 0,
  stored: 0,
  quarantined: 0,
  duplicates: 0,
  gap_readings: 0,
  in_flight: 0,
  balance: 0,
};

function isOff({ sum_balance }: Line): number {
  return sum_balance === '0' ? 0 : 1;
}

function cells(name: string, epoch: string, n: Omit<Numbers, 'gaps'>, sumsOff: number): string[] {
  const wrong = sumsOff === 0 ? '' : 'sums !';
  const balance = n.balance === 0 ? wrong || 'ok' : `${format(n.balance)} !`;
  const numbers = [n.sent, n.stored, n.quarantined, n.gap_readings, n.in_flight].map(format);
  return [name, epoch, ...numbers, balance, format(n.duplicates)];
}

function format(n: number): string {
  return n.toLocaleString('en');
}

/** Names to the left, numbers to the right. */
function table(rows: readonly string[][]): string[] {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
