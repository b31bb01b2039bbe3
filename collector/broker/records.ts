/** What intake makes of a payload: the record that goes to the log. Nothing is decoded. */

import { PAYLOAD_BYTES_MAX, REJECT_HEAD_BYTES } from '../../proto/limits.ts';
import type { OversizedValue } from '../types.ts';
import { RawKind } from '../types.ts';

/** The payload as it came; of one beyond the limit its head and the reason. */
export function rawRecordOf(
  leaf: OversizedValue['leaf'],
  payload: Buffer,
): { kind: RawKind; value: Buffer } {
  if (payload.length <= PAYLOAD_BYTES_MAX)
    return { kind: leaf === 'state' ? RawKind.STATE : RawKind.BATCH, value: payload };
  const value: OversizedValue = {
    leaf,
    bytes: payload.length,
    reason: `larger than ${PAYLOAD_BYTES_MAX} bytes`,
    head: payload.subarray(0, REJECT_HEAD_BYTES).toString('base64'),
  };
  return { kind: RawKind.OVERSIZED, value: Buffer.from(JSON.stringify(value)) };
}
