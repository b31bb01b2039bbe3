/** How a gateway and its certificate stand. Agents renew when a third of its time is left. */

/** configured: by a token in the configuration only. */
export type GatewayState = 'configured' | 'invited' | 'enrolled' | 'revoked';

export type Validity = 'valid' | 'renew_soon' | 'grace' | 'expired';

/** With less than this left something keeps the agent from renewing: it has tried for long. */
const SOON_SHARE = 1 / 6;

export function validityOf(
  { notBeforeMs, notAfterMs }: { notBeforeMs: number; notAfterMs: number },
  graceMs: number,
  nowMs: number,
): Validity {
  if (nowMs >= notAfterMs + graceMs) return 'expired';
  if (nowMs >= notAfterMs) return 'grace';
  return nowMs > notAfterMs - (notAfterMs - notBeforeMs) * SOON_SHARE ? 'renew_soon' : 'valid';
}
