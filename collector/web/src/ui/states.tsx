/** What a page says when there is nothing to show, not yet, or not any more. */

import type { ReactNode } from 'react';
import { usePreferences } from '../app/preferences.tsx';
import { errorWords } from '../i18n/error_words.ts';
import { useCommonSay } from '../i18n/say.ts';
import type { Level } from './level.ts';
import { Shape } from './mark.tsx';

export function Loading(): ReactNode {
  const say = useCommonSay();
  return (
    <p className="empty" role="status">
      {say('loading')}
    </p>
  );
}

/** Nothing is there, and why, or what would bring something. */
export function Empty({ text }: { text: string }): ReactNode {
  return <p className="empty">{text}</p>;
}

/** Something could not be had: what the collector says of it, and what to do. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }): ReactNode {
  const say = useCommonSay();
  const { language } = usePreferences();
  const { message, hint } = errorWords(error, language);
  return (
    <div className="failure" role="alert">
      <p>
        <Shape level="warn" /> {say('failed', { message })}
      </p>
      {hint === '' ? null : <p className="note">{hint}</p>}
      {retry === undefined ? null : (
        <button type="button" className="act" onClick={retry}>
          {say('try_again')}
        </button>
      )}
    </div>
  );
}

/** What is asked for by TanStack Query, in its three states. */
export function Resource<T>({
  query,
  children,
}: {
  query: { data: T | undefined; error: unknown; refetch: () => unknown };
  children: (data: T) => ReactNode;
}): ReactNode {
  // What was there stays while the connection is away: the banner says that it is old.
  if (query.data !== undefined) return children(query.data);
  if (query.error !== null && query.error !== undefined)
    return <Failure error={query.error} retry={() => void query.refetch()} />;
  return <Loading />;
}

/** One line across the page. '' : nothing to say. */
export function Banner({ level, text }: { level: Level; text: string }): ReactNode {
  return (
    <p className={`banner ${level}`} role="status" hidden={text === ''}>
      {text === '' ? null : <Shape level={level} />} {text}
    </p>
  );
}

/** Beneath the fields of a form; it is there all the time, so that screen readers hear what comes into it. */
export function FormError({ text }: { text: string }): ReactNode {
  return (
    <p className="form-error" role="alert">
      {text === '' ? null : <Shape level="warn" />} {text}
    </p>
  );
}
