/** An agent that waits for the collector's own word, before the collector's own broker. */

import t from 'tap';
import { startTestBroker } from '../support/broker.ts';
import { faultsOf, isEmpty, startGateway, until } from '../support/outside-broker.ts';

t.test('it simply works: the embedded broker gives its word too', async (t) => {
  const test = await startTestBroker(t);
  const url = `mqtt://127.0.0.1:${test.broker.port}`;
  const token = 'a-token';
  const gateway = startGateway(t, url, { token, forwarder: { resendAfterMs: 60_000 } });
  for (let i = 0; i < 50; i++) await gateway.emit(20);
  await until(() => isEmpty(gateway));
  t.equal(faultsOf(await test.records(), gateway), undefined);
  t.match(gateway.forwarder.status(), { resentBatchesTotal: 0, lastError: undefined });
});

t.test('an agent that waits for the PUBACK is told nothing more', async (t) => {
  const test = await startTestBroker(t);
  const url = `mqtt://127.0.0.1:${test.broker.port}`;
  const gateway = startGateway(t, url, {
    token: 'a-token',
    forwarder: { acknowledgedBy: 'broker' },
  });
  await gateway.emit(20);
  await until(() => isEmpty(gateway));
  t.equal(faultsOf(await test.records(), gateway), undefined);
  t.equal(
    await test.broker.publishCommand({ site: 's', gateway: 'g' }, Buffer.from('x')),
    false,
    'it listens to no commands',
  );
});

t.test('a log that stores and then fails: sent again on the next connection', async (t) => {
  const test = await startTestBroker(t);
  const gateway = startGateway(t, `mqtt://127.0.0.1:${test.broker.port}`, { token: 'a-token' });
  await gateway.emit(20);
  await until(() => isEmpty(gateway));
  test.log.appendFault = 'fail-after-storing';
  await gateway.emit(20);
  await until(() => gateway.forwarder.status().resentBatchesTotal > 0);
  t.equal(gateway.buffer.stats().readings, 20);
  test.log.appendFault = undefined;
  await until(() => {
    // As ticks do: the door opens with the first append that works.
    test.broker.noteAppend(true);
    return isEmpty(gateway);
  });
  t.equal(faultsOf(await test.records(), gateway), undefined);
});
