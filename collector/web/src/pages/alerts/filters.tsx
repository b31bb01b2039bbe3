/** What of the alerts is looked at; it stands in the address. */

import type { ReactNode } from 'react';
import type { Address, ChangeAddress } from '../../app/address.ts';
import { collectorNowMs } from '../../app/overview.ts';
import { boundsOf, PERIOD_KEYS } from '../../i18n/period.ts';
import { useSay } from '../../i18n/say.ts';
import { Filters, SiteFilter } from '../../ui/filters.tsx';
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
  return (
    <Filters keys={FILTER_KEYS} address={address} change={change}>
      <SiteFilter value={address.site} onChange={(site) => change({ site })} />
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
    </Filters>
  );
}
