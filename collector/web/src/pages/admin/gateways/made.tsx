/** New tokens, this once: with the command for each gateway. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { collectorNowMs } from '../../../app/overview.ts';
import { formatDuration } from '../../../i18n/format.ts';
import { useSay } from '../../../i18n/say.ts';
import { Dialog } from '../../../ui/dialog.tsx';
import { Mark, Name } from '../../../ui/mark.tsx';
import { HOURS } from './add.tsx';
import { saveText, useCopy } from './copy.ts';
import look from './gateways.module.css';
import { commandOf, csvOf, hostFor, urlOf } from './tokens_file.ts';
import type { MadeTokens } from './types.ts';
import { ENROLMENT_WORDS } from './words.ts';

const HOUR_MS = 3_600_000;

export function MadeDialog(props: { made: MadeTokens; onClose: () => void }): ReactNode {
  const { made, onClose } = props;
  const { items, names, mqtt_port } = made;
  const say = useSay(ENROLMENT_WORDS);
  const { copied, copy } = useCopy();
  const [host, setHost] = useState(() => hostFor(names, location.hostname));
  const url = urlOf(host, mqtt_port);
  const [first] = items;
  const isMany = items.length > 1;
  const leftOf = (ms: number): string => {
    const leftMs = ms - collectorNowMs();
    // It was made a moment ago.
    const asked = HOURS.find((hours) => Math.abs(hours * HOUR_MS - leftMs) < 120_000);
    return asked === undefined ? formatDuration(leftMs, say) : say(`hours_${asked}`);
  };
  return (
    <Dialog title={say(isMany ? 'made' : 'made_one')} onClose={onClose}>
      <p>{first === undefined ? '' : say('made_note', { age: leftOf(first.expires_ms) })}</p>
      {mqtt_port === 0 ? (
        <p>
          <Mark level="warn">{say('made_no_tls')}</Mark>
        </p>
      ) : null}
      <label className="field">
        {say('made_host')}
        <select name="host" value={host} onChange={({ target }) => setHost(target.value)}>
          {[...new Set([host, ...names])].map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <ul className={look.made}>
        {items.map(({ site, gateway, token }) => (
          <li key={`${site}/${gateway}`} data-made={`${site}/${gateway}`}>
            <p>
              <Name text={gateway} /> <small className="note">{site}</small>{' '}
              <button
                type="button"
                className="act"
                aria-label={`${say('copy')}: ${gateway}`}
                onClick={() => void copy(commandOf(url, token))}
              >
                {say('copy')}
              </button>
            </p>
            <code className={look.command} data-secret>
              {commandOf(url, token)}
            </code>
          </li>
        ))}
      </ul>
      <p className="note">{say('shown_once')}</p>
      <p role="status">{copied === undefined ? '' : say(copied ? 'copied' : 'copy_by_hand')}</p>
      <div className="actions">
        {isMany ? (
          <button
            type="button"
            className="act"
            data-action="copy_all"
            onClick={() =>
              void copy(
                items
                  .map(({ site, gateway, token }) => `${site}/${gateway}\t${commandOf(url, token)}`)
                  .join('\n'),
              )
            }
          >
            {say('copy_all')}
          </button>
        ) : null}
        <button
          type="button"
          className="act main"
          data-action="download"
          onClick={() => saveText(csvOf(items, url), 'fms-tokens.csv', 'text/csv;charset=utf-8')}
        >
          {say('download_csv')}
        </button>
        <button type="button" className="act" data-action="have" onClick={onClose}>
          {say('i_have_them')}
        </button>
      </div>
    </Dialog>
  );
}
