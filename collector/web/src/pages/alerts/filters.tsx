/** What of the alerts is looked at; it stands in the address. */

import type { ReactNode } from 'react';
import type { Address, ChangeAddress } from '../../app/address.ts';
import { collectorNowMs, useOverview, useZoneOf } from '../../app/overview.ts';
import { zoneName } from '../../i18n/format.ts';
import { boundsOf, PERIOD_KEYS } from '../../i18n/period.ts';
import { useSay } from '../../i18n/say.ts';
import { PeriodFields } from '../../ui/period.tsx';
import type { AlertFilter } from './alerts.ts';
import { SEVERITY_ORDER } from './alerts.ts';
import { ALERTS_WORDS } from './words.ts';

export const FILTER_KEYS = ['site', 'line', 'severity', 'state', 'rule', ...PERIOD_KEYS] as const;
export type FilterKey = (typeof FILTER_KEYS)[number];

export function filterOf(address: Address<FilterKey>): AlertFilter {
  const { site, line, severity, state, rule } = address;
  const standing = state;
  return { site, line, severity, standing, rule, ...boundsOf(address, collectorNowMs()) };
}

export interface Choices {
  lines: readonly string[];
  rules: readonly string[];
  /** Left out: they are all of one state. */
  standings?: readonly string[];
}

export function AlertFilters(props: {
  address: Address<FilterKey>;
  change: ChangeAddress<FilterKey>;
  choices: Choices;
}): ReactNode {
  const { address, change, choices } = props;
  const say = useSay(ALERTS_WORDS);
  const sites = useOverview()?.sites ?? [];
  const isFiltered = FILTER_KEYS.some((key) => address[key] !== '');
  const clear = (): void => change(Object.fromEntries(FILTER_KEYS.map((key) => [key, ''])));
  return (
    <search className="filters">
      <Select
        label={say('site')}
        name="site"
        value={address.site}
        options={sites.map(({ site }) => [site, site])}
        any={say('all_sites')}
        onChange={(site) => change({ site })}
      />
      <Select
        label={say('line')}
        name="line"
        value={address.line}
        options={choices.lines.map((line) => [line, line])}
        any={say('any')}
        onChange={(line) => change({ line })}
      />
      <Select
        label={say('severity')}
        name="severity"
        value={address.severity}
        options={SEVERITY_ORDER.map((severity) => [
          severity,
          say(`severity_${severity.toLowerCase() as Lowercase<typeof severity>}`),
        ])}
        any={say('any')}
        onChange={(severity) => change({ severity })}
      />
      {choices.standings === undefined ? null : (
        <Select
          label={say('standing')}
          name="state"
          value={address.state}
          options={choices.standings.map((standing) => [
            standing,
            say(`standing_${standing as 'firing'}`),
          ])}
          any={say('any')}
          onChange={(state) => change({ state })}
        />
      )}
      <Select
        label={say('rule')}
        name="rule"
        value={address.rule}
        options={choices.rules.map((rule) => [rule, rule])}
        any={say('any')}
        onChange={(rule) => change({ rule })}
      />
      <PeriodFields period={address} site={address.site} onChange={change} />
      {isFiltered ? (
        <button type="button" className="act" data-action="clear" onClick={clear}>
          {say('clear_filters')}
        </button>
      ) : null}
    </search>
  );
}

/** One of some, or any. A value that is not among them is there all the same: the address says it. */
export function Select(props: {
  label: string;
  name: string;
  value: string;
  options: readonly (readonly [value: string, text: string])[];
  any: string;
  onChange: (value: string) => void;
}): ReactNode {
  const { label, name, value, options, any, onChange } = props;
  const isKnown = value === '' || options.some(([known]) => known === value);
  return (
    <label className="field">
      <span>{label}</span>
      <select name={name} value={value} onChange={({ target }) => onChange(target.value)}>
        <option value="">{any}</option>
        {isKnown ? null : <option value={value}>{value}</option>}
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Whose clock times are of, where rows are of one site or of several in one zone. */
export function ZoneNote({ site }: { site: string }): ReactNode {
  const say = useSay(ALERTS_WORDS);
  const sites = useOverview()?.sites ?? [];
  const zoneOf = useZoneOf();
  const zones = new Set((site === '' ? sites.map((one) => one.site) : [site]).map(zoneOf));
  const nowMs = collectorNowMs();
  const names = [...zones].map((zone) => zoneName(zone, nowMs)).join(', ');
  return names === '' ? null : <p className="note">{say('zone', { zone: names })}</p>;
}
