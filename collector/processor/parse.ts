/** JSON that the collector itself wrote; still, a processor must not stop at a record. */
export function parseJson<T>(value: Uint8Array): Partial<T> | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(value).toString('utf8'));
    return typeof parsed === 'object' && parsed !== null ? (parsed as Partial<T>) : undefined;
  } catch {
    return undefined;
  }
}
