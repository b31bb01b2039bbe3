/** What is done with new tokens: the command at the gateway, and a file of all of them. */

import type { MadeToken } from './types.ts';

const PORT = 8883;

/** Where gateways reach the collector. */
export function urlOf(host: string, port: number): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return `mqtts://${name}:${port === 0 ? PORT : port}`;
}

export function commandOf(url: string, token: string): string {
  return `sudo fms-agent enroll ${url} ${token}`;
}

/** The name that this page was reached by, if gateways may use it; else the first of the certificate. */
export function hostFor(names: readonly string[], pageHost: string): string {
  const host = pageHost.replace(/^\[(.*)\]$/, '$1');
  if (names.includes(host)) return host;
  return names.find((name) => !isOwn(name) && !name.startsWith('*')) ?? names[0] ?? host;
}

/** Names that mean another machine on each machine. */
function isOwn(name: string): boolean {
  return name === 'localhost' || name === '::1' || name.startsWith('127.');
}

/** CSV (RFC 4180), a line each. */
export function csvOf(made: readonly MadeToken[], url: string): string {
  const rows = made.map(({ site, gateway, token, expires_ms }) => [
    site,
    gateway,
    token,
    new Date(expires_ms).toISOString(),
    commandOf(url, token),
  ]);
  const all = [['site', 'gateway', 'token', 'expires', 'command'], ...rows];
  return all.map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
