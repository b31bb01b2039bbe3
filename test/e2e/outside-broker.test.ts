/** The whole program behind a real Mosquitto, both killed under load: each reading is stored once. */

import t from 'tap';
import { CollectorProcess } from '../support/collector-process.ts';
import { startMosquitto } from '../support/mosquitto.ts';
import { isEmpty, startGateway } from '../support/outside-broker.ts';
import { whyNotWithout } from '../support/programs.ts';

interface Ledger {
  totals: { balance: number; stored: number; rows_in_store: number };
}

t.test('exactly once behind an outside broker', { skip: whyNotWithout('mosquitto') }, async (t) => {
  const mosquitto = await startMosquitto(t);
  const collector = new CollectorProcess(t, {
    mqtt: { outside: { url: mosquitto.url } },
    gateways: [],
  });
  await collector.start();
  const gateway = startGateway(t, mosquitto.url, {
    forwarder: { resendAfterMs: 500, stateIntervalMs: 200 },
  });
  const delivered = () => gateway.forwarder.status().ackedBatchesTotal;
  for (const kill of [() => collector.stop('SIGKILL'), () => mosquitto.kill()]) {
    const before = delivered();
    while (delivered() < before + 5) await gateway.emit(50);
    await kill();
    for (let i = 0; i < 20; i++) await gateway.emit(50);
    if (collector.child === undefined) await collector.start();
    else await mosquitto.start();
  }
  await collector.until('the buffer is empty', async () => isEmpty(gateway));
  await collector.until('all are stored', async () => {
    const { totals } = await collector.get<Ledger>('/api/v1/ledger?count_rows=true');
    // The account is put out once a second: it may be behind the rows.
    return totals.rows_in_store === gateway.emitted && totals.stored === gateway.emitted;
  });
  const { totals } = await collector.get<Ledger>('/api/v1/ledger?count_rows=true');
  t.match(totals, { balance: 0, stored: gateway.emitted, rows_in_store: gateway.emitted });
  const deep = await collector.command('ledger', '--deep');
  t.equal(deep.code, 0, deep.output);
  await collector.stop();
});
