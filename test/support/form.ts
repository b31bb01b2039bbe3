/**
 * Tests that take long have two forms: the short one, in which each kind of fault happens at least once, is
 * part of `npm test`; the long one, with all of them and more of each, is that of `npm run test:faults`.
 */

/** The variable that `npm run test:faults` sets. By hand: `FMS_TEST_THOROUGH=1 node test/faults/kill.test.ts`. */
export const LONG_FORM_VARIABLE = 'FMS_TEST_THOROUGH';

export const isLongForm = process.env[LONG_FORM_VARIABLE] === '1';

export interface Forms<T> {
  short: T;
  long: T;
}

export function ofForm<T>({ short, long }: Forms<T>): T {
  return isLongForm ? long : short;
}

/** How much of something: what the variable says, else as the form wants it. */
export function sizeOfRun(variable: string, forms: Forms<number>): number {
  const given = process.env[variable];
  return given === undefined ? ofForm(forms) : Number(given);
}

/** For `t.setTimeout` and a test's own limit: a form may take this long before it counts as hung. */
export const FORM_TIMEOUT_MS = ofForm({ short: 1_200_000, long: 3_600_000 });
