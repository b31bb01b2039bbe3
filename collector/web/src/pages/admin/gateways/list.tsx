/** Gateways that are registered: whether they may connect, until when, and whether they do. */

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { gatewayPath } from '../../../app/address.ts';
import { useNowMs } from '../../../app/overview.ts';
import { formatDuration } from '../../../i18n/format.ts';
import { useSay } from '../../../i18n/say.ts';
import { Mark, Name } from '../../../ui/mark.tsx';
import { Table } from '../../../ui/table.tsx';
import { Age, Time } from '../../../ui/time.tsx';
import look from '../page.module.css';
import type { GatewayItem } from '../types.ts';
import type { Deed } from './asked.tsx';
import type { GatewayCertificate, Registered } from './types.ts';
import { LEVEL_OF, validityOf } from './validity.ts';
import { ENROLMENT_WORDS } from './words.ts';

export interface Row extends Registered {
  /** What the collector sees of it; undefined: nothing yet. */
  seen: GatewayItem | undefined;
}

export function GatewayList(props: {
  rows: readonly Row[];
  mayChange: (site: string) => boolean;
  onAsk: (deed: Deed, row: Row) => void;
}): ReactNode {
  const { rows, mayChange, onAsk } = props;
  const say = useSay(ENROLMENT_WORDS);
  return (
    <Table
      isCards
      label={say('list_title')}
      rows={rows}
      keyOf={({ site, gateway }) => JSON.stringify([site, gateway])}
      attributesOf={({ site, gateway }) => ({ 'data-registered': `${site}/${gateway}` })}
      columns={[
        {
          key: 'gateway',
          head: say('gateway'),
          cell: ({ site, gateway }) => (
            <>
              <Link href={gatewayPath({ site, gateway })}>
                <Name text={gateway} />
              </Link>
              <small>
                <Name text={site} />
              </small>
            </>
          ),
        },
        { key: 'state', head: say('state'), cell: (row) => <State row={row} /> },
        {
          key: 'certificate',
          head: say('certificate'),
          cell: ({ certificate, state, seen }) =>
            certificate === null || state === 'revoked' ? (
              '–'
            ) : (
              <CertificateEnd
                certificate={certificate}
                isLetIn={seen?.certificate?.state !== 'expired'}
              />
            ),
        },
        { key: 'connection', head: say('connection'), cell: ({ seen }) => <Seen seen={seen} /> },
        {
          key: 'changed',
          head: say('changed'),
          cell: ({ changed_ms, changed_by }) =>
            changed_ms === null ? (
              '–'
            ) : (
              <>
                <Age ms={changed_ms} />
                <small>
                  <Name text={say('by', { who: changed_by ?? '' })} />
                </small>
              </>
            ),
        },
        {
          key: 'actions',
          head: say('actions'),
          cell: (row) => (mayChange(row.site) ? <Actions row={row} onAsk={onAsk} /> : null),
        },
      ]}
    />
  );
}

function State({ row }: { row: Row }): ReactNode {
  const { state, invitation, without_tls } = row;
  const say = useSay(ENROLMENT_WORDS);
  const nowMs = useNowMs();
  const isWaiting = state === 'invited' || state === 'enrolled';
  const leftMs = (invitation?.expires_ms ?? 0) - nowMs;
  return (
    <>
      <Mark level={state === 'revoked' ? 'note' : 'calm'}>{say(`state_${state}`)}</Mark>
      {isWaiting && leftMs > 0 ? (
        <small>
          {say(state === 'invited' ? 'invited_until' : 'replacing', {
            age: formatDuration(leftMs, say),
          })}
        </small>
      ) : null}
      {state === 'invited' && leftMs <= 0 ? (
        <small>
          <Mark level="note">{say('invited_over')}</Mark>
        </small>
      ) : null}
      {without_tls ? (
        <small>
          <Mark level="note">{say('without_tls')}</Mark>
        </small>
      ) : null}
    </>
  );
}

function CertificateEnd(props: {
  certificate: GatewayCertificate;
  /** Also after its end. */
  isLetIn: boolean;
}): ReactNode {
  const { certificate, isLetIn } = props;
  const say = useSay(ENROLMENT_WORDS);
  const nowMs = useNowMs();
  const validity = validityOf(certificate, nowMs);
  const age = formatDuration(certificate.not_after_ms - nowMs, say);
  return (
    <span data-validity={validity}>
      {say('ends')} <Time ms={certificate.not_after_ms} site="" form="full" />
      {validity === 'good' ? null : (
        <small>
          <Mark level={LEVEL_OF[validity]}>
            {say(validity === 'near' ? 'ends_soon' : isLetIn ? 'ended' : 'ended_for_good', { age })}
          </Mark>
        </small>
      )}
    </span>
  );
}

function Seen({ seen }: { seen: GatewayItem | undefined }): ReactNode {
  const say = useSay(ENROLMENT_WORDS);
  if (seen === undefined || seen.status === 'never_seen') return say('gateway_never_seen');
  const { status, transport, updated_ms } = seen;
  return (
    <>
      {say(`gateway_${status}`)}
      {transport === null || transport === undefined ? null : ` · ${say(`transport_${transport}`)}`}
      <small>{updated_ms === null ? null : <Age ms={updated_ms} />}</small>
    </>
  );
}

function Actions(props: { row: Row; onAsk: (deed: Deed, row: Row) => void }): ReactNode {
  const { row, onAsk } = props;
  const { state, gateway, certificate } = row;
  const say = useSay(ENROLMENT_WORDS);
  const isRemovable = state === 'revoked' || (state === 'invited' && certificate === null);
  const buttons: [Deed, string, boolean][] = [
    ['token', say(state === 'enrolled' ? 'replace' : 'new_token'), true],
    ['revoke', say('revoke'), state === 'enrolled' || state === 'invited'],
    ['remove', say('remove'), isRemovable],
  ];
  return (
    <div className={look.buttons}>
      {buttons
        .filter(([, , isThere]) => isThere)
        .map(([deed, text]) => (
          <button
            key={deed}
            type="button"
            className="act"
            data-action={deed}
            aria-label={`${text}: ${gateway}`}
            onClick={() => onAsk(deed, row)}
          >
            {text}
          </button>
        ))}
    </div>
  );
}
