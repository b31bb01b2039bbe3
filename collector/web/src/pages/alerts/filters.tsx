/** What of the alerts is looked at; it stands in the address. */

import type { ReactNode } from 'react';
import type { Address, ChangeAddress } from '../../app/address.ts';
import { collectorNowMs, useOverview } from '../../app/overview.ts';
import { boundsOf, PERIOD_KEYS } from '../../i18n/period.ts';
import { useSay } from '../../i18n/say.ts';
import { PeriodFields } from '../../ui/period.tsx';
import { Select } from '../../ui/select.tsx';
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
