/** One entry whole: why it is here, what to do, what was received, where it came from. */

import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import { devicePath, gatewayPath } from '../../app/address.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { usePermissions } from '../../app/session.ts';
import { formatCount } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Choice } from '../../ui/choice.tsx';
import { Fact } from '../../ui/fact.tsx';
import { Mark, Name } from '../../ui/mark.tsx';
import { useMoments } from '../../ui/moments.ts';
import { Resource } from '../../ui/states.tsx';
import { Time } from '../../ui/time.tsx';
import look from './page.module.css';
import { bytesOf, hexLines, isText } from './payload.ts';
import { entryQuery } from './queries.ts';
import { reasonText } from './reasons.ts';
import { ReleaseDialog } from './release.tsx';
import type { EntryWhole } from './types.ts';
import { valueText } from './value_text.ts';
import { QUARANTINE_WORDS } from './words.ts';

/** Bytes of a payload that the collector keeps. */
const HEAD_BYTES = 1_024;
const AROUND_MS = 30 * 60_000;
const QUALITIES = ['quality_good', 'quality_uncertain', 'quality_bad'] as const;

export function EntryPanel({ id, onClose }: { id: string; onClose: () => void }): ReactNode {
  const say = useSay(QUARANTINE_WORDS);
  const query = useQuery(entryQuery(id));
  const panel = useRef<HTMLElement>(null);
  useEffect(() => panel.current?.focus(), []);
  return (
    <section
      ref={panel}
      tabIndex={-1}
      className={`panel ${look.entry}`}
      aria-label={say('entry')}
      id="entry"
    >
      <div className="title-row">
        <h2>{say('entry')}</h2>
        <button type="button" className="act" data-action="close-entry" onClick={onClose}>
          {say('close_entry')}
        </button>
      </div>
      <Resource query={query}>{(entry) => <Whole entry={entry} />}</Resource>
    </section>
  );
}

function Whole({ entry }: { entry: EntryWhole }): ReactNode {
  const say = useSay(QUARANTINE_WORDS);
  const { language } = usePreferences();
  const { mayAt } = usePermissions();
  const { clock } = useMoments();
  const [isAsking, setAsking] = useState(false);
  const { name, cause, toDo } = reasonText(entry, say, language);
  const { site, released_ms, released_by, releasable } = entry;
  return (
    <>
      <p className={look.reason}>
        <strong>{name}</strong>{' '}
        {released_ms === null ? null : (
          <Mark level="note">
            <Name
              text={say('released_by', { by: released_by || '–', time: clock(released_ms, site) })}
            />
          </Mark>
        )}
      </p>
      <dl className={look.facts}>
        <Fact name={say('cause')}>{cause}</Fact>
        <Fact name={say('to_do')}>{toDo}</Fact>
        {entry.detail === '' ? null : (
          <Fact name={say('detail')}>
            <Name text={entry.detail} />
          </Fact>
        )}
      </dl>
      {releasable && mayAt('operator', site) ? (
        <p className={look.releaseRow}>
          <button
            type="button"
            className="act main"
            data-action="release"
            onClick={() => setAsking(true)}
          >
            {say('release')}
          </button>
        </p>
      ) : null}
      {entry.reading === null ? null : <Reading entry={entry} />}
      <Origin entry={entry} />
      <Payload entry={entry} />
      {isAsking ? <ReleaseDialog entries={[entry]} onClose={() => setAsking(false)} /> : null}
    </>
  );
}

