/** Name and password. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { ApiFailure } from '../api/client.ts';
import type { Say } from '../i18n/say.ts';
import { useCommonSay } from '../i18n/say.ts';
import { FormError } from '../ui/states.tsx';
import { ConnectionBanner } from './connection.tsx';
import { useLogIn } from './session.ts';

export function LoginPage(): ReactNode {
  const say = useCommonSay();
  const logIn = useLogIn();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [location, navigate] = useLocation();
  const submit = (): void =>
    logIn.mutate(
      { name, password },
      { onSuccess: () => location === '/login' && navigate('/', { replace: true }) },
    );
  return (
    <main id="main" className="narrow">
      <ConnectionBanner />
      <h1>FMS</h1>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <label>
          {say('user_name')}
          <input
            name="name"
            autoComplete="username"
            autoCapitalize="none"
            required
            maxLength={64}
            value={name}
            onChange={({ target }) => setName(target.value)}
          />
        </label>
        <label>
          {say('password')}
          <input
            name="password"
            type="password"
            autoComplete="current-password"
            required
            maxLength={256}
            value={password}
            onChange={({ target }) => setPassword(target.value)}
          />
        </label>
        <FormError text={logIn.error === null ? '' : words(logIn.error, say)} />
        <button type="submit" className="act main" disabled={logIn.isPending}>
          {say('log_in')}
        </button>
      </form>
    </main>
  );
}

function words(error: Error, say: Say): string {
  if (!(error instanceof ApiFailure)) return error.message;
  if (error.status === 429) return say('login_wait', { seconds: error.retryAfterSeconds ?? '?' });
  return error.code === 'API_LOGIN_REFUSED' ? say('login_refused') : error.message;
}
