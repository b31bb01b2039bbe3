/** A name for a new file; what it says is written in the editor and applied there. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { useSay } from '../../../i18n/say.ts';
import { FormDialog } from '../../../ui/form_dialog.tsx';
import { nameProblem, templateFor } from './changes.ts';
import { draftStore } from './drafts.ts';
import { PROFILES_WORDS } from './words.ts';

export function NewFileDialog(props: {
  taken: readonly string[];
  onMade: (name: string) => void;
  onClose: () => void;
}): ReactNode {
  const { taken, onMade, onClose } = props;
  const say = useSay(PROFILES_WORDS);
  const [typed, setTyped] = useState('');
  const trimmed = typed.trim().normalize('NFC');
  const name = /\.ya?ml$/.test(trimmed) ? trimmed : `${trimmed}.yaml`;
  const problem = trimmed === '' ? undefined : nameProblem(name, taken);
  return (
    <FormDialog
      title={say('file_new')}
      problem={problem === undefined ? '' : say(problem, { name })}
      deed={say('file_begin')}
      isDisabled={problem !== undefined}
      onSubmit={() => {
        if (trimmed === '') return;
        draftStore.put(name, templateFor(name), null);
        onMade(name);
      }}
      onClose={onClose}
    >
      <label>
        {say('file_name')}
        <input
          name="file_name"
          autoComplete="off"
          autoCapitalize="none"
          required
          maxLength={70}
          value={typed}
          onChange={({ target }) => setTyped(target.value)}
        />
      </label>
      <p className="note">{say('file_new_note')}</p>
    </FormDialog>
  );
}
