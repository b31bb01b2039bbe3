/** Which anomalies are to be seen in the chart of a channel. Pure. */

import type { Band } from '../../chart/band.ts';
import type { Span } from '../../chart/zoom.ts';
import type { Anomaly } from '../alerts/types.ts';

/** Those that overlap the span: said of the channel, with a part in it, or of the device as a whole. */
export function anomaliesOf(
  anomalies: readonly Anomaly[],
  channel: string,
  { fromMs, toMs }: Span,
): Anomaly[] {
  return anomalies.filter((anomaly) => {
    const endMs = anomaly.state === 'open' ? Number.POSITIVE_INFINITY : (anomaly.end_ms ?? 0);
    if (endMs < fromMs || anomaly.onset_ms > toMs) return false;
    if (anomaly.channel === channel) return true;
    if (anomaly.channels.some((part) => part.channel === channel)) return true;
    return anomaly.channel === '' && anomaly.channels.length === 0;
  });
}

export function bandOf(anomaly: Anomaly, channel: string): Band {
  const isOwn = anomaly.channel === channel;
  return {
    id: anomaly.id,
    fromS: anomaly.onset_ms / 1_000,
    toS:
      anomaly.state === 'open'
        ? Number.POSITIVE_INFINITY
        : (anomaly.end_ms ?? anomaly.onset_ms) / 1_000,
    low: isOwn ? anomaly.expected_low : null,
    high: isOwn ? anomaly.expected_high : null,
  };
}

/** What a person wants to look at: the anomaly with as much on either side. */
export function spanAround(anomaly: Anomaly, nowMs: number): Span {
  const { onset_ms } = anomaly;
  const endMs = anomaly.state === 'open' ? nowMs : (anomaly.end_ms ?? onset_ms);
  const room = Math.max(60_000, endMs - onset_ms);
  return { fromMs: Math.floor(onset_ms - room), toMs: Math.ceil(endMs + room) };
}

/** The newer of two versions holds, and of two marks the newer. Newest onset first, at most `max`. */
export function withAnomalies(
  known: readonly Anomaly[],
  more: readonly Anomaly[],
  max: number,
): Anomaly[] {
  const all = new Map(known.map((anomaly) => [anomaly.id, anomaly]));
  for (const anomaly of more) {
    const before = all.get(anomaly.id);
    all.set(anomaly.id, before === undefined ? anomaly : newer(before, anomaly));
  }
  return [...all.values()]
    .sort((a, b) => b.onset_ms - a.onset_ms || (a.id < b.id ? -1 : 1))
    .slice(0, max);
}

function newer(a: Anomaly, b: Anomaly): Anomaly {
  const [later, earlier] = a.version > b.version ? [a, b] : [b, a];
  const said = (earlier.marked_ms ?? 0) > (later.marked_ms ?? 0) ? earlier : later;
  const { mark, marked_by, marked_note, marked_ms } = said;
  return { ...later, mark, marked_by, marked_note, marked_ms };
}
