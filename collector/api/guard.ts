/** Nobody reaches a handler without the role that its route names (`config.access`). */

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Principal } from '../access/principal.ts';
import { EVERY_SITE, mayEverywhere, maySomewhere } from '../access/principal.ts';
import { CollectorError } from '../errors.ts';
import { adminOnly } from './admin.ts';
import type { ApiContext } from './context.ts';

/** Before the routes: their `onRequest` hooks run after this one. */
export function guardRoutes(app: FastifyInstance, _context: ApiContext): void {
  app.decorateRequest('principal', undefined as unknown as Principal);
  app.addHook('onRequest', async (request) => {
    const { role = 'viewer', everywhere = false } = request.routeOptions.config.access ?? {};
    request.principal = await principalOf(request);
    if (role === 'public') return;
    const may = everywhere ? mayEverywhere : maySomewhere;
    if (!may(request.principal, role))
      throw new CollectorError('API_FORBIDDEN', `${request.principal.name} is not ${role}`);
  });
}

/** Until there are users: this machine may all, the others may look. */
async function principalOf(request: FastifyRequest): Promise<Principal> {
  const isHere = await adminOnly(request).then(
    () => true,
    () => false,
  );
  const role = isHere ? 'admin' : 'viewer';
  return {
    kind: isHere ? 'local' : 'anonymous',
    name: isHere ? 'local' : 'anonymous',
    grants: [{ site: EVERY_SITE, role }],
  };
}
