/** Which gateway it is about, at the head of what is asked or said of it. */

import type { ReactNode } from 'react';
import { Name } from '../../../ui/mark.tsx';

export function GatewayName({ of }: { of: { site: string; gateway: string } }): ReactNode {
  return (
    <>
      <Name text={of.gateway} />{' '}
      <small className="note">
        <Name text={of.site} />
      </small>
    </>
  );
}
