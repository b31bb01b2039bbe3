/** Name and password: as a page of its own, and over the page when a session ended. */

import type { ReactNode } from 'react';
import { useEffect, useState } from 'react';
import { ApiFailure } from '../api/client.ts';
import type { Say } from '../i18n/say.ts';
import { useCommonSay } from '../i18n/say.ts';
import { Dialog } from '../ui/dialog.tsx';
import { FormError } from '../ui/states.tsx';
import { ConnectionBanner } from './connection.tsx';
import { useDeed } from './deed.ts';
import { failureText } from './failure_text.ts';
import { useLeave, useLogIn, useSessionQuery } from './session.ts';

export function LoginPage(): ReactNode {
  return (
    <main id="main" className="narrow">
      <ConnectionBanner />
      <h1>FMS</h1>
      <LoginForm />
    </main>
  );
}

/** Shown while the session of somebody has ended under an open page; closing it by Escape would lead nowhere. */
export function LoginAgain(): ReactNode {
  const say = useCommonSay();
  const session = useSessionQuery();
  const leave = useLeave();
  const [shown, setShown] = useState(0);
  if (session.data?.hasEnded !== true) return null;
  const { name } = session.data.user;
  return (
    <Dialog key={shown} title={say('session_ended')} onClose={() => setShown((n) => n + 1)}>
      <p>{say('session_ended_note', { name })}</p>
      <LoginForm name={name} />
      <button type="button" className="act" onClick={leave}>
        {say('leave_page')}
      </button>
    </Dialog>
  );
}

function LoginForm({ name: given }: { name?: string }): ReactNode {
  const say = useCommonSay();
  const logIn = useLogIn();
  const [typed, setTyped] = useState('');
  const [password, setPassword] = useState('');
  const { isSending, error, run } = useDeed();
  const waitSeconds = useWait(error);
  const name = given ?? typed;
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (waitSeconds === 0) void run(() => logIn({ name, password }));
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
          readOnly={given !== undefined}
          value={name}
          onChange={({ target }) => setTyped(target.value)}
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
      <FormError text={words(error, waitSeconds, say)} />
      <button type="submit" className="act main" disabled={isSending || waitSeconds > 0}>
        {say('log_in')}
      </button>
    </form>
  );
}

/** Seconds until the collector listens again; 0: it does. */
function useWait(error: unknown): number {
  const waitSeconds =
    error instanceof ApiFailure && error.status === 429 ? (error.retryAfterSeconds ?? 1) : 0;
  const [left, setLeft] = useState({ error, seconds: waitSeconds });
  // Another answer, another wait.
  if (left.error !== error) setLeft({ error, seconds: waitSeconds });
  useEffect(() => {
    if (waitSeconds === 0) return undefined;
    const endMs = performance.now() + waitSeconds * 1_000;
    const timer = setInterval(() => {
      const seconds = Math.max(0, Math.ceil((endMs - performance.now()) / 1_000));
      setLeft({ error, seconds });
      if (seconds === 0) clearInterval(timer);
    }, 250);
    return () => clearInterval(timer);
  }, [error, waitSeconds]);
  return left.error === error ? left.seconds : waitSeconds;
}

function words(error: unknown, waitSeconds: number, say: Say): string {
  if (error === undefined) return '';
  if (!(error instanceof ApiFailure)) return failureText(error, say);
  if (error.status === 0) return say('login_unanswered');
  if (error.status === 429)
    return waitSeconds === 0 ? say('login_waited') : say('login_wait', { seconds: waitSeconds });
  return error.code === 'API_LOGIN_REFUSED' ? say('login_refused') : error.message;
}
