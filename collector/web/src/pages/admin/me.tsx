/** The own account: language, password, sessions; what one may. */

import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { Link } from 'wouter';
import { send } from '../../api/client.ts';
import type { Language } from '../../api/types.ts';
import { useDeed } from '../../app/deed.ts';
import { PasswordForm } from '../../app/password.tsx';
import { usePreferences } from '../../app/preferences.tsx';
import { useLogOut, useSessionQuery } from '../../app/session.ts';
import { useSay } from '../../i18n/say.ts';
import { Name } from '../../ui/mark.tsx';
import { FormError } from '../../ui/states.tsx';
import { ConfirmDialog } from './confirm.tsx';
import { GrantsText } from './grants_field.tsx';
import look from './page.module.css';
import { ADMIN_WORDS } from './words.ts';

const LANGUAGES = ['en', 'ko'] as const;

export function MeSection(): ReactNode {
  const say = useSay(ADMIN_WORDS);
  const user = useSessionQuery().data?.user;
  const [isChanged, setChanged] = useState(false);
  if (user === undefined) return null;
  return (
    <section aria-label={say('section_me')} className={look.cards}>
      <div className="panel">
        <h2>
          <Name text={user.name} />
        </h2>
        <p>{say('you_may')}</p>
        <GrantsText grants={user.grants} />
        <p>
          <Link href="/admin/tokens">{say('tokens_own')}</Link>
        </p>
      </div>
      <LanguagePanel name={user.name} chosen={user.language} />
      <div className="panel">
        <h2>{say('change_password')}</h2>
        <p className="note">{say('password_note')}</p>
        <PasswordForm onDone={() => setChanged(true)} />
        <p role="status">{isChanged ? say('password_changed') : ''}</p>
      </div>
      <SessionsPanel name={user.name} />
    </section>
  );
}

function LanguagePanel(props: { name: string; chosen: Language | null }): ReactNode {
  const { name, chosen } = props;
  const say = useSay(ADMIN_WORDS);
  const { setLanguage } = usePreferences();
  const client = useQueryClient();
  const { isSending, problem, run } = useDeed();
  const change = async (language: Language | null): Promise<void> => {
    await send('PATCH', `users/${encodeURIComponent(name)}`, { language });
    if (language !== null) setLanguage(language);
    await client.invalidateQueries({ queryKey: ['session'] });
  };
  return (
    <div className="panel">
      <h2>{say('language')}</h2>
      <p className="note">{say('language_note')}</p>
      <label className="field">
        <span>{say('language')}</span>
        <select
          name="own_language"
          value={chosen ?? ''}
          disabled={isSending}
          onChange={({ target }) => {
            const language = LANGUAGES.find((one) => one === target.value) ?? null;
            void run(() => change(language));
          }}
        >
          <option value="">{say('language_browser')}</option>
          <option value="en" lang="en">
            English
          </option>
          <option value="ko" lang="ko">
            한국어
          </option>
        </select>
      </label>
      <FormError text={problem} />
    </div>
  );
}

function SessionsPanel({ name }: { name: string }): ReactNode {
  const say = useSay(ADMIN_WORDS);
  const logOut = useLogOut();
  const [isAsked, setAsked] = useState(false);
  return (
    <div className="panel">
      <h2>{say('own_sessions')}</h2>
      <p className="note">{say('own_sessions_note')}</p>
      <button type="button" className="act" data-action="end" onClick={() => setAsked(true)}>
        {say('end_own_sessions')}
      </button>
      {isAsked ? (
        <ConfirmDialog
          title={say('end_own_sessions')}
          deed={say('log_out')}
          onConfirm={async () => {
            await send('DELETE', `users/${encodeURIComponent(name)}/sessions`);
            // This one is over, too: back to the login.
            logOut();
          }}
          onClose={() => setAsked(false)}
        >
          <p>{say('ask_end_own')}</p>
        </ConfirmDialog>
      ) : null}
    </div>
  );
}
