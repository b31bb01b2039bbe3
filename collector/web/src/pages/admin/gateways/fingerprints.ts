/** Fingerprints as people compare them. */

/** Groups of four, capitals, as the gateway shows them. */
export function groupsOf(fingerprint: string): string[] {
  return fingerprint.toUpperCase().match(/.{1,4}/g) ?? [];
}

/** Of so many digits a wrong one cannot be made to fit. */
export const DIGITS_MIN = 16;

export interface Compared {
  /** How many groups from the front are right. */
  rightGroups: number;
  /** nothing: not enough was typed yet. */
  verdict: 'nothing' | 'right' | 'wrong';
}

/** What was typed or pasted from the gateway's screen: spaces, colons, dashes and case do not count. */
export function compare(typed: string, fingerprint: string): Compared {
  const digits = typed.replace(/[\s:-]/g, '').toLowerCase();
  const isRight = fingerprint.startsWith(digits);
  return {
    rightGroups: isRight ? Math.floor(digits.length / 4) : groupsThatFit(digits, fingerprint),
    verdict: !isRight ? 'wrong' : digits.length >= DIGITS_MIN ? 'right' : 'nothing',
  };
}

function groupsThatFit(digits: string, fingerprint: string): number {
  let fits = 0;
  while (fits < digits.length && digits[fits] === fingerprint[fits]) fits += 1;
  return Math.floor(fits / 4);
}
