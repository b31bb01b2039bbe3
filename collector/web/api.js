/** The collector's API as the page uses it. */

const TIMEOUT_MS = 8_000;

/** An answer that is not a success; `message` is for people. */
export class ApiFailure extends Error {
  /**
   * @param {number} status 0: no answer
   * @param {string} code
   * @param {string} message
   */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * @param {string} path
 * @param {Record<string, string | number | undefined>} [parameters]
 * @returns {Promise<any>}
 */
export async function ask(path, parameters = {}) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined && value !== '') url.searchParams.set(name, String(value));
  let response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: 'no-store' });
  } catch (error) {
    throw new ApiFailure(0, 'UNREACHABLE', error instanceof Error ? error.message : String(error));
  }
  const body = await response.json().catch(() => undefined);
  if (!response.ok) {
    const { code = 'UNKNOWN', message = response.statusText } = body?.error ?? {};
    throw new ApiFailure(response.status, code, message);
  }
  if (body === undefined) throw new ApiFailure(response.status, 'UNKNOWN', 'not JSON');
  return body;
}

const RETRY_MS = 3_000;

/**
 * Live readings of one device. `onOpen` is called at each connection, also after a break: what came
 * in between is for the caller to fetch.
 * @param {string} site
 * @param {string} device
 * @param {{ onOpen: () => void, onReadings: (data: any) => void, onLost: () => void }} listener
 * @returns {() => void} closes it
 */
export function follow(site, device, listener) {
  const query = new URLSearchParams({ site, device });
  /** @type {EventSource | undefined} */
  let source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const open = () => {
    source = new EventSource(`/api/v1/stream?${query}`);
    source.addEventListener('hello', () => listener.onOpen());
    source.addEventListener('readings', (event) => listener.onReadings(JSON.parse(event.data)));
    source.addEventListener('lost', () => listener.onLost());
    source.addEventListener('error', () => {
      // The browser itself tries again after a break, but not after a refusal.
      if (source?.readyState !== EventSource.CLOSED) return;
      clearTimeout(timer);
      timer = setTimeout(open, RETRY_MS);
    });
  };
  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
