/** Who may connect, as the API tells pages of it: in the browser's tab, in front of the real API. */

import type { Page, Route } from 'playwright-core';
import type {
  AuthorityItem,
  EnrolmentRequest,
  MadeToken,
  Registered,
} from '../../collector/web/src/pages/admin/gateways/types.ts';

export const DAY_MS = 86_400_000;
export const FINGERPRINT = '3fa4c1d29b0e7758a1b2c3d4e5f60718293a4b5c6d7e8f900112233445566778';
const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

export function stubRegistered(
  name: string,
  state: Registered['state'],
  more: Partial<Registered> = {},
): Registered {
  const [site = '', gateway = ''] = name.split('/');
  const nowMs = Date.now();
  const hasOne = state === 'enrolled' || state === 'revoked';
  return {
    site,
    gateway,
    state,
    certificate: hasOne ? stubCertificate(60) : null,
    invitation: state === 'invited' ? { expires_ms: nowMs + 5 * 3_600_000 } : null,
    without_tls: false,
    install_id: hasOne ? 'b1c2d3e4f5a60718' : null,
    changed_ms: state === 'configured' ? null : nowMs - 3_600_000,
    changed_by: state === 'configured' ? null : 'admin',
    ...more,
  };
}

/** Of 90 days, which end in `days`. */
export function stubCertificate(days: number): NonNullable<Registered['certificate']> {
  const not_after_ms = Date.now() + days * DAY_MS;
  const not_before_ms = not_after_ms - 90 * DAY_MS;
  return {
    fingerprint: FINGERPRINT,
    serial: '4f00c0ffee',
    not_before_ms,
    not_after_ms,
    issued_ms: not_before_ms,
  };
}

export function stubRequest(
  id: string,
  name: string,
  more: Partial<EnrolmentRequest> = {},
): EnrolmentRequest {
  const [site = '', gateway = ''] = name.split('/');
  return {
    id,
    site,
    gateway,
    key_fingerprint: FINGERPRINT,
    from: '192.0.2.17',
    version: '0.7.0',
    created_ms: Date.now() - 120_000,
    expires_ms: Date.now() + 3_600_000,
    known: false,
    ...more,
  };
}

export class EnrolmentStub {
  registered: Registered[] = [];
  requests: EnrolmentRequest[] = [];
  authority: AuthorityItem | undefined = {
    fingerprint: [...FINGERPRINT].reverse().join(''),
    shown_fingerprint: [...FINGERPRINT].reverse().join(''),
    subject: 'CN=FMS authority 4f1c22aa, O=FMS',
    not_before_ms: Date.now() - 30 * DAY_MS,
    not_after_ms: Date.now() + 7_000 * DAY_MS,
    certificate: PEM,
    own: true,
  };
  names = ['collector.plant.example', 'localhost', '192.0.2.10', '2001:db8::7'];
  mqttPort = 8883;
  /** What was asked for, in order. */
  readonly deeds: { method: string; path: string; body: Record<string, unknown> }[] = [];
  /** Code of the answer to the next deed; ''; it is done. */
  refuseWith = '';
  #made = 0;

  async attach(page: Page): Promise<void> {
    await page.route(
      (url) => url.pathname.startsWith('/api/v1/enrolment/'),
      (route) => this.#answer(route),
    );
  }

  async #answer(route: Route): Promise<void> {
    const request = route.request();
    const path = decodeURIComponent(
      new URL(request.url()).pathname.replace('/api/v1/enrolment/', ''),
    );
    if (request.method() === 'GET') return await this.#show(route, path);
    const body = (request.postDataJSON() ?? {}) as Record<string, unknown>;
    this.deeds.push({ method: request.method(), path, body });
    const code = this.refuseWith;
    this.refuseWith = '';
    if (code !== '') return await refuse(route, 409, code);
    const json = this.#do(path, body, request.method());
    await route.fulfill(json === undefined ? { status: 204 } : { status: 201, json });
  }

  async #show(route: Route, path: string): Promise<void> {
    const { authority } = this;
    if (path === 'ca')
      return authority === undefined
        ? await refuse(route, 409, 'TRUST_OFF')
        : await route.fulfill({ json: authority });
    const items = path === 'requests' ? this.requests : this.registered;
    await route.fulfill({ json: { items, next: null } });
  }

  #do(path: string, body: Record<string, unknown>, method: string): object | undefined {
    if (path === 'gateways') {
      const gateways = body.gateways as { site: string; gateway: string }[];
      for (const { site, gateway } of gateways)
        this.registered.push(stubRegistered(`${site}/${gateway}`, 'invited'));
      const items = gateways.map(({ site, gateway }) => this.#token(site, gateway, body));
      return { items, mqtt_port: this.mqttPort, names: this.names };
    }
    const [, first = '', second = '', verb] = path.split('/');
    if (path.startsWith('requests/')) {
      this.requests = this.requests.filter(({ id }) => id !== first);
      return undefined;
    }
    const isThis = (one: Registered): boolean => one.site === first && one.gateway === second;
    if (method === 'DELETE') this.registered = this.registered.filter((one) => !isThis(one));
    if (verb === 'revoke')
      this.registered = this.registered.map((one) =>
        isThis(one) ? { ...one, state: 'revoked' } : one,
      );
    if (verb !== 'token') return undefined;
    return { ...this.#token(first, second, body), mqtt_port: this.mqttPort, names: this.names };
  }

  #token(site: string, gateway: string, { valid_hours }: Record<string, unknown>): MadeToken {
    this.#made += 1;
    const secret = String(this.#made).padStart(22, 'Q');
    const token = `fms-gw1.${secret}.${'z'.repeat(43)}`;
    return { site, gateway, token, expires_ms: Date.now() + Number(valid_hours) * 3_600_000 };
  }
}

async function refuse(route: Route, status: number, code: string): Promise<void> {
  await route.fulfill({ status, json: { error: { code, message: `${code}: x`, hint: '' } } });
}
