/** What tests of the pages with alerts and anomalies have in common. */

import type { Test } from 'tap';
import type { AccessPolicy } from '../../collector/access/access.ts';
import { AlertsStub, stubDevice } from './alerts-stub.ts';
import { until } from './running-collector.ts';

/** With two devices that have readings. Who asks may all, unless `policy` says otherwise. */
export async function runningStub(
  t: Pick<Test, 'teardown'>,
  policy: Partial<AccessPolicy> = {},
): Promise<AlertsStub> {
  const stub = new AlertsStub();
  await stub.start(policy);
  stub.devices = ['D01', 'D02'].map(stubDevice);
  stub.fillReadings();
  t.teardown(() => stub.stop());
  return stub;
}

/** The page follows the stream: what is told from now on it hears. */
export function connected(stub: AlertsStub): Promise<void> {
  return until(async () => stub.streamCount > 0);
}
