/** Where a process says that the others reach it. */

import { hostname } from 'node:os';
import t from 'tap';
import { loadConfig } from '../../../collector/config.ts';
import { addressFor } from '../../../collector/parts/team.ts';

t.test('what is advertised, else what it listens at, else the name of the machine', async (t) => {
  const folder = t.testdir({ 'collector.yaml': '' });
  const addressWith = (env: Record<string, string>): string =>
    addressFor(loadConfig(`${folder}/collector.yaml`, env).http, 8080);
  const everywhere = { FMS_COLLECTOR_HTTP__HOST: '0.0.0.0' };
  const advertised = (host: string) => ({ FMS_COLLECTOR_HTTP__ADVERTISED_HOST: host });
  t.equal(addressWith({}), 'http://127.0.0.1:8080');
  t.equal(addressWith(everywhere), `http://${hostname()}:8080`);
  t.equal(addressWith({ ...everywhere, ...advertised('intake') }), 'http://intake:8080');
  t.equal(addressWith({ ...everywhere, ...advertised('10.1.2.3') }), 'http://10.1.2.3:8080');
  t.equal(addressWith(advertised('fd00::7')), 'http://[fd00::7]:8080', 'as Kubernetes names a pod');
});
