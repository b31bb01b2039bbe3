/** Grants: what bounds them never lets anything through that was not there. */

import fc from 'fast-check';
import t from 'tap';
import { areWithin, grantsWithin, readGrants } from '../../../collector/access/grants.ts';
import type { Grant } from '../../../collector/access/principal.ts';
import {
  mayAt,
  mayEverywhere,
  maySomewhere,
  ROLES,
  sitesOf,
} from '../../../collector/access/principal.ts';

const site = fc.constantFrom('*', 'a', 'b', 'c', '');
const role = fc.constantFrom(...ROLES);
const grants = fc.array(fc.record({ site, role }), { maxLength: 6 }).map(readGrants);
/** Also one that no grant names. */
const SITES = ['*', 'a', 'b', 'c', 'd'];

function each(check: (role: Grant['role'], site: string) => void): void {
  for (const at of SITES) for (const one of ROLES) check(one, at);
}

t.test('what is within grants is allowed by both, and all that both allow is', async (t) => {
  fc.assert(
    fc.property(grants, grants, (wanted, owned) => {
      const within = { grants: grantsWithin(wanted, owned) };
      each((one, at) => {
        const both = mayAt({ grants: wanted }, one, at) && mayAt({ grants: owned }, one, at);
        if (mayAt(within, one, at) !== both) throw new Error(`${one} at ${at}`);
      });
      if (!areWithin(within.grants, owned)) throw new Error('it is more than the owner has');
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});

t.test('taking a grant away never lets anybody do more', async (t) => {
  fc.assert(
    fc.property(grants, grants, fc.nat(5), (wanted, owned, which) => {
      const fewer = owned.filter((_, i) => i !== which);
      const before = { grants: grantsWithin(wanted, owned) };
      const after = { grants: grantsWithin(wanted, fewer) };
      each((one, at) => {
        if (mayAt(after, one, at) && !mayAt(before, one, at)) throw new Error(`${one} at ${at}`);
      });
    }),
  );
  t.pass();
});

t.test('reading grants gives no more than their texts say', async (t) => {
  const said = fc.array(
    fc.oneof(
      fc.record({ site, role }),
      fc.record({ site, role: fc.constantFrom('root', 'Admin', '', null, 7) }),
      fc.record({ site: fc.constantFrom(null, 7, ['a']), role }),
      fc.anything(),
    ),
  );
  fc.assert(
    fc.property(said, (list) => {
      for (const grant of readGrants(list)) {
        const isSaid = list.some((one) => {
          const { site: at, role: as } = (one ?? {}) as Partial<Grant>;
          return at === grant.site && as === grant.role;
        });
        if (!isSaid || grant.site === '') throw new Error(JSON.stringify(grant));
      }
    }),
  );
  for (const none of [undefined, null, 'admin', { site: '*', role: 'admin' }, 7])
    t.same(readGrants(none), []);
  t.same(
    readGrants([
      { site: 'b', role: 'viewer' },
      { site: 'a', role: 'viewer' },
      { site: 'a', role: 'admin', more: true },
      { site: 'a', role: 'operator' },
    ]),
    [
      { site: 'a', role: 'admin' },
      { site: 'b', role: 'viewer' },
    ],
    'one a site, the highest',
  );
});

t.test('the questions agree with each other', async (t) => {
  fc.assert(
    fc.property(grants, role, (held, one) => {
      const principal = { grants: held };
      const sites = sitesOf(principal, one);
      for (const at of SITES.slice(1))
        if (mayAt(principal, one, at) !== (sites?.has(at) !== false)) throw new Error(at);
      if (mayEverywhere(principal, one) !== (sites === undefined)) throw new Error('everywhere');
      if (maySomewhere(principal, one) !== (sites?.size !== 0)) throw new Error('somewhere');
    }),
  );
  t.pass();
});