function Reading({ entry }: { entry: EntryWhole }): ReactNode {
  const say = useSay(QUARANTINE_WORDS);
  const { language } = usePreferences();
  const { reading, site } = entry;
  if (reading === null) return null;
  const { device, channel, time_ms, value, quality } = reading;
  const said = QUALITIES[Math.min(quality & 3, 2)] ?? 'quality_bad';
  const from = String(time_ms - AROUND_MS);
  const to = String(time_ms + AROUND_MS);
  return (
    <>
      <h3>{say('reading')}</h3>
      <dl className={look.facts}>
        <Fact name={say('device')}>
          <Name text={device} />{' '}
          <Link href={`${devicePath({ site, device })}?from=${from}&to=${to}`}>
            <Name text={say('chart_then', { device })} />
          </Link>
        </Fact>
        <Fact name={say('channel')}>
          <Name text={channel} />
        </Fact>
        <Fact name={say('value')}>
          <Name text={valueText(value, language) ?? say('no_value')} />
        </Fact>
        <Fact name={say('quality')}>{say(said)}</Fact>
        <Fact name={say('reading_time')}>
          <Time ms={time_ms} site={site} form="millisecond" />
        </Fact>
      </dl>
    </>
  );
}

function Origin({ entry }: { entry: EntryWhole }): ReactNode {
  const say = useSay(QUARANTINE_WORDS);
  const { language } = usePreferences();
  const { site, gateway, received_ms, epoch, seq, count, log_partition, log_offset } = entry;
  return (
    <>
      <h3>{say('origin')}</h3>
      <dl className={look.facts}>
        <Fact name={say('gateway')}>
          <Link href={gatewayPath({ site, gateway })}>
            <Name text={gateway} />
          </Link>
          {' · '}
          <Name text={site} />
        </Fact>
        <Fact name={say('received')}>
          <Time ms={received_ms} site={site} form="millisecond" />
        </Fact>
        <Fact name={say('epoch')}>
          <code>{epoch === '' ? '–' : epoch}</code>
        </Fact>
        <Fact name={say('seq')}>{seq === 0 ? say('seq_none') : formatCount(seq, language)}</Fact>
        <Fact name={say('stands_for')}>{formatCount(count, language)}</Fact>
        <Fact name={say('log_place')}>
          {say('log_place_value', { partition: log_partition, offset: log_offset })}
        </Fact>
      </dl>
    </>
  );
}

type View = 'decoded' | 'text' | 'bytes';

function Payload({ entry }: { entry: EntryWhole }): ReactNode {
  const say = useSay(QUARANTINE_WORDS);
  const { language } = usePreferences();
  const { decoded, head_text, head_base64 } = entry;
  const bytes = bytesOf(head_base64);
  const views: View[] = [];
  if (decoded !== null) views.push('decoded');
  if (isText(head_text)) views.push('text');
  views.push('bytes');
  const [chosen, choose] = useState<View>();
  const view = chosen !== undefined && views.includes(chosen) ? chosen : views[0];
  if (bytes.length === 0)
    return (
      <>
        <h3>{say('payload')}</h3>
        <p className="note">{say('payload_none')}</p>
      </>
    );
  const size = formatCount(bytes.length, language);
  const names: Record<View, string> = {
    decoded: say('as_decoded', { format: decoded === null ? '' : say(`format_${decoded.format}`) }),
    text: say('as_text'),
    bytes: say('as_bytes'),
  };
  const text = {
    decoded: decoded?.text ?? '',
    text: head_text,
    bytes: hexLines(bytes)
      .map(({ offset, hex, ascii }) => `${offset}  ${hex}  ${ascii}`)
      .join('\n'),
  }[view ?? 'bytes'];
  return (
    <>
      <div className={look.payloadHead}>
        <h3>{say('payload')}</h3>
        <Choice
          label={say('payload')}
          options={views.map((value) => ({ value, text: names[value] }))}
          value={view}
          onChange={choose}
        />
        <span className="note">
          {say(bytes.length >= HEAD_BYTES ? 'payload_head' : 'payload_all', { bytes: size })}
        </span>
      </div>
      <section
        className={look.payload}
        aria-label={say('payload')}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
        tabIndex={0}
      >
        <pre dir="ltr">{text}</pre>
      </section>
    </>
  );
}
