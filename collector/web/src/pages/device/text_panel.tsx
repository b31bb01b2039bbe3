/** A channel of texts: what it says now, and when that changed. */

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ask } from '../../api/client.ts';
import type { Channel, DeviceItem, Page } from '../../api/types.ts';
import { usePreferences } from '../../app/preferences.tsx';
import type { ReadingItem } from '../../chart/points.ts';
import { useSay } from '../../i18n/say.ts';
import { Name } from '../../ui/mark.tsx';
import { Value } from '../../ui/reading.tsx';
import { Time } from '../../ui/time.tsx';
import look from './page.module.css';
import { changesOf } from './text_changes.ts';
import type { Shown } from './use_span.ts';
import { DEVICE_WORDS } from './words.ts';

const READ_MAX = 1_000;
const SHOWN_MAX = 12;
const CHARACTERS_MAX = 200;
const AGAIN_MS = 15_000;

export function TextPanel(props: {
  device: DeviceItem;
  channel: Channel;
  shown: Shown;
}): ReactNode {
  const { device, channel, shown } = props;
  const say = useSay(DEVICE_WORDS);
  const { language } = usePreferences();
  const { site, device: name } = device;
  const { view, span } = shown;
  // A name with a comma cannot be asked for: its texts are picked out of those of all channels.
  const canAsk = !channel.channel.includes(',');
  const asked = view.kind === 'live' ? view.range : `${view.fromMs}-${view.toMs}`;
  const query = useQuery({
    queryKey: ['readings', 'texts', site, name, channel.channel, asked],
    queryFn: ({ signal }) =>
      ask<Page<ReadingItem>>(
        'readings',
        {
          site,
          device: name,
          channels: canAsk ? channel.channel : undefined,
          from: span.fromMs,
          to: span.toMs,
          order: 'desc',
          limit: READ_MAX,
        },
        { signal },
      ),
    placeholderData: keepPreviousData,
    refetchInterval: view.kind === 'live' ? AGAIN_MS : false,
  });
  const own = (query.data?.items ?? []).filter((item) => item.channel === channel.channel);
  const changes = changesOf(own);
  return (
    <article className={`panel ${look.chart}`} data-channel={channel.channel}>
      <div className={look.chart_head}>
        <h3>
          <Name text={channel.title[language] || channel.channel} />
        </h3>
        <span className={look.value}>
          <Value channel={channel} />
        </span>
      </div>
      {changes.length === 0 ? (
        <p className="note">{say(query.isPending ? 'loading' : 'text_none')}</p>
      ) : (
        <ol className={look.texts} aria-label={say('text_changes', { channel: channel.channel })}>
          {changes.slice(0, SHOWN_MAX).map(({ text, sinceMs }) => (
            <li key={sinceMs}>
              <Name text={text.slice(0, CHARACTERS_MAX)} />{' '}
              <small>
                <Time ms={sinceMs} site={site} />
              </small>
            </li>
          ))}
        </ol>
      )}
    </article>
  );
}
