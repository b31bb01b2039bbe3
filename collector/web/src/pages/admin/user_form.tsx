/** A new user, or what one may from now on. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { send } from '../../api/client.ts';
import type { Grant } from '../../api/types.ts';
import { useDeed } from '../../app/deed.ts';
import { useSay } from '../../i18n/say.ts';
import { FormDialog } from '../../ui/form_dialog.tsx';
import { Name } from '../../ui/mark.tsx';
import { GrantsField } from './grants_field.tsx';
import type { User } from './types.ts';
import { ADMIN_WORDS } from './words.ts';

const NAME_MAX = 64;

export function UserForm(props: {
  /** Undefined: a new one. */
  user: User | undefined;
  isLast: boolean;
  /** `password`: the one that the collector made up. */
  onMade: (name: string, password: string | null) => void;
  onClose: () => void;
}): ReactNode {
  const { user, isLast, onMade, onClose } = props;
  const say = useSay(ADMIN_WORDS);
  const [name, setName] = useState('');
  const [grants, setGrants] = useState<readonly Grant[]>(
    user?.grants ?? [{ site: '*', role: 'viewer' }],
  );
  const { isSending, problem, run } = useDeed();
  const save = async (): Promise<void> => {
    const made =
      user === undefined
        ? await send<Made>('POST', 'users', { name: name.trim(), grants })
        : await send<Made>('PATCH', `users/${encodeURIComponent(user.name)}`, { grants });
    onMade(made.name, made.password ?? null);
  };
  return (
    <FormDialog
      title={say(user === undefined ? 'user_add' : 'user_change')}
      problem={problem}
      deed={say('save')}
      isSending={isSending}
      onSubmit={() => void run(save)}
      onClose={onClose}
    >
      {user === undefined ? (
        <label>
          {say('user_name')}
          <input
            name="new_user"
            autoComplete="off"
            autoCapitalize="none"
            required
            maxLength={NAME_MAX}
            value={name}
            onChange={({ target }) => setName(target.value)}
          />
        </label>
      ) : (
        <p>
          <Name text={user.name} />
        </p>
      )}
      <GrantsField grants={grants} onChange={setGrants} />
      {isLast ? <p className="note">{say('last_admin')}</p> : null}
      {user === undefined ? <p className="note">{say('user_add_note')}</p> : null}
    </FormDialog>
  );
}

interface Made {
  name: string;
  /** Null: none was made up. */
  password: string | null;
}
