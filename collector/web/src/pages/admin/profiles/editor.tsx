/** One file: its text, its mistakes at their lines, what it would change, and to apply it. */

import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useId, useRef, useState } from 'react';
import { failureText } from '../../../app/failure_text.ts';
import { useSay } from '../../../i18n/say.ts';
import { Mark, Name } from '../../../ui/mark.tsx';
import { ApplyDialog } from './apply.tsx';
import { splitMistakes, withFile } from './changes.ts';
import { Conflict } from './conflict.tsx';
import type { Draft } from './drafts.ts';
import { draftStore } from './drafts.ts';
import { EffectView } from './effect_view.tsx';
import look from './profiles.module.css';
import type { CheckState } from './request.ts';
import { filesQuery, PROFILES_KEY, useCheck } from './request.ts';
import type { TextHandle } from './text_field.tsx';
import { TextField } from './text_field.tsx';
import type { Applied, Mistake, ProfileFiles } from './types.ts';
import { Versions } from './versions.tsx';
import { PROFILES_WORDS } from './words.ts';

export function Editor(props: {
  name: string;
  files: ProfileFiles;
  /** Undefined: nothing was changed. */
  draft: Draft | undefined;
  /** What came of the last change of this file. */
  applied: Applied | undefined;
  onApplied: (applied: Applied | undefined) => void;
}): ReactNode {
  const { name, files, draft, applied, onApplied } = props;
  const say = useSay(PROFILES_WORDS);
  const item = files.items.find((file) => file.name === name);
  const there =
    item?.text === null || item === undefined ? null : { text: item.text, etag: item.etag };
  const text = draft?.text ?? there?.text ?? '';
  const check = useCheck(name, text, draft?.revision);
  const [asks, setAsks] = useState<'apply' | 'remove'>();
  const client = useQueryClient();
  const field = useRef<TextHandle>(null);
  const mistakesId = useId();
  const mistakes = draft === undefined ? [] : (check.query.data?.mistakes ?? []);
  const { here, elsewhere } = splitMistakes(mistakes, name);
  const isConflict =
    draft !== undefined &&
    draft.text !== there?.text &&
    (draft.base?.etag ?? null) !== (there?.etag ?? null);
  const base = draft === undefined ? there : draft.base;
  const again = (): Promise<void> => client.invalidateQueries({ queryKey: PROFILES_KEY });
  if (item?.text === null) return <p className={look.hint}>{say('too_large')}</p>;
  return (
    <div className={look.editor}>
      <h3>
        <Name text={name} />
      </h3>
      {isConflict ? <Conflict name={name} draft={draft} there={there} /> : null}
      <TextField
        ref={field}
        label={say('text_of', { name })}
        text={text}
        isReadOnly={!files.changeable || (there === null && draft === undefined)}
        linesWithMistakes={new Set(here.map(({ line }) => line))}
        describedBy={mistakesId}
        onChange={(next) => {
          onApplied(undefined);
          draftStore.put(name, next, base);
        }}
      />
      <div id={mistakesId} role="status">
        {draft === undefined ? (
          <AppliedNote applied={applied} />
        ) : (
          <CheckNote check={check} mistakes={mistakes.length} />
        )}
        <Mistakes mistakes={here} onGo={(line) => field.current?.goTo(line)} />
        {elsewhere.length === 0 ? null : (
          <>
            <p>{say('mistakes_elsewhere')}</p>
            <Mistakes mistakes={elsewhere} />
          </>
        )}
      </div>
      <div className="actions">
        {files.changeable && draft !== undefined ? (
          <>
            <button
              type="button"
              className="act main"
              data-action="apply"
              disabled={isConflict || !check.isCurrent || here.length > 0}
              onClick={() => setAsks('apply')}
            >
              {say('apply')}
            </button>
            <button
              type="button"
              className="act"
              data-action="discard"
              onClick={() => draftStore.drop(name)}
            >
              {say('discard')}
            </button>
          </>
        ) : null}
        {files.changeable && there !== null && draft === undefined ? (
          <button
            type="button"
            className="act"
            data-action="remove"
            onClick={() => setAsks('remove')}
          >
            {say('file_remove')}
          </button>
        ) : null}
      </div>
      {draft !== undefined && check.query.data?.effect ? (
        <details open className={look.would}>
          <summary>{say('would')}</summary>
          <EffectView effect={check.query.data.effect} />
        </details>
      ) : null}
      {files.changeable ? <Versions name={name} now={text} base={base} /> : null}
      {asks === undefined ? null : (
        <ApplyDialog
          name={name}
          text={asks === 'remove' ? null : text}
          base={base}
          checked={asks === 'apply' ? check.query.data : undefined}
          onDone={(done) => {
            // At once, so that the file neither vanishes nor seems to be somebody else's meanwhile.
            const file = done.etag === null ? null : { text, etag: done.etag };
            client.setQueryData(
              filesQuery.queryKey,
              (known) => known && withFile(known, name, file),
            );
            // After the list has been told on: without either the file would be gone for a moment.
            setTimeout(() => draftStore.drop(name));
            onApplied(done);
            void again();
          }}
          onRefused={() => void again()}
          onClose={() => setAsks(undefined)}
        />
      )}
    </div>
  );
}

function AppliedNote({ applied }: { applied: Applied | undefined }): ReactNode {
  const say = useSay(PROFILES_WORDS);
  if (applied === undefined) return null;
  return (
    <p data-applied={applied.result}>
      {applied.result === 'refused' ? (
        <Mark level="warn">{say('applied_refused')}</Mark>
      ) : (
        say(`applied_${applied.result}`)
      )}
    </p>
  );
}

function CheckNote({ check, mistakes }: { check: CheckState; mistakes: number }): ReactNode {
  const say = useSay(PROFILES_WORDS);
  const { query, isCurrent } = check;
  if (isCurrent && query.error !== null)
    return (
      <p className="form-error">
        {failureText(query.error, say)}{' '}
        <button type="button" className="act" onClick={() => void query.refetch()}>
          {say('try_again')}
        </button>
      </p>
    );
  if (!isCurrent || query.data === undefined) return <p className="note">{say('checking')}</p>;
  return (
    <p data-check={mistakes === 0 ? 'right' : 'wrong'}>
      {mistakes === 0 ? (
        say('no_mistakes')
      ) : (
        <Mark level="warn">{say('mistakes', { n: mistakes })}</Mark>
      )}
    </p>
  );
}

function Mistakes(props: {
  mistakes: readonly Mistake[];
  /** Undefined: they are in another file. */
  onGo?: (line: number) => void;
}): ReactNode {
  const { mistakes, onGo } = props;
  const say = useSay(PROFILES_WORDS);
  return (
    <ul className={look.mistakes}>
      {mistakes.map((mistake) => {
        const { file, line, column, message } = mistake;
        const where = say('at_line', { line, column });
        return (
          <li key={JSON.stringify(mistake)} data-line={line}>
            {onGo === undefined ? (
              <>
                <Name text={file} /> {where}
              </>
            ) : (
              <button type="button" className={look.goTo} onClick={() => onGo(line)}>
                {where}
              </button>
            )}
            : <Name text={message} />
          </li>
        );
      })}
    </ul>
  );
}
