/** Who decides: who is logged in; on a machine that needs no login, who says so. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { useCommonSay } from '../i18n/say.ts';
import { usePermissions } from './session.ts';

const STORED_AS = 'fms.name';
const NAME_MAX = 128;
/** What the collector keeps of a note or a reason. */
export const NOTE_CHARS_MAX = 500;

export interface Decider {
  /** '' while nobody has said it. */
  name: string;
  setName: (name: string) => void;
  /** Asked for; false: the account says it. */
  isAsked: boolean;
  /** What goes into the request. */
  by: () => { by?: string };
}

/** The name that was given here before is there again. */
export function useDecider(): Decider {
  const { isLoggedIn, name: account } = usePermissions();
  const [name, setName] = useState(rememberedName);
  return {
    name: isLoggedIn ? account : name,
    setName,
    isAsked: !isLoggedIn,
    by: () => {
      if (isLoggedIn) return { by: account };
      rememberName(name.trim());
      return { by: name.trim() };
    },
  };
}

export function DeciderField({ decider }: { decider: Decider }): ReactNode {
  const say = useCommonSay();
  if (!decider.isAsked) return <p className="note">{say('decided_as', { name: decider.name })}</p>;
  return (
    <label>
      {say('your_name')}
      <input
        name="by"
        required
        pattern=".*\S.*"
        maxLength={NAME_MAX}
        autoComplete="off"
        value={decider.name}
        onChange={({ target }) => decider.setName(target.value)}
      />
      <small>{say('your_name_note')}</small>
    </label>
  );
}

/** What else they say of it; it may be left empty. */
export function NoteField(props: {
  label: string;
  note: string;
  onChange: (note: string) => void;
}): ReactNode {
  const { label, note, onChange } = props;
  return (
    <label>
      {label}
      <input
        name="note"
        maxLength={NOTE_CHARS_MAX}
        autoComplete="off"
        value={note}
        onChange={({ target }) => onChange(target.value)}
      />
    </label>
  );
}

function rememberedName(): string {
  try {
    return localStorage.getItem(STORED_AS) ?? '';
  } catch {
    // Storage is forbidden here: they say it again.
    return '';
  }
}

function rememberName(name: string): void {
  try {
    localStorage.setItem(STORED_AS, name);
  } catch {
    // As above.
  }
}
