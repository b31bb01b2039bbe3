/** What is said of a gateway: calm words while well, a marked one where a person is needed. */

import type { ReactNode } from 'react';
import { useNowMs } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatBytes, formatCount, formatDuration } from '../../i18n/format.ts';
import type { Say } from '../../i18n/say.ts';
import { useSay } from '../../i18n/say.ts';
import { Mark, Name } from '../../ui/mark.tsx';
import { Time } from '../../ui/time.tsx';
import {
  certificateLevel,
  clockLevel,
  evictionLevel,
  failingReaders,
  ledgerLevel,
  offsetMs,
  statusLevel,
  stepMs,
} from './fleet.ts';
import type { Gateway, LedgerNumbers } from './types.ts';
import { GATEWAYS_WORDS } from './words.ts';

const READERS_SHOWN_MAX = 4;
const TEXT_CHARACTERS_MAX = 300;
/** An offset below it is the time on the way. */
const OFFSET_SAID_MS = 2_000;

export function StateCell({ gateway }: { gateway: Gateway }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const nowMs = useNowMs();
  const { status, updated_ms, configured, transport } = gateway;
  // Who is connected all the same comes by an authority elsewhere.
  const isKnown = configured || transport !== null;
  const age = formatDuration(Math.max(0, nowMs - (updated_ms ?? nowMs)), say);
  return (
    <>
      <Mark level={statusLevel(gateway)}>{say(`status_${status}`, { age })}</Mark>
      {isKnown ? null : (
        <small>
          <Mark level="note">{say('unconfigured')}</Mark>
        </small>
      )}
      {certificateLevel(gateway) === 'calm' ? null : (
        <small>
          <CertificateMark gateway={gateway} />
        </small>
      )}
      <FailingReaders gateway={gateway} />
    </>
  );
}

function CertificateMark({ gateway }: { gateway: Gateway }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const nowMs = useNowMs();
  const { certificate } = gateway;
  if (certificate === null) return null;
  const age = formatDuration(certificate.not_after_ms - nowMs, say);
  return (
    <Mark level={certificateLevel(gateway)}>
      {say(`certificate_${certificate.state}`, { age })}
    </Mark>
  );
}

/** How it comes in, and until when it may. */
export function CertificateCell({ gateway }: { gateway: Gateway }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const { certificate, site } = gateway;
  if (certificate === null) return say('by_token');
  return (
    <>
      <Time ms={certificate.not_after_ms} site={site} />
      {certificate.state === 'valid' ? null : (
        <small>
          <CertificateMark gateway={gateway} />
        </small>
      )}
    </>
  );
}

function FailingReaders({ gateway }: { gateway: Gateway }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const failed = failingReaders(gateway);
  if (failed.length === 0) return null;
  const names = failed
    .slice(0, READERS_SHOWN_MAX)
    .map(({ device, last_error }) => (last_error === '' ? device : `${device} (${last_error})`));
  if (failed.length > names.length)
    names.push(say('more_readers', { count: failed.length - names.length }));
  const text = say('readers_failing', { names: names.join(', ').slice(0, TEXT_CHARACTERS_MAX) });
  return (
    <div>
      <Mark level="warn">
        <Name text={text} />
      </Mark>
    </div>
  );
}

export function BufferCell({ gateway }: { gateway: Gateway }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const { language } = usePreferences();
  const { readings, bytes } = gateway.buffer;
  return (
    <>
      {say('readings_count', { count: formatCount(readings, language) })}
      <small>{formatBytes(bytes, language)}</small>
    </>
  );
}

export function EvictionCell({ gateway }: { gateway: Gateway }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const seconds = gateway.buffer.seconds_until_eviction;
  if (seconds === null) return <Mark level="calm">{say('not_filling')}</Mark>;
  return <Mark level={evictionLevel(gateway)}>{formatDuration(seconds * 1_000, say)}</Mark>;
}

export function ClockCell({ gateway }: { gateway: Gateway }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const offset = offsetMs(gateway);
  const step = stepMs(gateway);
  const isOff = offset !== undefined && Math.abs(offset) >= OFFSET_SAID_MS;
  const text = gateway.clock.unsynced
    ? say('clock_wrong')
    : isOff
      ? say('clock_offset', { offset: signed(offset, say) })
      : say('clock_right');
  return (
    <>
      <Mark level={clockLevel(gateway)}>{text}</Mark>
      {step === undefined ? null : (
        <small>{say('clock_stepped', { step: signed(step, say) })}</small>
      )}
    </>
  );
}

/** `+3 s`, `−2 min`. */
export function signed(ms: number, say: Say): string {
  return `${ms < 0 ? '−' : '+'}${formatDuration(ms, say)}`;
}

export function LedgerCell({ ledger }: { ledger: LedgerNumbers }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const { language } = usePreferences();
  const lostText = useLostText();
  const count = (n: number): string => formatCount(n, language);
  const details = [
    say('ledger_detail', { sent: count(ledger.sent), flight: count(ledger.in_flight) }),
  ];
  if (ledger.quarantined > 0)
    details.push(say('quarantined', { count: count(ledger.quarantined) }));
  return (
    <>
      {ledger.balance === 0 ? (
        <Mark level="calm">{say('balanced')}</Mark>
      ) : (
        <Mark level="bad">{say('unbalanced', { count: count(Math.abs(ledger.balance)) })}</Mark>
      )}
      {ledger.gap_readings > 0 ? (
        <div>
          <Mark level={ledgerLevel(ledger) === 'bad' ? 'warn' : ledgerLevel(ledger)}>
            {say('lost', { count: count(ledger.gap_readings), reasons: lostText(ledger.gaps) })}
          </Mark>
        </div>
      ) : null}
      <small>{details.join(' · ')}</small>
    </>
  );
}

/** Readings by why they are lost, in words; a reason of a later version by its code. */
export function useLostText(): (gaps: LedgerNumbers['gaps']) => string {
  const say = useSay(GATEWAYS_WORDS);
  const { language } = usePreferences();
  return (gaps) =>
    Object.entries(gaps)
      .filter(([, count]) => count > 0)
      .map(([reason, count]) => {
        const key = `gap_${reason}`;
        const text = key in GATEWAYS_WORDS.en ? say(key as 'gap_other') : reason;
        return `${formatCount(count, language)} – ${text}`;
      })
      .join(', ');
}
