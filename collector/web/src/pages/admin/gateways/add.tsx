/** New gateways: their names pasted or from a file; what comes back are tokens. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { send } from '../../../api/client.ts';
import { useDeed } from '../../../app/deed.ts';
import { useSay } from '../../../i18n/say.ts';
import { FormDialog } from '../../../ui/form_dialog.tsx';
import look from './gateways.module.css';
import type { Mistake } from './names.ts';
import { GATEWAYS_MAX, readNames } from './names.ts';
import type { MadeTokens } from './types.ts';
import { ENROLMENT_WORDS } from './words.ts';

const MISTAKES_SHOWN = 5;
const FILE_BYTES_MAX = 1_000_000;
export const HOURS = [1, 8, 24, 72, 168, 720] as const;
export const HOURS_DEFAULT = 24;

export function AddDialog(props: {
  /** Where the caller may add some. */
  sites: readonly string[];
  onMade: (made: MadeTokens) => void;
  onClose: () => void;
}): ReactNode {
  const { sites, onMade, onClose } = props;
  const say = useSay(ENROLMENT_WORDS);
  const [text, setText] = useState('');
  const [site, setSite] = useState(sites.length === 1 ? (sites[0] ?? '') : '');
  const [hours, setHours] = useState<number>(HOURS_DEFAULT);
  const { isSending, problem, setProblem, run } = useDeed();
  const { gateways, mistakes } = readNames(text, site);
  const isGood = gateways.length > 0 && gateways.length <= GATEWAYS_MAX && mistakes.length === 0;
  const take = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return;
    setProblem('');
    try {
      if (file.size > FILE_BYTES_MAX) throw new Error(file.name);
      setText(await file.text());
    } catch {
      setProblem(say('file_unreadable'));
    }
  };
  const make = async (): Promise<void> => {
    const asked = { gateways, valid_hours: hours };
    onMade(await send<MadeTokens>('POST', 'enrolment/gateways', asked));
  };
  return (
    <FormDialog
      title={say('add')}
      problem={problem}
      deed={say('make_tokens')}
      isSending={isSending}
      isDisabled={!isGood}
      onSubmit={() => void run(make)}
      onClose={onClose}
    >
      <p className="note">{say('add_note')}</p>
      <label>
        {say('names')}
        <textarea
          name="names"
          rows={6}
          spellCheck={false}
          autoComplete="off"
          value={text}
          onChange={({ target }) => setText(target.value)}
        />
      </label>
      <label>
        {say('from_file')}
        <input
          type="file"
          name="file"
          accept=".csv,.txt,text/csv,text/plain"
          onChange={({ target }) => {
            void take(target.files?.[0]);
            // The same file again, after it was corrected, is a change, too.
            target.value = '';
          }}
        />
      </label>
      <label>
        {say('site_of_names')}
        <select name="site" value={site} onChange={({ target }) => setSite(target.value)}>
          <option value="">{say('no_site')}</option>
          {sites.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      </label>
      <HoursField hours={hours} onChange={setHours} />
      <Read count={gateways.length} mistakes={mistakes} />
    </FormDialog>
  );
}

export function HoursField(props: { hours: number; onChange: (hours: number) => void }): ReactNode {
  const say = useSay(ENROLMENT_WORDS);
  return (
    <label>
      {say('valid')}
      <select
        name="hours"
        value={props.hours}
        onChange={({ target }) => props.onChange(Number(target.value))}
      >
        {HOURS.map((hours) => (
          <option key={hours} value={hours}>
            {say(`hours_${hours}`)}
          </option>
        ))}
      </select>
    </label>
  );
}

function Read({ count, mistakes }: { count: number; mistakes: readonly Mistake[] }): ReactNode {
  const say = useSay(ENROLMENT_WORDS);
  const shown = mistakes.slice(0, MISTAKES_SHOWN);
  const more = mistakes.length - shown.length;
  return (
    <div role="status" data-read={count}>
      <p>
        {count > GATEWAYS_MAX
          ? say('read_too_many', { n: GATEWAYS_MAX })
          : count === 0
            ? say('read_none')
            : say('read_count', { n: count })}
      </p>
      {shown.length === 0 ? null : (
        <ul className={look.mistakes}>
          {shown.map(({ line, why, text }) => (
            <li key={line}>{say(`mistake_${why}`, { line, text })}</li>
          ))}
          {more > 0 ? <li>{say('mistakes_more', { n: more })}</li> : null}
        </ul>
      )}
    </div>
  );
}
