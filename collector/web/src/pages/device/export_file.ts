/** Fetches a file from the collector with progress, and hands it to the browser to save. */

import type { Parameters } from '../../api/client.ts';
import { ApiFailure, apiUrl } from '../../api/client.ts';

export interface Progress {
  /** Undefined: the collector is still making it. */
  bytes: number | undefined;
  total: number | undefined;
}

/**
 * Resolves with the size when the file was handed over. Rejects with ApiFailure, or as fetch does when `signal` was
 * aborted: the collector then stops making it.
 */
export async function exportFile(
  parameters: Parameters,
  signal: AbortSignal,
  onProgress: (progress: Progress) => void,
): Promise<number> {
  onProgress({ bytes: undefined, total: undefined });
  const response = await fetch(apiUrl('readings', parameters), { signal });
  if (!response.ok || response.body === null) throw await failureOf(response);
  const total = Number(response.headers.get('content-length') ?? Number.NaN);
  const parts: BlobPart[] = [];
  let bytes = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    // Blobs of the browser may lie on its disk: a large file is not held in memory twice.
    parts.push(new Blob([value]));
    bytes += value.length;
    onProgress({ bytes, total: Number.isNaN(total) ? undefined : total });
  }
  save(new Blob(parts), nameOf(response));
  return bytes;
}

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function nameOf(response: Response): string {
  const header = response.headers.get('content-disposition') ?? '';
  const exact = /filename\*=UTF-8''([^;]+)/.exec(header)?.[1];
  if (exact !== undefined) return decodeURIComponent(exact).replaceAll(/[/\\]/g, '_');
  return /filename="([^"]+)"/.exec(header)?.[1] ?? 'readings';
}

async function failureOf(response: Response): Promise<ApiFailure> {
  const body = (await response.json().catch(() => undefined)) as
    | { error?: Record<'code' | 'message' | 'hint', string> }
    | undefined;
  const { code = 'UNKNOWN', message = response.statusText, hint = '' } = body?.error ?? {};
  return new ApiFailure(response.status, code, message, { hint });
}
