/** A new API token of the one who is logged in: at most what they may themselves. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { send } from '../../api/client.ts';
import type { Grant } from '../../api/types.ts';
import { useDeed } from '../../app/deed.ts';
import { collectorNowMs } from '../../app/overview.ts';
import { useSessionQuery } from '../../app/session.ts';
import { useSay } from '../../i18n/say.ts';
import { FormDialog } from '../../ui/form_dialog.tsx';
import { GrantsField } from './grants_field.tsx';
import { ADMIN_WORDS } from './words.ts';

const DAY_MS = 86_400_000;
const NAME_MAX = 64;
/** Days; 0: never. */
const LIVES = [30, 90, 365, 0] as const;

export function TokenForm(props: {
  onMade: (token: string) => void;
  onClose: () => void;
}): ReactNode {
  const { onMade, onClose } = props;
  const say = useSay(ADMIN_WORDS);
  const own = useSessionQuery().data?.user.grants ?? [];
  const [name, setName] = useState('');
  const [days, setDays] = useState<number>(90);
  const [grants, setGrants] = useState<readonly Grant[]>(
    own.map(({ site }) => ({ site, role: 'viewer' })),
  );
  const { isSending, problem, run } = useDeed();
  const make = async (): Promise<void> => {
    const expires_ms = days === 0 ? null : Math.floor(collectorNowMs()) + days * DAY_MS;
    const asked = { name: name.trim(), grants, expires_ms };
    const made = await send<{ token: string }>('POST', 'tokens', asked);
    onMade(made.token);
  };
  return (
    <FormDialog
      title={say('token_add')}
      problem={grants.length === 0 ? say('token_needs_grant') : problem}
      deed={say('token_make')}
      isSending={isSending}
      isDisabled={grants.length === 0}
      onSubmit={() => void run(make)}
      onClose={onClose}
    >
      <label>
        {say('token_name')}
        <input
          name="token_name"
          autoComplete="off"
          required
          maxLength={NAME_MAX}
          value={name}
          onChange={({ target }) => setName(target.value)}
        />
      </label>
      <label>
        {say('expires')}
        <select
          name="expires"
          value={days}
          onChange={({ target }) => setDays(Number(target.value))}
        >
          {LIVES.map((life) => (
            <option key={life} value={life}>
              {life === 0 ? say('never') : say('in_days', { n: life })}
            </option>
          ))}
        </select>
      </label>
      <GrantsField grants={grants} within={own} onChange={setGrants} />
      <p className="note">{say('token_add_note')}</p>
    </FormDialog>
  );
}
