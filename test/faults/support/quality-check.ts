/** Whether what the API says of data quality makes sense, whatever the data was. */

import type { CollectorProcess } from '../../support/collector-process.ts';

interface QualityItem {
  device: string;
  from_ms: number;
  score: Record<string, number | null>;
  expected: number;
  received: number;
  latency_avg_ms: number | null;
  latency_max_ms: number;
  reasons: { code: string; count: number; points: number }[];
}

/** What is wrong, in words, and how many readings all items count. `where`: further parameters. */
export async function checkQuality(
  collector: CollectorProcess,
  where: string,
): Promise<{ wrong: string[]; received: number; items: QualityItem[] }> {
  const items: QualityItem[] = [];
  let cursor = '';
  for (;;) {
    const page = await collector.get<{ items: QualityItem[]; next: string | null }>(
      `/api/v1/quality?${where}&limit=10000${cursor}`,
    );
    items.push(...page.items);
    if (page.next === null) break;
    cursor = `&cursor=${encodeURIComponent(page.next)}`;
  }
  const wrong: string[] = [];
  for (const item of items) {
    const points = Object.values(item.score).filter((score) => score !== null);
    const counts = [item.expected, item.received, item.latency_max_ms, item.latency_avg_ms ?? 0];
    const isSane =
      points.every((score) => score >= 0 && score <= 100) &&
      counts.every((count) => Number.isFinite(count) && count >= 0) &&
      item.reasons.every(({ points }) => points >= 0 && points <= 100);
    if (!isSane) wrong.push(JSON.stringify(item));
  }
  return { wrong, received: items.reduce((sum, { received }) => sum + received, 0), items };
}
