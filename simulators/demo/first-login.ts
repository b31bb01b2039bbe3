/** What the collector's log says of the first user, at the first start of all. */

export interface FirstLogin {
  user: string;
  password: string;
}

/** Undefined: the line is about something else. */
export function firstLoginOf(line: string): FirstLogin | undefined {
  if (!line.includes('"first_password"')) return undefined;
  try {
    const { first_user, first_password } = JSON.parse(line) as Record<string, unknown>;
    if (typeof first_user !== 'string' || typeof first_password !== 'string') return undefined;
    return { user: first_user, password: first_password };
  } catch {
    return undefined;
  }
}
