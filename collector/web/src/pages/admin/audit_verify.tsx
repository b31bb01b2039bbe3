/** Is the audit log the one that was made? Asked on demand: it reads all of it. */

import type { ReactNode } from 'react';
import { useEffect, useRef, useState } from 'react';
import { ask } from '../../api/client.ts';
import { failureText } from '../../app/failure_text.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Mark } from '../../ui/mark.tsx';
import { FormError } from '../../ui/states.tsx';
import { verdictKey } from './audit.ts';
import look from './page.module.css';
import type { AuditVerdict } from './types.ts';
import { ADMIN_WORDS } from './words.ts';

/** A part of a very long log takes some 30 s. */
const TIMEOUT_MS = 90_000;

export function AuditVerify(): ReactNode {
  const say = useSay(ADMIN_WORDS);
  const [verdict, setVerdict] = useState<AuditVerdict>();
  const [isRunning, setRunning] = useState(false);
  const [problem, setProblem] = useState('');
  const stop = useRef<AbortController>(undefined);
  useEffect(() => () => stop.current?.abort(), []);
  const run = async (): Promise<void> => {
    const controller = new AbortController();
    stop.current = controller;
    const { signal } = controller;
    setRunning(true);
    setProblem('');
    setVerdict(undefined);
    try {
      let cursor: string | undefined;
      do {
        const part = await ask<AuditVerdict>(
          'audit/verify',
          { cursor },
          { signal, timeoutMs: TIMEOUT_MS },
        );
        setVerdict(part);
        cursor = part.next ?? undefined;
      } while (cursor !== undefined && !signal.aborted);
    } catch (error) {
      if (!signal.aborted) setProblem(failureText(error, say));
    } finally {
      setRunning(false);
    }
  };
  return (
    <div className="panel">
      <div className="title-row">
        <h2>{say('verify')}</h2>
        {isRunning ? (
          <button type="button" className="act" onClick={() => stop.current?.abort()}>
            {say('cancel')}
          </button>
        ) : (
          <button type="button" className="act" data-action="verify" onClick={() => void run()}>
            {say('verify_now')}
          </button>
        )}
        {isRunning ? <progress aria-label={say('verifying')} /> : null}
      </div>
      <p className="note">{say('verify_note')}</p>
      <div role="status">{verdict === undefined ? null : <Verdict verdict={verdict} />}</div>
      <FormError text={problem} />
    </div>
  );
}

function Verdict({ verdict }: { verdict: AuditVerdict }): ReactNode {
  const say = useSay(ADMIN_WORDS);
  const { language } = usePreferences();
  const count = (n: number): string => formatCount(n, language);
  const text = say(verdictKey(verdict), {
    entries: count(verdict.entries),
    first: count(verdict.first_number),
    head: count(verdict.head_number),
    broken: count(verdict.broken_at ?? 0),
  });
  return (
    <>
      <p data-verdict={verdict.ok === null ? 'open' : verdict.ok ? 'ok' : 'broken'}>
        {verdict.ok === false ? <Mark level="bad">{text}</Mark> : text}
      </p>
      {verdict.not_yet_stored > 0 ? (
        <p className="note">{say('verdict_on_the_way', { n: count(verdict.not_yet_stored) })}</p>
      ) : null}
      {verdict.head_number > 0 ? (
        <p className="note">
          {say('verdict_head', { head: count(verdict.head_number) })}{' '}
          <code className={look.hash}>{verdict.head_hash}</code>
        </p>
      ) : null}
    </>
  );
}
