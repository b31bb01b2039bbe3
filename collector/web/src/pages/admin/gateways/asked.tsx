/** What is asked before something is done to a gateway that is registered. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { send } from '../../../api/client.ts';
import { useDeed } from '../../../app/deed.ts';
import { useSay } from '../../../i18n/say.ts';
import { FormDialog } from '../../../ui/form_dialog.tsx';
import { HOURS_DEFAULT, HoursField } from './add.tsx';
import { GatewayName } from './gateway_name.tsx';
import look from './gateways.module.css';
import type { MadeToken, MadeTokens, Registered } from './types.ts';
import { ENROLMENT_WORDS } from './words.ts';

export type Deed = 'token' | 'revoke' | 'remove';

const REASON_MAX = 300;

export function AskedDialog(props: {
  deed: Deed;
  gateway: Registered;
  /** With what is to be shown next. */
  onDone: (made: MadeTokens | undefined) => void;
  onClose: () => void;
}): ReactNode {
  const { deed, gateway, onDone, onClose } = props;
  const { state } = gateway;
  const say = useSay(ENROLMENT_WORDS);
  const [hours, setHours] = useState<number>(HOURS_DEFAULT);
  const [isNow, setNow] = useState(false);
  const [reason, setReason] = useState('');
  const { isSending, problem, run } = useDeed();
  const isReplaced = deed === 'token' && state === 'enrolled';
  const submit = async (): Promise<void> => {
    const more = isReplaced && isNow ? { now: true } : {};
    onDone(await deeds[deed](pathOf(gateway), { valid_hours: hours, ...more }, reason.trim()));
  };
  const title = isReplaced ? say('ask_replace') : say(`ask_${deed}`);
  const deedText = { token: say('deed_token'), revoke: say('revoke'), remove: say('remove') };
  return (
    <FormDialog
      title={title}
      problem={problem}
      deed={deedText[deed]}
      isSending={isSending}
      onSubmit={() => void run(submit)}
      onClose={onClose}
    >
      <p>
        <GatewayName of={gateway} />
      </p>
      {deed === 'token' ? <TokenNotes state={state} /> : <p>{say(`ask_${deed}_note`)}</p>}
      {deed === 'token' ? <HoursField hours={hours} onChange={setHours} /> : null}
      {isReplaced ? (
        <label className={look.check}>
          <input
            type="checkbox"
            name="now"
            checked={isNow}
            onChange={({ target }) => setNow(target.checked)}
          />
          {say('replace_now')}
        </label>
      ) : null}
      {deed === 'revoke' ? (
        <label>
          {say('revoke_reason')}
          <input
            name="reason"
            autoComplete="off"
            required
            maxLength={REASON_MAX}
            value={reason}
            onChange={({ target }) => setReason(target.value)}
          />
        </label>
      ) : null}
    </FormDialog>
  );
}

function TokenNotes({ state }: { state: Registered['state'] }): ReactNode {
  const say = useSay(ENROLMENT_WORDS);
  const key = {
    enrolled: 'ask_replace_note',
    invited: 'ask_token_note',
    revoked: 'ask_token_revoked',
    configured: 'ask_token_configured',
  } as const;
  return <p>{say(key[state])}</p>;
}

function pathOf({ site, gateway }: Registered): string {
  return `enrolment/gateways/${encodeURIComponent(site)}/${encodeURIComponent(gateway)}`;
}

type Made = MadeToken & Omit<MadeTokens, 'items'>;

const deeds: Record<
  Deed,
  (path: string, token: object, reason: string) => Promise<MadeTokens | undefined>
> = {
  token: async (path, asked) => {
    const made = await send<Made>('POST', `${path}/token`, asked);
    const { mqtt_port, names, ...item } = made;
    return { items: [item], mqtt_port, names };
  },
  revoke: (path, _token, reason) => send('POST', `${path}/revoke`, { reason }),
  remove: (path) => send('DELETE', path),
};
