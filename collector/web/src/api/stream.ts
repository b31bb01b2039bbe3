/** The collector's server-sent events. */

import { useEffect, useEffectEvent } from 'react';
import { apiUrl } from './client.ts';

const RETRY_MS = 3_000;

export type StreamKind = 'readings' | 'device' | 'alert' | 'anomaly';

export interface StreamAsked {
  kinds: readonly StreamKind[];
  site?: string;
  device?: string;
}

/** By name of the event. `hello`: connected, also again: what came in between is for the caller to fetch. `lost`: events were left out. */
export type StreamListener = (event: string, data: unknown) => void;

/**
 * Follows until the returned function is called. Only while somebody looks: a browser opens few connections to one
 * host, over all its tabs.
 */
export function followStream(asked: StreamAsked, listener: StreamListener): () => void {
  const { kinds, site, device } = asked;
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const open = (): void => {
    if (document.hidden) return;
    const opened = new EventSource(apiUrl('stream', { kinds: kinds.join(','), site, device }));
    source = opened;
    for (const event of ['hello', 'lost', ...kinds])
      opened.addEventListener(event, ({ data }: MessageEvent<string>) =>
        listener(event, JSON.parse(data) as unknown),
      );
    opened.addEventListener('error', () => {
      // The browser itself tries again after a break, but not after a refusal.
      if (opened.readyState !== EventSource.CLOSED) return;
      clearTimeout(timer);
      timer = setTimeout(open, RETRY_MS);
    });
  };
  const close = (): void => {
    clearTimeout(timer);
    source?.close();
  };
  const look = (): void => {
    close();
    open();
  };
  document.addEventListener('visibilitychange', look);
  open();
  return () => {
    document.removeEventListener('visibilitychange', look);
    close();
  };
}

/** The same for as long as a component is shown. */
export function useStream(asked: StreamAsked, listener: StreamListener): void {
  const heard = useEffectEvent(listener);
  const { site, device } = asked;
  const kinds = asked.kinds.join(',');
  useEffect(() => {
    const what: StreamAsked = { kinds: kinds.split(',') as StreamKind[] };
    if (site !== undefined) what.site = site;
    if (device !== undefined) what.device = device;
    return followStream(what, (event, data) => heard(event, data));
  }, [kinds, site, device]);
}
