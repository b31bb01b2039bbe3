/** /api/v1/enrolment: the authority, which gateways have certificates, tokens for new ones. */

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { sitesOf } from '../../access/principal.ts';
import { CollectorError } from '../../errors.ts';
import type { GatewayStanding, Invited } from '../../trust/gateway_admin.ts';
import { isAmong, requireAt } from '../access.ts';
import { recordDeed } from '../audited.ts';
import type { ApiContext } from '../context.ts';
import { NAME, nullable, object, query, TIME_MS } from '../schemas.ts';

const FINGERPRINT = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const;
const VALID_HOURS = {
  type: 'number',
  exclusiveMinimum: 0,
  maximum: 24 * 366,
  default: 24,
  description: 'How long the token may be used.',
} as const;
const GATEWAYS_AT_ONCE = 1_000;
/** Of one in JSON, names of the greatest length that a certificate takes in whatever escapes. */
const GATEWAY_BYTES_MAX = 512;

const CERTIFICATE = {
  ...object({
    fingerprint: FINGERPRINT,
    serial: { type: 'string' },
    not_before_ms: TIME_MS,
    not_after_ms: TIME_MS,
    issued_ms: TIME_MS,
  }),
  type: ['object', 'null'],
};

const STANDING = object({
  site: NAME,
  gateway: NAME,
  state: {
    enum: ['configured', 'invited', 'enrolled', 'revoked'],
    description: 'configured: by a token in the configuration only.',
  },
  certificate: { ...CERTIFICATE, description: 'The newest that counts.' },
  invitation: {
    ...object({ expires_ms: TIME_MS }),
    type: ['object', 'null'],
    description: 'A token that was not used yet.',
  },
  without_tls: { type: 'boolean', description: 'Its token may be shown without TLS.' },
  install_id: nullable({ type: 'string', description: 'The first install after it enrolled.' }),
  changed_ms: nullable(TIME_MS),
  changed_by: nullable({ type: 'string' }),
});

const INVITED_FIELDS = {
  site: NAME,
  gateway: NAME,
  token: {
    type: 'string',
    description: 'For `fms-agent enroll`. Said this once: only its hash is kept.',
  },
  expires_ms: TIME_MS,
} as const;

const INVITED = object(INVITED_FIELDS);

/** Where gateways are to connect to: for the command that people are shown. */
const ADDRESS = {
  mqtt_port: { type: 'integer', description: 'With TLS; 0: there is none.' },
  names: {
    type: 'array',
    items: { type: 'string' },
    description: 'Host names and addresses that the server’s certificate is for.',
  },
} as const;

const ID_PARAMS = object({ site: NAME, gateway: NAME });

interface OfGateway {
  site: string;
  gateway: string;
}

export function enrolmentRoutes(app: FastifyInstance, context: ApiContext): void {
  authorityRoute(app, context);
  listRoute(app, context);
  addRoute(app, context);
  tokenRoute(app, context);
  endRoutes(app, context);
}

function authorityRoute(app: FastifyInstance, { enrolment }: ApiContext): void {
  app.get(
    '/api/v1/enrolment/ca',
    {
      config: { access: { role: 'viewer', everywhere: true } },
      schema: {
        summary: 'The authority that issues certificates of gateways and servers',
        querystring: query({}),
        response: {
          200: object({
            fingerprint: FINGERPRINT,
            shown_fingerprint: {
              ...FINGERPRINT,
              description:
                'What tokens name and gateways show. Another one only where mqtt.tls.cert_file is of another authority.',
            },
            subject: { type: 'string' },
            not_before_ms: TIME_MS,
            not_after_ms: TIME_MS,
            certificate: { type: 'string', description: 'PEM.' },
            own: { type: 'boolean', description: 'False: it is the plant’s.' },
          }),
        },
      },
    },
    async () => {
      const { certificate, fingerprint, own, notAfterMs } = enrolment.authority;
      return {
        fingerprint,
        shown_fingerprint: enrolment.shownFingerprint,
        subject: certificate.subject,
        not_before_ms: certificate.validFromDate.getTime(),
        not_after_ms: notAfterMs,
        certificate: certificate.toString(),
        own,
      };
    },
  );
}

function listRoute(app: FastifyInstance, { enrolment }: ApiContext): void {
  app.get(
    '/api/v1/enrolment/gateways',
    {
      config: { access: { role: 'admin' } },
      schema: {
        summary:
          'Gateways of the sites that one is admin of: how they come in, by which certificate',
        querystring: query({}),
        response: {
          200: object({ items: { type: 'array', items: STANDING }, next: { type: 'null' } }),
        },
      },
    },
    async ({ principal }) => {
      const sites = sitesOf(principal, 'admin');
      const items = enrolment.list().filter(({ site }) => isAmong(sites, site));
      return { items: items.map(standingItem), next: null };
    },
  );
}

function addRoute(app: FastifyInstance, context: ApiContext): void {
  const { enrolment } = context;
  app.post<{ Body: { gateways: OfGateway[]; valid_hours: number } }>(
    '/api/v1/enrolment/gateways',
    {
      bodyLimit: GATEWAYS_AT_ONCE * GATEWAY_BYTES_MAX,
      config: { access: { role: 'admin' } },
      schema: {
        summary: 'Makes gateways, and a one-time token for each',
        description: 'All or none; 409 when one of them is there already.',
        querystring: query({}),
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['gateways'],
          properties: {
            gateways: {
              type: 'array',
              minItems: 1,
              maxItems: GATEWAYS_AT_ONCE,
              items: object({ site: NAME, gateway: NAME }),
            },
            valid_hours: VALID_HOURS,
          },
        },
        response: {
          201: object({ items: { type: 'array', items: INVITED }, ...ADDRESS }),
        },
      },
    },
    async (request, reply) => {
      const { gateways, valid_hours: validHours } = request.body;
      for (const { site } of gateways) requireAt(request, 'admin', site);
      enrolment.checkNew(gateways);
      const sites = new Set(gateways.map(({ site }) => site));
      const [first] = gateways;
      await recordDeed(request, context, {
        action: 'gateway.add',
        site: sites.size === 1 ? (first?.site ?? '') : '',
        target: gateways.length === 1 && first ? nameOf(first) : `${gateways.length} gateways`,
        detail: { gateways: gateways.map(nameOf).join(', '), valid_hours: validHours },
      });
      const items = await enrolment.add(gateways, validHours, request.principal.name);
      return reply.code(201).send({ items: items.map(invitedItem), ...addressOf(context) });
    },
  );
}

