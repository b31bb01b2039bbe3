/** Asks for what, from when, how long and why, and sets a silence or a maintenance window. */

import type { ReactNode } from 'react';
import { useState } from 'react';
import { send } from '../../api/client.ts';
import type { Alert, Language } from '../../api/types.ts';
import type { Decider } from '../../app/decider.tsx';
import { DeciderField, NOTE_CHARS_MAX, useDecider } from '../../app/decider.tsx';
import { useDeed } from '../../app/deed.ts';
import { collectorNowMs, useOverview, useZoneOf } from '../../app/overview.ts';
import { wallTimeMs, wallTimeText, zoneName } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { FormDialog } from '../../ui/form_dialog.tsx';
import { titleOf } from './alerts.ts';
import look from './page.module.css';
import type { Scope, ScopeName, SilenceSubject } from './silences.ts';
import { ANY, SCOPE_KEYS, scopeOf, scopesOf, subjectOf, wrongTimes } from './silences.ts';
import { ALERTS_WORDS } from './words.ts';

const HOUR_MS = 3_600_000;
const LENGTHS_MS = { for_1h: HOUR_MS, for_8h: 8 * HOUR_MS } as const;
type Length = keyof typeof LENGTHS_MS | 'until_time';
const NAME_MAX = 128;

export function subjectOfAlert(
  alert: Alert,
  isOfMany: boolean,
  language: Language,
): SilenceSubject {
  return subjectOf(alert, isOfMany, titleOf(alert, language));
}

interface Answers {
  scope: ScopeName;
  own: Scope;
  kind: 'silence' | 'maintenance';
  begins: 'begins_now' | 'begins_at';
  /** As <input type="datetime-local"> gives it, on clocks of the site. */
  from: string;
  length: Length;
  until: string;
  reason: string;
}

/** `subject` undefined: of nothing in particular. */
export function SilenceDialog(props: {
  subject: SilenceSubject | undefined;
  onDone: () => void;
  onClose: () => void;
}): ReactNode {
  const { subject, onDone, onClose } = props;
  const say = useSay(ALERTS_WORDS);
  const sites = useOverview()?.sites ?? [];
  const zoneOf = useZoneOf();
  const decider = useDecider();
  const [answers, setAnswers] = useState<Answers>(() =>
    firstAnswers(subject, sites[0]?.site ?? ANY, zoneOf),
  );
  const { isSending, problem, setProblem, run } = useDeed();
  const change = (some: Partial<Answers>): void => setAnswers((all) => ({ ...all, ...some }));
  const scope = scopeNow(answers, subject);
  const zone = zoneOf(scope.site);
  const submit = (): void => {
    // An hour counts from when it is set, not from when it was thought of.
    const nowMs = collectorNowMs();
    const fromMs = answers.begins === 'begins_now' ? nowMs : wallTimeMs(answers.from, zone);
    const untilMs =
      answers.length === 'until_time'
        ? wallTimeMs(answers.until, zone)
        : fromMs + LENGTHS_MS[answers.length];
    const wrong = wrongTimes(fromMs, untilMs, nowMs);
    if (wrong !== undefined) {
      setProblem(say(wrong));
      return;
    }
    void run(async () => {
      await send('POST', 'silences', {
        kind: answers.kind,
        ...scope,
        ...(answers.begins === 'begins_now' ? {} : { from_ms: fromMs }),
        until_ms: Math.round(untilMs),
        reason: answers.reason.trim(),
        ...decider.by(),
      });
      onDone();
      onClose();
    });
  };
  return (
    <FormDialog
      title={say('silence_title')}
      problem={problem}
      deed={say('silence_submit')}
      isSending={isSending}
      onSubmit={submit}
      onClose={onClose}
    >
      <p className="note">{say('silence_intro')}</p>
      <ScopeFields subject={subject} answers={answers} change={change} />
      <Radios
        legend={say('silence_kind')}
        name="kind"
        value={answers.kind}
        options={[
          ['silence', say('kind_silence')],
          ['maintenance', say('kind_maintenance')],
        ]}
        onChange={(kind) => change({ kind })}
      />
      <TimeFields answers={answers} change={change} zone={zone} />
      <ReasonAndName answers={answers} change={change} decider={decider} />
    </FormDialog>
  );
}

function firstAnswers(
  subject: SilenceSubject | undefined,
  site: string,
  zoneOf: (site: string) => string,
): Answers {
  const zone = zoneOf(subject?.site ?? site);
  const nowMs = collectorNowMs();
  return {
    scope: scopesOf(subject)[0] ?? 'own',
    own: { site: subject?.site ?? site, area: ANY, line: ANY, device: ANY, rule: ANY },
    kind: subject?.rule === '' || subject === undefined ? 'maintenance' : 'silence',
    begins: 'begins_now',
    from: wallTimeText(nowMs + HOUR_MS, zone),
    length: 'for_1h',
    until: wallTimeText(nowMs + 24 * HOUR_MS, zone),
    reason: '',
  };
}

