/** A password of one's own: asked for after the first login, and on the page of the user. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { ApiFailure } from '../api/client.ts';
import type { Say } from '../i18n/say.ts';
import { useCommonSay } from '../i18n/say.ts';
import { FormError } from '../ui/states.tsx';
import { useDeed } from './deed.ts';
import { failureText } from './failure_text.ts';
import { useChangePassword, useLogOut } from './session.ts';

const PASSWORD_CHARS_MIN = 10;

export function PasswordPage(): ReactNode {
  const say = useCommonSay();
  const logOut = useLogOut();
  return (
    <main id="main" className="narrow">
      <h1>{say('change_password')}</h1>
      <p>{say('must_change')}</p>
      <PasswordForm />
      <p>
        <button type="button" className="act" onClick={logOut}>
          {say('log_out')}
        </button>
      </p>
    </main>
  );
}

export function PasswordForm({ onDone }: { onDone?: () => void }): ReactNode {
  const say = useCommonSay();
  const change = useChangePassword();
  const { isSending, error, run } = useDeed();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [again, setAgain] = useState('');
  const submit = async (): Promise<void> => {
    await change({ current, next });
    for (const set of [setCurrent, setNext, setAgain]) set('');
    onDone?.();
  };
  const differs = again !== '' && next !== again;
  const field = (
    label: 'password' | 'new_password' | 'repeat_password',
    value: string,
    set: (value: string) => void,
  ): ReactNode => (
    <label>
      {say(label === 'password' ? 'current_password' : label)}
      <input
        name={label}
        type="password"
        autoComplete={label === 'password' ? 'current-password' : 'new-password'}
        required
        minLength={label === 'password' ? 1 : PASSWORD_CHARS_MIN}
        maxLength={256}
        value={value}
        onChange={({ target }) => set(target.value)}
      />
    </label>
  );
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (next === again) void run(submit);
      }}
    >
      {field('password', current, setCurrent)}
      {field('new_password', next, setNext)}
      {field('repeat_password', again, setAgain)}
      <FormError text={differs ? say('passwords_differ') : words(error, say)} />
      <button type="submit" className="act main" disabled={isSending || differs}>
        {say('change_password')}
      </button>
    </form>
  );
}

function words(error: unknown, say: Say): string {
  if (error === undefined) return '';
  if (!(error instanceof ApiFailure)) return failureText(error, say);
  if (error.status === 429) return say('login_wait', { seconds: error.retryAfterSeconds ?? '?' });
  return error.code === 'API_PASSWORD_REFUSED'
    ? say('password_refused', { message: error.message })
    : error.message;
}