function tokenRoute(app: FastifyInstance, context: ApiContext): void {
  const { enrolment } = context;
  app.post<{ Params: OfGateway; Body: { valid_hours: number; now: boolean } }>(
    '/api/v1/enrolment/gateways/:site/:gateway/token',
    {
      config: { access: { role: 'admin' } },
      schema: {
        summary: 'Another token: for one that has not enrolled, was revoked, or gets new hardware',
        description:
          'The certificate that it has goes on until the new hardware enrols; with `now` it is over at once. The history hangs on the name, and stays.',
        params: ID_PARAMS,
        querystring: query({}),
        body: {
          type: 'object',
          additionalProperties: false,
          properties: { valid_hours: VALID_HOURS, now: { type: 'boolean', default: false } },
        },
        response: { 201: object({ ...INVITED_FIELDS, ...ADDRESS }) },
      },
    },
    async (request, reply) => {
      const { site } = request.params;
      const { valid_hours: validHours, now } = request.body;
      requireStanding(request, context);
      const detail = { valid_hours: validHours, now };
      const target = nameOf(request.params);
      await recordDeed(request, context, { action: 'gateway.token', site, target, detail });
      const by = request.principal.name;
      const made = await enrolment.token(request.params, { validHours, now, by });
      return reply.code(201).send({ ...invitedItem(made), ...addressOf(context) });
    },
  );
}

function endRoutes(app: FastifyInstance, context: ApiContext): void {
  const { enrolment } = context;
  app.post<{ Params: OfGateway; Body: { reason: string } }>(
    '/api/v1/enrolment/gateways/:site/:gateway/revoke',
    {
      config: { access: { role: 'admin' } },
      schema: {
        summary:
          'Lets a gateway in no more, by certificate or token; ends its connection in seconds',
        params: ID_PARAMS,
        querystring: query({}),
        body: {
          type: 'object',
          additionalProperties: false,
          properties: { reason: { type: 'string', maxLength: 500, default: '' } },
        },
        response: { 204: { type: 'null' } },
      },
    },
    async (request, reply) => {
      const { site } = request.params;
      const { reason } = request.body;
      requireAt(request, 'admin', site);
      enrolment.requireKnown(request.params);
      const target = nameOf(request.params);
      const deed = { action: 'gateway.revoke', site, target, detail: { reason } } as const;
      await recordDeed(request, context, deed);
      await enrolment.revoke(request.params, reason, request.principal.name);
      return reply.code(204).send();
    },
  );
  app.delete<{ Params: OfGateway }>(
    '/api/v1/enrolment/gateways/:site/:gateway',
    {
      config: { access: { role: 'admin' } },
      schema: {
        summary: 'Forgets a gateway that never enrolled or was revoked; what it sent stays',
        params: ID_PARAMS,
        querystring: query({}),
        response: { 204: { type: 'null' } },
      },
    },
    async (request, reply) => {
      const { site } = request.params;
      const { state } = requireStanding(request, context);
      if (state === 'enrolled')
        throw new CollectorError('GATEWAY_REFUSED', `${nameOf(request.params)} is enrolled`);
      const target = nameOf(request.params);
      await recordDeed(request, context, { action: 'gateway.remove', site, target });
      await enrolment.remove(request.params);
      return reply.code(204).send();
    },
  );
}

/** Throws API_FORBIDDEN, API_NOT_FOUND. */
function requireStanding(
  request: FastifyRequest<{ Params: OfGateway }>,
  { enrolment }: ApiContext,
): GatewayStanding {
  requireAt(request, 'admin', request.params.site);
  const standing = enrolment.standing(nameOf(request.params));
  if (standing === undefined)
    throw new CollectorError('API_NOT_FOUND', `no gateway ${nameOf(request.params)}`);
  return standing;
}

function standingItem(standing: GatewayStanding): object {
  const { site, gateway, state, certificate, invitation, withoutTls, installId } = standing;
  return {
    site,
    gateway,
    state,
    certificate: certificate
      ? {
          fingerprint: certificate.fingerprint,
          serial: certificate.serial,
          not_before_ms: certificate.notBeforeMs,
          not_after_ms: certificate.notAfterMs,
          issued_ms: certificate.issuedMs,
        }
      : null,
    invitation: invitation ? { expires_ms: invitation.expiresMs } : null,
    without_tls: withoutTls,
    install_id: installId ?? null,
    changed_ms: standing.changedMs ?? null,
    changed_by: standing.changedBy ?? null,
  };
}

function addressOf({ enrolment }: ApiContext): object {
  const { mqttPort, names } = enrolment.address;
  return { mqtt_port: mqttPort, names };
}

function invitedItem({ site, gateway, token, expiresMs }: Invited): object {
  return { site, gateway, token, expires_ms: expiresMs };
}

function nameOf({ site, gateway }: OfGateway): string {
  return `${site}/${gateway}`;
}