function scopeNow({ scope, own }: Answers, subject: SilenceSubject | undefined): Scope {
  if (scope !== 'own' && subject !== undefined) return scopeOf(scope, subject);
  const filled = SCOPE_KEYS.map((key) => [key, own[key].trim() || ANY] as const);
  return Object.fromEntries(filled) as Scope;
}

type Change = (some: Partial<Answers>) => void;

function ScopeFields(props: {
  subject: SilenceSubject | undefined;
  answers: Answers;
  change: Change;
}): ReactNode {
  const { subject, answers, change } = props;
  const say = useSay(ALERTS_WORDS);
  const names = scopesOf(subject);
  const ownFields = (
    <div className={look.ownScope}>
      {SCOPE_KEYS.map((key) => (
        <label key={key}>
          {say(key === 'rule' ? 'rule' : key)}
          <input
            name={`own_${key}`}
            maxLength={NAME_MAX}
            autoComplete="off"
            value={answers.own[key]}
            onChange={({ target }) => change({ own: { ...answers.own, [key]: target.value } })}
          />
        </label>
      ))}
      <small className="note">{say('scope_hint')}</small>
    </div>
  );
  if (subject === undefined) return ownFields;
  const { site, line, device, title } = subject;
  return (
    <>
      <Radios
        legend={say('scope')}
        name="scope"
        value={answers.scope}
        options={names.map((name) => [name, say(`scope_${name}`, { site, line, device, title })])}
        onChange={(scope) => change({ scope })}
      />
      {answers.scope === 'own' ? ownFields : null}
    </>
  );
}

function TimeFields(props: { answers: Answers; change: Change; zone: string }): ReactNode {
  const { answers, change, zone } = props;
  const say = useSay(ALERTS_WORDS);
  const isTimed = answers.begins === 'begins_at' || answers.length === 'until_time';
  return (
    <>
      <Radios
        legend={say('silence_begin')}
        name="begins"
        value={answers.begins}
        options={[
          ['begins_now', say('begins_now')],
          ['begins_at', say('begins_at')],
        ]}
        onChange={(begins) => change({ begins })}
      />
      {answers.begins === 'begins_at' ? (
        <TimeInput
          name="from"
          label={say('begins_when')}
          value={answers.from}
          onChange={(from) => change({ from })}
        />
      ) : null}
      <Radios
        legend={say('silence_length')}
        name="length"
        value={answers.length}
        options={[
          ['for_1h', say('for_1h')],
          ['for_8h', say('for_8h')],
          ['until_time', say('until_time')],
        ]}
        onChange={(length) => change({ length })}
      />
      {answers.length === 'until_time' ? (
        <TimeInput
          name="until"
          label={say('until_when')}
          value={answers.until}
          onChange={(until) => change({ until })}
        />
      ) : null}
      {isTimed ? (
        <small className="note">{say('zone', { zone: zoneName(zone, collectorNowMs()) })}</small>
      ) : null}
    </>
  );
}

function ReasonAndName(props: { answers: Answers; change: Change; decider: Decider }): ReactNode {
  const { answers, change, decider } = props;
  const say = useSay(ALERTS_WORDS);
  return (
    <>
      <label>
        {say('reason')}
        <input
          name="reason"
          required
          // Spaces alone say nothing.
          pattern=".*\S.*"
          maxLength={NOTE_CHARS_MAX}
          autoComplete="off"
          value={answers.reason}
          onChange={({ target }) => change({ reason: target.value })}
        />
      </label>
      <DeciderField decider={decider} />
    </>
  );
}

export function TimeInput(props: {
  name: string;
  label: string;
  value: string;
  onChange: (value: string) => void;
}): ReactNode {
  const { name, label, value, onChange } = props;
  return (
    <label>
      {label}
      <input
        name={name}
        type="datetime-local"
        required
        value={value}
        onChange={({ target }) => onChange(target.value)}
      />
    </label>
  );
}

function Radios<T extends string>(props: {
  legend: string;
  name: string;
  value: T;
  options: readonly (readonly [value: T, text: string])[];
  onChange: (value: T) => void;
}): ReactNode {
  const { legend, name, value, options, onChange } = props;
  return (
    <fieldset className={look.radios} data-field={name}>
      <legend>{legend}</legend>
      {options.map(([option, text]) => (
        <label key={option}>
          <input
            type="radio"
            name={name}
            value={option}
            checked={option === value}
            onChange={() => onChange(option)}
          />{' '}
          <bdi>{text}</bdi>
        </label>
      ))}
    </fieldset>
  );
}
