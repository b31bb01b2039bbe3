/** Gateways, ledgers and entries of the quarantine as the API shows them, for tests of their pages. */

import type { Gateway, LedgerLine } from '../../collector/web/src/pages/gateways/types.ts';
import type { EntryWhole } from '../../collector/web/src/pages/quarantine/types.ts';

export const EPOCH = '00112233445566ff';

/** gw1, online and well; `more` overrides. */
export function stubGateway(more: Partial<Gateway> = {}): Gateway {
  const nowMs = Date.now();
  return {
    site: 'demo',
    gateway: 'gw1',
    status: 'online',
    configured: true,
    version: '1.4.0',
    install_id: 'aa11bb22',
    epoch: EPOCH,
    last_seq: 1_000_000,
    buffer: { readings: 120, bytes: 4_096, seconds_until_eviction: null },
    clock: { unsynced: false, step_ms: 0 },
    readers: [
      {
        device: 'D01',
        reader: 'http',
        status: 'ok',
        last_good_ms: nowMs - 1_000,
        errors_total: 0,
        last_error: '',
      },
    ],
    certificate: { not_after_ms: nowMs + 60 * 86_400_000, state: 'valid' },
    transport: 'tls',
    state_ms: nowMs - 3_000,
    updated_ms: nowMs - 2_900,
    ledger: stubLedger(),
    ...more,
  };
}

/** 1,000,000 numbered, all accounted for. */
export function stubLedger(more: Partial<Gateway['ledger']> = {}): Gateway['ledger'] {
  return {
    sent: 1_000_000,
    stored: 999_900,
    quarantined: 60,
    duplicates: 12,
    gap_readings: 0,
    gaps: {},
    in_flight: 40,
    balance: 0,
    ...more,
  };
}

export function stubLine(more: Partial<LedgerLine> = {}): LedgerLine {
  const nowMs = Date.now();
  return {
    site: 'demo',
    gateway: 'gw1',
    epoch: EPOCH,
    last_seq: 1_000_000,
    opened_ms: nowMs - 86_400_000,
    updated_ms: nowMs,
    sum_balance: '0',
    closed: 0,
    ...stubLedger(),
    ...more,
  };
}

/** A reading of D01 that a rule refused; `more` overrides. */
export function stubEntry(id: string, more: Partial<EntryWhole> = {}): EntryWhole {
  const nowMs = Date.now();
  return {
    id,
    site: 'demo',
    gateway: 'gw1',
    device: 'D01',
    reason: 'rule',
    detail: 'out_of_range: 400 is above 100',
    time_ms: nowMs - 5_000,
    received_ms: nowMs - 4_000,
    epoch: EPOCH,
    seq: 17,
    count: 1,
    head_base64: '',
    head_text: '',
    decoded: null,
    reading: {
      device: 'D01',
      channel: 'sensor1',
      time_ms: nowMs - 5_000,
      value: 400,
      kind: 'number',
      quality: 0,
    },
    releasable: true,
    released_ms: null,
    released_by: null,
    log_partition: 3,
    log_offset: 77,
    ...more,
  };
}

/** A payload that could not be read. */
export function stubPayload(id: string, reason: string, payload: string | Uint8Array): EntryWhole {
  const bytes = Buffer.from(payload);
  return stubEntry(id, {
    reason,
    device: '',
    detail: 'not what belongs here',
    seq: 0,
    head_base64: bytes.toString('base64'),
    head_text: bytes.toString('utf8').replaceAll(/[^\P{C}\n\t]/gu, '\uFFFD'),
    reading: null,
    releasable: false,
  });
}
