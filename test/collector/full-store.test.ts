/** A store at its cap: intake goes on, nothing is lost, and with room again all of it is written. */

import t from 'tap';
import { CollectorProcess } from '../support/collector-process.ts';
import { fmsRow } from '../support/publisher.ts';

interface Ready {
  checks: { name: string; ready: boolean; reason: string }[];
}

t.test('readings wait in the log', async (t) => {
  const collector = new CollectorProcess(t, { store: { max_bytes: 1 } });
  await collector.start(false);
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`${collector.base}/metrics`)).text();
    return Number(new RegExp(`^fms_collector_${name} (.*)$`, 'm').exec(text)?.[1]);
  };
  await collector.until('the writers pause', async () => (await metric('writers_paused')) === 1);
  t.equal(await metric('space_alarm\\{part="store"\\}'), 2);
  const ready = await fetch(`${collector.base}/readyz`);
  t.equal(ready.status, 503);
  t.match(
    ((await ready.json()) as Ready).checks.filter((check) => !check.ready),
    [{ name: 'space_store', reason: /takes nothing more/ }],
  );
  const publisher = await collector.publisher('gw1');
  t.teardown(() => publisher.close());
  for (let i = 0; i < 10; i++) await publisher.readings(fmsRow('D01', Date.now() + i));
  t.pass('acknowledged');
  t.match(collector.output, /"level":50.*the store holds/);
  t.match(await collector.command('backup', `${collector.folder}/backup`), { code: 0 });
  await collector.stop();
  t.same(collector.storeRows('SELECT count() AS rows FROM readings'), [{ rows: 0 }]);

  collector.configure();
  await collector.start();
  const deep = await collector.command('ledger', '--deep');
  t.equal(deep.code, 0, deep.output);
  await collector.stop();
  t.same(collector.storeRows('SELECT count() AS rows, uniqExact(seq) AS seqs FROM readings'), [
    { rows: 70, seqs: 70 },
  ]);
});
