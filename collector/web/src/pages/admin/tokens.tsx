/** What programs show instead of a login. */

import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { ask, send } from '../../api/client.ts';
import type { Page } from '../../api/types.ts';
import { useNowMs } from '../../app/overview.ts';
import { usePermissions } from '../../app/session.ts';
import { useSay } from '../../i18n/say.ts';
import { Mark, Name } from '../../ui/mark.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import type { Column } from '../../ui/table.tsx';
import { Table } from '../../ui/table.tsx';
import { Age, Time } from '../../ui/time.tsx';
import { ConfirmDialog } from './confirm.tsx';
import { GrantsText } from './grants_field.tsx';
import look from './page.module.css';
import { SecretDialog } from './secret.tsx';
import { TokenForm } from './token_form.tsx';
import type { Token } from './types.ts';
import { ADMIN_WORDS } from './words.ts';

const EVERY_MS = 30_000;
const KEY = ['tokens'] as const;

type Asks = { what: 'add' } | { what: 'remove'; token: Token } | { what: 'secret'; token: string };

export function TokensSection(): ReactNode {
  const say = useSay(ADMIN_WORDS);
  const client = useQueryClient();
  const { isLoggedIn, mayEverywhere } = usePermissions();
  const [asks, setAsks] = useState<Asks>();
  const tokens = useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => ask<Page<Token>>('tokens', {}, { signal }),
    refetchInterval: EVERY_MS,
  });
  const again = (): Promise<void> => client.invalidateQueries({ queryKey: KEY });
  const close = (): void => setAsks(undefined);
  return (
    <section aria-label={say('section_tokens')}>
      <p className={look.above}>
        {isLoggedIn ? (
          <button
            type="button"
            className="act"
            data-action="add"
            onClick={() => setAsks({ what: 'add' })}
          >
            {say('token_add')}
          </button>
        ) : (
          say('token_needs_login')
        )}{' '}
        <span className="note">{say(mayEverywhere('admin') ? 'tokens_all' : 'tokens_own')}</span>
      </p>
      <Resource query={tokens}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty text={say('tokens_none')} />
          ) : (
            <TokenTable tokens={items} onRemove={(token) => setAsks({ what: 'remove', token })} />
          )
        }
      </Resource>
      {asks?.what === 'add' ? (
        <TokenForm
          onMade={(token) => {
            void again();
            setAsks({ what: 'secret', token });
          }}
          onClose={close}
        />
      ) : null}
      {asks?.what === 'secret' ? (
        <SecretDialog
          title={say('token_made')}
          note={say('token_made_note')}
          secret={asks.token}
          onClose={close}
        />
      ) : null}
      {asks?.what === 'remove' ? (
        <ConfirmDialog
          title={say('ask_token_remove')}
          deed={say('remove')}
          onConfirm={async () => {
            await send('DELETE', `tokens/${encodeURIComponent(asks.token.id)}`);
            await again();
          }}
          onClose={close}
        >
          <p>
            <Name text={asks.token.name} /> (<Name text={asks.token.user} />)
          </p>
          <p>{say('ask_token_remove_note')}</p>
        </ConfirmDialog>
      ) : null}
    </section>
  );
}

function TokenTable(props: {
  tokens: readonly Token[];
  onRemove: (token: Token) => void;
}): ReactNode {
  const { tokens, onRemove } = props;
  const say = useSay(ADMIN_WORDS);
  const columns: Column<Token>[] = [
    {
      key: 'name',
      head: say('token_name'),
      cell: ({ name, user }) => (
        <>
          <Name text={name} />
          <small>
            <Name text={user} />
          </small>
        </>
      ),
    },
    { key: 'grants', head: say('grants'), cell: ({ grants }) => <GrantsText grants={grants} /> },
    { key: 'expires', head: say('expires'), cell: ({ expires_ms }) => <Expiry ms={expires_ms} /> },
    {
      key: 'used',
      head: say('last_used'),
      cell: ({ last_used_ms }) =>
        last_used_ms === null ? say('never') : <Age ms={last_used_ms} />,
    },
    {
      key: 'actions',
      head: say('actions'),
      cell: (token) => (
        <button
          type="button"
          className="act"
          data-action="remove"
          aria-label={`${say('remove')}: ${token.name}`}
          onClick={() => onRemove(token)}
        >
          {say('remove')}
        </button>
      ),
    },
  ];
  return (
    <Table
      isCards
      label={say('section_tokens')}
      rows={tokens}
      keyOf={({ id }) => id}
      attributesOf={({ id }) => ({ 'data-token': id })}
      columns={columns}
    />
  );
}

function Expiry({ ms }: { ms: number | null }): ReactNode {
  const say = useSay(ADMIN_WORDS);
  const nowMs = useNowMs();
  if (ms === null) return say('never');
  return (
    <>
      <Time ms={ms} site="" />
      {ms <= nowMs ? (
        <small>
          <Mark level="note">{say('expired')}</Mark>
        </small>
      ) : null}
    </>
  );
}
