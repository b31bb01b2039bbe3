/** Fields of an event in one line, as the collector names them. Pure. */

const FIELDS_MAX = 8;
const CHARACTERS_MAX = 300;

export function eventDetail(detail: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(detail)
    .filter(([, value]) => value !== '' && value !== null && value !== undefined)
    .slice(0, FIELDS_MAX)
    .map(
      ([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : value}`,
    );
  return fields.join(' · ').slice(0, CHARACTERS_MAX);
}
