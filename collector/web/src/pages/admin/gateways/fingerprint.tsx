/** A fingerprint that two people can read to each other. */

import type { ReactNode } from 'react';
import { groupsOf } from './fingerprints.ts';
import look from './gateways.module.css';

/** `rightGroups`: so many from the front have been found right. */
export function Fingerprint(props: { text: string; rightGroups?: number }): ReactNode {
  const { text, rightGroups = 0 } = props;
  return (
    <code className={look.fingerprint} data-fingerprint={text}>
      {groupsOf(text).map((group, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: groups have no name but their place
        <span key={i} className={i < rightGroups ? look.right : undefined}>
          {group}{' '}
        </span>
      ))}
    </code>
  );
}
