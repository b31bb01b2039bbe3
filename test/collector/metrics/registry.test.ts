/** The registry behind /metrics: figures are read when somebody asks, or counted where they are told. */

import t from 'tap';
import { createRegistry } from '../../../collector/metrics/registry.ts';

/** What the text says of one metric, without its HELP line. */
async function shown(registry: ReturnType<typeof createRegistry>, name: string): Promise<string[]> {
  const lines = (await registry.text()).split('\n');
  const of = new RegExp(`^(?:# TYPE )?fms_collector_${name}(?:_bucket|_sum|_count)?[ {]`);
  return lines.filter((line) => of.test(line));
}

t.test('figures that a part keeps are read anew each time', async (t) => {
  const registry = createRegistry();
  let rows = [
    { site: 'seoul', count: 2 },
    { site: 'busan', count: 3 },
  ];
  registry.gauge('things', 'Things.', ['site'], (set) => {
    for (const { site, count } of rows) set(count, { site });
  });
  registry.counter('things_total', 'Things so far.', [], (set) => set(rows.length));
  t.same(await shown(registry, 'things'), [
    '# TYPE fms_collector_things gauge',
    'fms_collector_things{site="seoul"} 2',
    'fms_collector_things{site="busan"} 3',
  ]);
  const total = ['# TYPE fms_collector_things_total counter', 'fms_collector_things_total 2'];
  t.same(await shown(registry, 'things_total'), total);
  t.same(
    await shown(registry, 'things_total'),
    total,
    'nothing adds up from one question to the next',
  );
  rows = [{ site: 'busan', count: 4 }];
  t.same(
    await shown(registry, 'things'),
    ['# TYPE fms_collector_things gauge', 'fms_collector_things{site="busan"} 4'],
    'what is not set any more is not shown any more',
  );
});

t.test('what is told is counted here', async (t) => {
  const registry = createRegistry();
  const refused = registry.countedHere('refused_total', 'Refused.', ['reason']);
  const closed = registry.countedHere('closed_total', 'Closed.', []);
  const waited = registry.histogram('wait_seconds', 'Waits.', [0.5, 1]);
  t.same(await shown(registry, 'refused_total'), ['# TYPE fms_collector_refused_total counter']);
  t.same((await shown(registry, 'closed_total')).at(-1), 'fms_collector_closed_total 0');
  refused({ reason: 'size' });
  refused({ reason: 'size' }, 4);
  closed({});
  waited(0.75);
  t.same((await shown(registry, 'refused_total')).slice(1), [
    'fms_collector_refused_total{reason="size"} 5',
  ]);
  t.same((await shown(registry, 'closed_total')).slice(1), ['fms_collector_closed_total 1']);
  t.same((await shown(registry, 'wait_seconds')).slice(1), [
    'fms_collector_wait_seconds_bucket{le="0.5"} 0',
    'fms_collector_wait_seconds_bucket{le="1"} 1',
    'fms_collector_wait_seconds_bucket{le="+Inf"} 1',
    'fms_collector_wait_seconds_sum 0.75',
    'fms_collector_wait_seconds_count 1',
  ]);
});

t.test('each registry stands alone, a name is added once, and a failed read is told', async (t) => {
  const registry = createRegistry();
  registry.gauge('things', 'Things.', [], () => {
    throw new Error('no figure');
  });
  t.throws(
    () => registry.gauge('things', 'Things.', [], () => undefined),
    /already been registered/,
  );
  await t.rejects(registry.text(), { message: 'no figure' });
  t.notMatch(await createRegistry().text(), /things/);
});
