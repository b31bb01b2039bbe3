/** Gateways that ask to be let in without a token: nobody is, before a person has compared fingerprints. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { send } from '../../../api/client.ts';
import { useDeed } from '../../../app/deed.ts';
import { useNowMs } from '../../../app/overview.ts';
import { formatDuration } from '../../../i18n/format.ts';
import { useSay } from '../../../i18n/say.ts';
import { FormDialog } from '../../../ui/form_dialog.tsx';
import { Mark } from '../../../ui/mark.tsx';
import { Age } from '../../../ui/time.tsx';
import { ConfirmDialog } from '../confirm.tsx';
import { Fingerprint } from './fingerprint.tsx';
import { compare } from './fingerprints.ts';
import { GatewayName } from './gateway_name.tsx';
import look from './gateways.module.css';
import type { EnrolmentRequest } from './types.ts';
import { ENROLMENT_WORDS } from './words.ts';

type Asks = { what: 'approve' | 'reject'; request: EnrolmentRequest };

export function RequestsPanel(props: {
  requests: readonly EnrolmentRequest[];
  /** Something was decided. */
  onDecided: () => Promise<unknown>;
}): ReactNode {
  const { requests, onDecided } = props;
  const say = useSay(ENROLMENT_WORDS);
  const [asks, setAsks] = useState<Asks>();
  const close = (): void => setAsks(undefined);
  // A dialog stays although its request has gone from the list meanwhile: the answer says so.
  if (requests.length === 0 && asks === undefined) return null;
  return (
    <div className="panel" data-requests={requests.length}>
      <h2>
        <Mark level="warn">{say('requests')}</Mark>
      </h2>
      <p className="note">{say('requests_note')}</p>
      <ul className={look.requests}>
        {requests.map((request) => (
          <li key={request.id} data-request={request.id}>
            <Request request={request} />
            <div className="actions">
              {(['approve', 'reject'] as const).map((what) => (
                <button
                  key={what}
                  type="button"
                  className="act"
                  data-action={what}
                  aria-label={`${say(what)}: ${request.gateway}`}
                  onClick={() => setAsks({ what, request })}
                >
                  {say(what)}
                </button>
              ))}
            </div>
          </li>
        ))}
      </ul>
      {asks?.what === 'approve' ? (
        <ApproveDialog request={asks.request} onDecided={onDecided} onClose={close} />
      ) : null}
      {asks?.what === 'reject' ? (
        <ConfirmDialog
          title={say('ask_reject')}
          deed={say('reject')}
          onConfirm={async () => {
            const path = `enrolment/requests/${encodeURIComponent(asks.request.id)}/reject`;
            await send('POST', path, {});
            await onDecided();
          }}
          onClose={close}
        >
          <p>
            <GatewayName of={asks.request} />
          </p>
          <p>{say('ask_reject_note')}</p>
        </ConfirmDialog>
      ) : null}
    </div>
  );
}

function Request({ request }: { request: EnrolmentRequest }): ReactNode {
  const { from, version, created_ms, expires_ms, known } = request;
  const say = useSay(ENROLMENT_WORDS);
  const leftMs = expires_ms - useNowMs();
  return (
    <>
      <h3>
        <GatewayName of={request} />
      </h3>
      <p className="note">
        {say('request_from', { from, version })} · {say('request_age')} <Age ms={created_ms} /> ·{' '}
        {leftMs <= 0
          ? say('request_over')
          : say('request_until', { age: formatDuration(leftMs, say) })}
      </p>
      {known ? (
        <p>
          <Mark level="warn">{say('request_known')}</Mark>
        </p>
      ) : null}
      <p className="note">{say('fingerprint')}</p>
      <Fingerprint text={request.key_fingerprint} />
    </>
  );
}

function ApproveDialog(props: {
  request: EnrolmentRequest;
  onDecided: () => Promise<unknown>;
  onClose: () => void;
}): ReactNode {
  const { request, onDecided, onClose } = props;
  const { id, key_fingerprint, known } = request;
  const say = useSay(ENROLMENT_WORDS);
  const [typed, setTyped] = useState('');
  const [isSeen, setSeen] = useState(false);
  const { isSending, problem, run } = useDeed();
  const { rightGroups, verdict } = compare(typed, key_fingerprint);
  const isCompared = verdict === 'right' || (verdict === 'nothing' && isSeen);
  const approve = async (): Promise<void> => {
    const path = `enrolment/requests/${encodeURIComponent(id)}/approve`;
    // The key that was compared, and no other that may ask under this id meanwhile.
    await send('POST', path, { key_fingerprint });
    await onDecided();
    onClose();
  };
  return (
    <FormDialog
      title={say('ask_approve')}
      problem={problem}
      deed={say('deed_approve')}
      isSending={isSending}
      isDisabled={!isCompared}
      onSubmit={() => void run(approve)}
      onClose={onClose}
    >
      <p>
        <GatewayName of={request} />
      </p>
      {known ? (
        <p>
          <Mark level="warn">{say('request_known')}</Mark>
        </p>
      ) : null}
      <p>{say('compare_note')}</p>
      <Fingerprint text={key_fingerprint} rightGroups={rightGroups} />
      <label>
        {say('compare_type')}
        <input
          name="typed"
          autoComplete="off"
          spellCheck={false}
          maxLength={200}
          value={typed}
          onChange={({ target }) => setTyped(target.value)}
        />
      </label>
      <p role="status" data-compared={verdict}>
        {verdict === 'wrong' ? (
          <Mark level="bad">{say('compare_wrong')}</Mark>
        ) : rightGroups > 0 ? (
          say('compare_right', { n: rightGroups })
        ) : null}
      </p>
      <label className={look.check}>
        <input
          type="checkbox"
          name="seen"
          checked={isSeen}
          onChange={({ target }) => setSeen(target.checked)}
        />
        {say('compare_eye')}
      </label>
    </FormDialog>
  );
}
