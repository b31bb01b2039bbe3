/** `fms-collector ca`: the authority that gateways are to know. */

import { formatFingerprint } from '../../proto/enrolment.ts';
import type { Output } from './check.ts';
import type { ApiOptions } from './client.ts';
import { askApi } from './client.ts';
import { withApi } from './user.ts';

interface AuthorityItem {
  fingerprint: string;
  shown_fingerprint: string;
  subject: string;
  not_before_ms: number;
  not_after_ms: number;
  certificate: string;
  own: boolean;
}

/** Prints and returns the exit code: 0 done, 1 refused, 2 mistakes, 3 nobody answers. */
export function showAuthority(
  options: ApiOptions & { json?: boolean; pem?: boolean },
  env: Record<string, string | undefined>,
  output: Output,
): Promise<number> {
  return withApi(options, env, output, async (api) => {
    const answer = (await (await askApi(api, '/api/v1/enrolment/ca')).json()) as AuthorityItem;
    if (options.json) output.log(JSON.stringify(answer));
    else if (options.pem) output.log(answer.certificate.trim());
    else
      for (const line of [
        `subject      ${answer.subject.replaceAll('\n', ', ')}`,
        `made by      ${answer.own ? 'this collector' : 'the plant (ca.cert_file)'}`,
        `valid        ${isoOf(answer.not_before_ms)} to ${isoOf(answer.not_after_ms)}`,
        `fingerprint  ${formatFingerprint(answer.fingerprint)}`,
        ...(answer.shown_fingerprint === answer.fingerprint
          ? []
          : [`gateways see ${formatFingerprint(answer.shown_fingerprint)} (mqtt.tls.cert_file)`]),
      ])
        output.log(line);
  });
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
