/** Who signs: what gateways know the collector by. */

import type { ReactNode } from 'react';
import { useNowMs } from '../../../app/overview.ts';
import { formatDuration } from '../../../i18n/format.ts';
import { useSay } from '../../../i18n/say.ts';
import { Mark, Name } from '../../../ui/mark.tsx';
import { Time } from '../../../ui/time.tsx';
import { saveText } from './copy.ts';
import { Fingerprint } from './fingerprint.tsx';
import look from './gateways.module.css';
import type { AuthorityItem } from './types.ts';
import { ENROLMENT_WORDS } from './words.ts';

/** Its successor takes gateways time to learn of. */
const NEAR_MS = 365 * 86_400_000;

export function AuthorityPanel({ authority }: { authority: AuthorityItem }): ReactNode {
  const say = useSay(ENROLMENT_WORDS);
  const { shown_fingerprint: fingerprint, subject, not_after_ms, certificate, own } = authority;
  return (
    <div className="panel" data-authority={fingerprint}>
      <h2>{say('authority')}</h2>
      <p className="note">{say('authority_note')}</p>
      <dl className={look.facts}>
        <dt>{say('authority_fingerprint')}</dt>
        <dd>
          <Fingerprint text={fingerprint} />
        </dd>
        <dt>{say('authority_subject')}</dt>
        <dd>
          <Name text={subject} />
          <small className="note">{say(own ? 'authority_own' : 'authority_given')}</small>
        </dd>
        <dt>{say('authority_until')}</dt>
        <dd>
          <Time ms={not_after_ms} site="" />
          <End endMs={not_after_ms} />
        </dd>
      </dl>
      <p>
        <button
          type="button"
          className="act"
          data-action="download_authority"
          onClick={() => saveText(certificate, 'fms-authority.crt', 'application/x-pem-file')}
        >
          {say('authority_download')}
        </button>
      </p>
    </div>
  );
}

function End({ endMs }: { endMs: number }): ReactNode {
  const say = useSay(ENROLMENT_WORDS);
  const leftMs = endMs - useNowMs();
  if (leftMs > NEAR_MS) return null;
  const text =
    leftMs <= 0
      ? say('authority_ended')
      : say('authority_near', { age: formatDuration(leftMs, say) });
  return (
    <small>
      <Mark level={leftMs <= 0 ? 'bad' : 'warn'}>{text}</Mark>
    </small>
  );
}
