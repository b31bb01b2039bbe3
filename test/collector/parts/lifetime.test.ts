/** What ends a collector, and what may end while it goes on. */

import t from 'tap';
import { CollectorError } from '../../../collector/errors.ts';
import { Lifetime } from '../../../collector/parts/lifetime.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const clock = { wallMs: () => 1_000 };
const full = new CollectorError('LOG_FULL', 'no room');
const fenced = new CollectorError('LOG_FENCED', 'another process has it');

t.test('a part that ended is named, and the others go on', async (t) => {
  const said: unknown[] = [];
  const logger = { ...silentLogger, error: (...line: unknown[]) => void said.push(line) };
  const lifetime = new Lifetime({ clock, logger });
  t.equal(lifetime.startedMs, 1_000);
  const ended = [Promise.resolve(full), Promise.resolve(undefined)] as const;
  lifetime.watch('writers', ended[0]);
  lifetime.watch('rollups', ended[1]);
  await Promise.all(ended);
  t.same([...lifetime.dead], [['writers', full]], 'a clean end is none');
  t.match(said, [
    [{ code: 'LOG_FULL', part: 'writers' }, 'writers stopped; intake goes on: LOG_FULL: no room'],
  ]);
  lifetime.end();
  lifetime.ended();
  t.equal(await lifetime.failed, undefined, 'nor did it end the collector');
});

t.test('data that another process has taken over ends it', async (t) => {
  const lifetime = new Lifetime({ clock, logger: silentLogger });
  lifetime.watch('processor', Promise.resolve(fenced));
  t.equal(await lifetime.failed, fenced);
  t.same([...lifetime.dead], [['processor', fenced]]);
});

t.test('what goes on beside the start ends it with a code', async (t) => {
  const known = new Lifetime({ clock, logger: silentLogger });
  known.later(Promise.reject(full));
  t.equal(await known.failed, full);
  const unknown = new Lifetime({ clock, logger: silentLogger });
  unknown.later(Promise.reject(new Error('boom')));
  t.match(await unknown.failed, { code: 'COLLECTOR_CRASHED', message: /boom/ });
});

t.test('what fails once the end has begun is no failure', async (t) => {
  const lifetime = new Lifetime({ clock, logger: silentLogger });
  const { signal } = lifetime;
  const late = [Promise.withResolvers<CollectorError>(), Promise.withResolvers<void>()] as const;
  lifetime.watch('processor', late[0].promise);
  lifetime.later(late[1].promise);
  t.equal(signal.aborted, false);
  lifetime.end();
  t.equal(signal.aborted, true);
  late[0].resolve(fenced);
  late[1].reject(new Error('ended'));
  await Promise.allSettled(late.map(({ promise }) => promise));
  lifetime.ended();
  t.equal(await lifetime.failed, undefined);
  t.equal(lifetime.dead.size, 0);
});
