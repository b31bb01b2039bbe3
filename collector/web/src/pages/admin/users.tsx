/** Who may log in, and what they may. */

import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { ask, send } from '../../api/client.ts';
import type { Page } from '../../api/types.ts';
import { usePermissions } from '../../app/session.ts';
import { useSay } from '../../i18n/say.ts';
import { Mark, Name } from '../../ui/mark.tsx';
import { Resource } from '../../ui/states.tsx';
import { Table } from '../../ui/table.tsx';
import { Age } from '../../ui/time.tsx';
import { ConfirmDialog } from './confirm.tsx';
import { GrantsText } from './grants_field.tsx';
import look from './page.module.css';
import { SecretDialog } from './secret.tsx';
import type { User } from './types.ts';
import { UserForm } from './user_form.tsx';
import { isLastAdmin } from './users.ts';
import { ADMIN_WORDS } from './words.ts';

const EVERY_MS = 15_000;
const KEY = ['users'] as const;

type Asks =
  | { what: 'add' }
  | { what: 'change' | 'remove' | 'password' | 'sessions' | 'disable'; user: User }
  | { what: 'secret'; name: string; password: string };

export function UsersSection(): ReactNode {
  const say = useSay(ADMIN_WORDS);
  const users = useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => ask<Page<User>>('users', {}, { signal }),
    refetchInterval: EVERY_MS,
  });
  const [asks, setAsks] = useState<Asks>();
  return (
    <section aria-label={say('section_users')}>
      <p className={look.above}>
        <button
          type="button"
          className="act"
          data-action="add"
          onClick={() => setAsks({ what: 'add' })}
        >
          {say('user_add')}
        </button>
      </p>
      <Resource query={users}>
        {({ items }) => (
          <>
            <UserTable users={items} onAsk={setAsks} />
            <Asked asks={asks} users={items} onAsk={setAsks} />
          </>
        )}
      </Resource>
    </section>
  );
}

function UserTable(props: { users: readonly User[]; onAsk: (asks: Asks) => void }): ReactNode {
  const { users, onAsk } = props;
  const say = useSay(ADMIN_WORDS);
  const { name: ownName } = usePermissions();
  return (
    <Table
      isCards
      label={say('section_users')}
      rows={users}
      keyOf={({ name }) => name}
      attributesOf={({ name }) => ({ 'data-user': name })}
      columns={[
        {
          key: 'name',
          head: say('user_name'),
          cell: (user) => (
            <>
              <Name text={user.name} />
              {user.name === ownName ? <small>{say('yourself')}</small> : null}
              <UserState user={user} />
            </>
          ),
        },
        {
          key: 'grants',
          head: say('grants'),
          cell: ({ grants }) => <GrantsText grants={grants} />,
        },
        {
          key: 'login',
          head: say('last_login'),
          cell: ({ last_login_ms }) =>
            last_login_ms === null ? say('never') : <Age ms={last_login_ms} />,
        },
        {
          key: 'sessions',
          head: say('sessions'),
          isNumber: true,
          cell: ({ sessions }) => sessions,
        },
        {
          key: 'actions',
          head: say('actions'),
          cell: (user) => <UserActions user={user} users={users} onAsk={onAsk} />,
        },
      ]}
    />
  );
}

function UserState({ user }: { user: User }): ReactNode {
  const say = useSay(ADMIN_WORDS);
  if (user.disabled)
    return (
      <small>
        <Mark level="note">{say('disabled')}</Mark>
      </small>
    );
  return user.must_change_password ? <small>{say('password_to_change')}</small> : null;
}

function UserActions(props: {
  user: User;
  users: readonly User[];
  onAsk: (asks: Asks) => void;
}): ReactNode {
  const { user, users, onAsk } = props;
  const say = useSay(ADMIN_WORDS);
  const isLast = isLastAdmin(user, users);
  const button = (
    what: 'change' | 'remove' | 'password' | 'sessions' | 'disable',
    text: string,
    isOff = false,
  ): ReactNode => (
    <button
      type="button"
      className="act"
      data-action={what}
      aria-label={`${text}: ${user.name}`}
      disabled={isOff}
      onClick={() => onAsk({ what, user })}
    >
      {text}
    </button>
  );
  return (
    <div className={look.buttons}>
      {button('change', say('change'))}
      {button('password', say('user_password'))}
      {button('sessions', say('end_sessions'), user.sessions === 0)}
      {button('disable', say(user.disabled ? 'enable' : 'disable'), isLast)}
      {button('remove', say('remove'), isLast)}
      {isLast ? <small>{say('last_admin')}</small> : null}
    </div>
  );
}

function Asked(props: {
  asks: Asks | undefined;
  users: readonly User[];
  onAsk: (asks: Asks | undefined) => void;
}): ReactNode {
  const { asks, users, onAsk } = props;
  const say = useSay(ADMIN_WORDS);
  const client = useQueryClient();
  const close = (): void => onAsk(undefined);
  const again = (): Promise<void> => client.invalidateQueries({ queryKey: KEY });
  if (asks === undefined) return null;
  if (asks.what === 'secret')
    return (
      <SecretDialog
        title={say('password_made')}
        note={say('password_made_note', { name: asks.name })}
        secret={asks.password}
        onClose={close}
      />
    );
  const onMade = (name: string, password: string | null): void => {
    void again();
    onAsk(password === null ? undefined : { what: 'secret', name, password });
  };
  if (asks.what === 'add' || asks.what === 'change')
    return (
      <UserForm
        user={asks.what === 'change' ? asks.user : undefined}
        isLast={asks.what === 'change' && isLastAdmin(asks.user, users)}
        onMade={onMade}
        onClose={close}
      />
    );
  const { what, user } = asks;
  const path = `users/${encodeURIComponent(user.name)}`;
  const deeds = {
    remove: () => send('DELETE', path),
    sessions: () => send('DELETE', `${path}/sessions`),
    disable: () => send('PATCH', path, { disabled: !user.disabled }),
    password: async () => {
      const made = await send<{ password: string | null }>('PATCH', path, { new_password: true });
      return made.password;
    },
  };
  const key = what === 'disable' && user.disabled ? 'enable' : what;
  return (
    <ConfirmDialog
      title={say(`ask_${key}`)}
      deed={say(`deed_${key}`)}
      onClose={() => {
        void again();
        // What was made up meanwhile is to be read.
        onAsk(undefined);
      }}
      onConfirm={async () => {
        const made = await deeds[what]();
        // After this dialog has closed itself.
        if (typeof made === 'string') setTimeout(() => onMade(user.name, made));
      }}
    >
      <p>
        <Name text={user.name} />
      </p>
      <p>{say(`ask_${key}_note`)}</p>
    </ConfirmDialog>
  );
}
