/** /api/v1/gateways/:site/:gateway: one gateway. */

import type { FastifyInstance } from 'fastify';
import { CollectorError } from '../../errors.ts';
import { maySee } from '../access.ts';
import type { ApiContext } from '../context.ts';
import { NAME, object, query } from '../schemas.ts';
import { GATEWAY, gatewayItem, knownGateways } from './gateways.ts';

export function gatewayRoute(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Params: { site: string; gateway: string } }>(
    '/api/v1/gateways/:site/:gateway',
    {
      schema: {
        summary: 'One gateway, as it is in the list',
        params: object({ site: NAME, gateway: NAME }),
        querystring: query({}),
        response: { 200: GATEWAY },
      },
    },
    async (request) => {
      const { site, gateway } = request.params;
      const known = knownGateways(context).find(
        (one) => one.site === site && one.gateway === gateway,
      );
      if (known === undefined || !maySee(request, site))
        throw new CollectorError('API_NOT_FOUND', `no gateway ${site}/${gateway}`);
      return gatewayItem(context, known);
    },
  );
}
