/** The collector's API as the page uses it. */

const TIMEOUT_MS = 8_000;

/** An answer that is not a success; `message` is for people. */
export class ApiFailure extends Error {
  /**
   * @param {number} status 0: no answer
   * @param {string} code
   * @param {string} message
   * @param {string} [hint] what to do about it
   */
  constructor(status, code, message, hint = '') {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
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
  return answerOf(url, { cache: 'no-store' });
}

/**
 * Changes something. After a failure with status 0 it may have been done all the same.
 * @param {'POST' | 'DELETE'} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
export function send(method, path, body) {
  if (body === undefined) return answerOf(new URL(path, location.origin), { method });
  const headers = { 'content-type': 'application/json' };
  return answerOf(new URL(path, location.origin), { method, headers, body: JSON.stringify(body) });
}

/**
 * @param {URL} url
 * @param {RequestInit} request
 */
async function answerOf(url, request) {
  let response;
  try {
    response = await fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new ApiFailure(0, 'UNREACHABLE', error instanceof Error ? error.message : String(error));
  }
  const body = await response.json().catch(() => undefined);
  if (!response.ok) {
    const { code = 'UNKNOWN', message = response.statusText, hint = '' } = body?.error ?? {};
    throw new ApiFailure(response.status, code, message, hint);
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
  return followStream(new URLSearchParams({ site, device, kinds: 'readings' }), {
    hello: () => listener.onOpen(),
    readings: (data) => listener.onReadings(data),
    lost: () => listener.onLost(),
  });
}

/**
 * Alerts and anomalies of all devices, as they change.
 * @param {{ onOpen: () => void, onAlert: (alert: any) => void, onAnomaly: (anomaly: any) => void }} listener
 * `onOpen`: at each connection, and when something was left out: all is to be read again
 * @returns {() => void} closes it
 */
export function followAlerts(listener) {
  return followStream(new URLSearchParams({ kinds: 'alert,anomaly' }), {
    hello: () => listener.onOpen(),
    alert: (data) => listener.onAlert(data),
    anomaly: (data) => listener.onAnomaly(data),
    lost: () => listener.onOpen(),
  });
}

/**
 * Only while somebody looks: a browser opens few connections to one host, over all its tabs.
 * @param {URLSearchParams} query
 * @param {Record<string, (data: any) => void>} listeners by event
 */
function followStream(query, listeners) {
  /** @type {EventSource | undefined} */
  let source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const open = () => {
    if (document.hidden) return;
    source = new EventSource(`/api/v1/stream?${query}`);
    for (const [event, listener] of Object.entries(listeners))
      source.addEventListener(event, ({ data }) => listener(JSON.parse(data)));
    source.addEventListener('error', () => {
      // The browser itself tries again after a break, but not after a refusal.
      if (source?.readyState !== EventSource.CLOSED) return;
      clearTimeout(timer);
      timer = setTimeout(open, RETRY_MS);
    });
  };
  const close = () => {
    clearTimeout(timer);
    source?.close();
  };
  const seen = () => {
    close();
    open();
  };
  document.addEventListener('visibilitychange', seen);
  open();
  return () => {
    document.removeEventListener('visibilitychange', seen);
    close();
  };
}
