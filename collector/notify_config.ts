/**
 * Section `notify` of collector.yaml, after its schema has passed: who hears of which alerts, and how.
 * Secrets come from files or the environment. No mistake that is said here holds any of them.
 */

import { isIP } from 'node:net';
import type { Language } from './notifiers/notifier.ts';
import type { Receiver, Way } from './notifiers/registry.ts';
import type { Day, Route, Schedule } from './notifiers/routes.ts';
import { DAYS } from './notifiers/routes.ts';
import type { AlertSeverity } from './profile.ts';
import type { Path } from './yaml_file.ts';

export interface NotifyConfig {
  receivers: readonly Receiver[];
  /** Empty: all receivers hear of all. */
  routes: readonly Route[];
  /** Bounds of what waits for one receiver: alerts, and time. */
  waitingMax: number;
  waitingMaxMs: number;
  heartbeat: { url: string; intervalMs: number } | undefined;
}

/** The file's own shape. */
export interface NotifyContent {
  group_seconds: number;
  outbox_alerts: number;
  outbox_hours: number;
  receivers: ReceiverContent[];
  routes: RouteContent[];
  heartbeat?: UrlContent & { interval_seconds: number };
}

interface UrlContent {
  url?: string;
  url_file?: string;
  url_env?: string;
}

interface ReceiverContent extends UrlContent {
  name: string;
  type: Way['type'];
  language: Language;
  acknowledged: boolean;
  resolved: boolean;
  group_seconds?: number;
  host?: string;
  port?: number;
  tls?: 'starttls' | 'tls' | 'none';
  ca_file?: string;
  username?: string;
  password_file?: string;
  password_env?: string;
  from?: string;
  to?: string[];
  secret_file?: string;
  secret_env?: string;
  token_file?: string;
  token_env?: string;
}

interface RouteContent {
  receivers: string[];
  severities: AlertSeverity[];
  min_severity?: AlertSeverity;
  sites: string[];
  areas: string[];
  lines: string[];
  devices: string[];
  rules: string[];
  schedule?: { days: Day[]; from: string; to: string; time_zone?: string };
  continue: boolean;
}

/** What a mistake is said with: at which key, and what. */
type Say = (path: Path, message: string) => void;

export interface NotifySources {
  env: Record<string, string | undefined>;
  /** The file's text, trimmed; undefined, and said, when it cannot be read. */
  read: (at: Path, key: string, name: string | undefined) => string | undefined;
  say: Say;
}

const AT: Path = ['notify'];
/** Keys that only some types have; the rest is everybody's. */
const URL_KEYS = ['url', 'url_file', 'url_env'];
const PASSWORD_KEYS = ['username', 'password_file', 'password_env'];
const TOKEN_KEYS = ['token_file', 'token_env'];
const OWN_KEYS: Record<Way['type'], readonly string[]> = {
  email: ['language', 'host', 'port', 'tls', 'ca_file', 'from', 'to', ...PASSWORD_KEYS],
  slack: ['language', ...URL_KEYS],
  webhook: ['secret_file', 'secret_env', ...URL_KEYS, ...TOKEN_KEYS],
  alertmanager: [...URL_KEYS, ...PASSWORD_KEYS, ...TOKEN_KEYS],
};
const COMMON_KEYS = ['name', 'type', 'language', 'acknowledged', 'resolved', 'group_seconds'];
const SMTP_PORTS = { starttls: 587, tls: 465, none: 25 };
/** Shorter ones can be guessed from one signed message. */
const SECRET_LENGTH_MIN = 16;
/** These are overrides of the file (config.ts). */
const OVERRIDES = 'FMS_COLLECTOR_';

export function toNotify(content: NotifyContent, sources: NotifySources): NotifyConfig {
  const { say } = sources;
  const receivers: Receiver[] = [];
  const seen = new Set<string>();
  for (const [i, item] of content.receivers.entries()) {
    const at = [...AT, 'receivers', i];
    if (seen.has(item.name)) say([...at, 'name'], `receiver ${item.name} is listed twice`);
    seen.add(item.name);
    const receiver = new ReceiverReader(item, at, sources).receiver(content.group_seconds);
    if (receiver !== undefined) receivers.push(receiver);
  }
  const routes = content.routes.map((route, i) => toRoute(route, [...AT, 'routes', i], seen, say));
  return {
    receivers,
    routes,
    waitingMax: content.outbox_alerts,
    waitingMaxMs: content.outbox_hours * 3_600_000,
    heartbeat: toHeartbeat(content, sources),
  };
}

function toHeartbeat(
  { heartbeat }: NotifyContent,
  sources: NotifySources,
): NotifyConfig['heartbeat'] {
  if (heartbeat === undefined) return undefined;
  const url = urlOf(heartbeat, [...AT, 'heartbeat'], 'notify.heartbeat', sources);
  return url === undefined ? undefined : { url, intervalMs: heartbeat.interval_seconds * 1_000 };
}

function toRoute(route: RouteContent, at: Path, known: ReadonlySet<string>, say: Say): Route {
  for (const [i, name] of route.receivers.entries())
    if (!known.has(name)) {
      const names = known.size === 0 ? 'there are none' : [...known].join(', ');
      say([...at, 'receivers', i], `no receiver is called ${name}; known: ${names}`);
    }
  return {
    receivers: route.receivers,
    severities: route.severities,
    minSeverity: route.min_severity,
    sites: route.sites,
    areas: route.areas,
    lines: route.lines,
    devices: route.devices,
    rules: route.rules,
    schedule: route.schedule && toSchedule(route.schedule),
    goesOn: route.continue,
  };
}

function toSchedule(content: NonNullable<RouteContent['schedule']>): Schedule {
  return {
    days: new Set(content.days.length === 0 ? DAYS : content.days),
    fromMinute: minuteOf(content.from),
    toMinute: minuteOf(content.to),
    timeZone: content.time_zone,
  };
}

function minuteOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}

class ReceiverReader {
  readonly #item: ReceiverContent;
  readonly #at: Path;
  readonly #sources: NotifySources;

  constructor(item: ReceiverContent, at: Path, sources: NotifySources) {
    this.#item = item;
    this.#at = at;
    this.#sources = sources;
  }

  /** Undefined: its mistakes were said. */
  receiver(groupSeconds: number): Receiver | undefined {
    const { name, type, acknowledged, resolved, group_seconds } = this.#item;
    this.#checkKeys();
    const way = this.#way();
    if (way === undefined) return undefined;
    // Alertmanager groups by itself, and has to know everything.
    const isAlertmanager = type === 'alertmanager';
    const seconds = group_seconds ?? (isAlertmanager ? 0 : groupSeconds);
    const wants = isAlertmanager
      ? { acknowledged: true, resolved: true, lowered: true }
      : { acknowledged, resolved, lowered: false };
    return { name, way, wants, groupMs: seconds * 1_000 };
  }

  #checkKeys(): void {
    const { name, type } = this.#item;
    const own = OWN_KEYS[type];
    for (const key of Object.keys(this.#item))
      if (!COMMON_KEYS.includes(key) && !own.includes(key))
        this.#say(key, `receiver ${name}: ${type} has no ${key}; it has ${own.join(', ')}`);
  }

  #way(): Way | undefined {
    const { type, language } = this.#item;
    if (type === 'email') return this.#email();
    const url = urlOf(this.#item, this.#at, `receiver ${this.#item.name}`, this.#sources);
    const token = this.#secret('token');
    const secret = this.#secret('secret');
    if (secret !== undefined && secret.length < SECRET_LENGTH_MIN)
      this.#mistake(`the secret is shorter than ${SECRET_LENGTH_MIN} characters`);
    if (url === undefined) return undefined;
    if (type === 'slack') return { type, settings: { url, language } };
    if (type === 'webhook') return { type, settings: { url, secret, token } };
    const { username } = this.#item;
    return { type, settings: { url, username, password: this.#password(), token } };
  }

  #email(): Way | undefined {
    const { host, from, to = [], tls = 'starttls', username, language } = this.#item;
    for (const key of ['host', 'from', 'to'] as const)
      if (this.#item[key] === undefined) this.#mistake(`email needs ${key}`);
    if (host !== undefined && !isHost(host))
      this.#say('host', this.#named('host is not a host name'));
    if (from !== undefined && !isSender(from))
      this.#say('from', this.#named('from is not an address, nor NAME <ADDRESS>'));
    for (const [i, address] of to.entries())
      if (!isAddress(address))
        this.#sources.say(
          [...this.#at, 'to', i],
          this.#named(`to: not an address (entry ${i + 1})`),
        );
    const ca = this.#sources.read(this.#at, 'ca_file', this.#item.ca_file);
    const password = this.#password();
    if (host === undefined || from === undefined) return undefined;
    const port = this.#item.port ?? SMTP_PORTS[tls];
    const settings = { host, port, tls, ca, username, password, from, to, language };
    return { type: 'email', settings };
  }

  #password(): string | undefined {
    const password = this.#secret('password');
    if (this.#item.username !== undefined && password === undefined && !this.#names('password'))
      this.#mistake('username needs password_file or password_env');
    if (this.#item.username === undefined && password !== undefined)
      this.#mistake('a password needs username');
    return password;
  }

  #names(kind: 'password' | 'secret' | 'token'): boolean {
    return this.#item[`${kind}_file`] !== undefined || this.#item[`${kind}_env`] !== undefined;
  }

  #secret(kind: 'password' | 'secret' | 'token'): string | undefined {
    const file = this.#item[`${kind}_file`];
    const variable = this.#item[`${kind}_env`];
    if (file !== undefined && variable !== undefined)
      this.#mistake(`only one of ${kind}_file and ${kind}_env counts`);
    const value =
      file !== undefined
        ? this.#sources.read(this.#at, `${kind}_file`, file)
        : fromEnvironment(variable, [...this.#at, `${kind}_env`], this.#sources);
    if (value === '') this.#mistake(`the ${kind} is empty`);
    if (value !== undefined && /[\r\n\0]/.test(value))
      this.#mistake(`the ${kind} has more than one line`);
    return value;
  }

  #named(message: string): string {
    return `receiver ${this.#item.name}: ${message}`;
  }

  #mistake(message: string): void {
    this.#sources.say(this.#at, this.#named(message));
  }

  #say(key: string, message: string): void {
    this.#sources.say([...this.#at, key], message);
  }
}

function fromEnvironment(
  name: string | undefined,
  at: Path,
  { env, say }: NotifySources,
): string | undefined {
  if (name === undefined) return undefined;
  if (name.startsWith(OVERRIDES)) {
    say(at, `${at.join('.')}: names that begin with ${OVERRIDES} are overrides; choose another`);
    return undefined;
  }
  const value = env[name]?.trim();
  if (value === undefined || value === '')
    say(at, `${at.join('.')}: the environment has no ${name}`);
  return value === '' ? undefined : value;
}

/** http or https. What it is must not be said: many a URL is a secret. */
function urlOf(
  content: UrlContent,
  at: Path,
  whose: string,
  sources: NotifySources,
): string | undefined {
  const keys = (['url', 'url_file', 'url_env'] as const).filter(
    (key) => content[key] !== undefined,
  );
  const [key] = keys;
  if (keys.length !== 1 || key === undefined) {
    sources.say(at, `${whose}: exactly one of url, url_file and url_env is needed`);
    return undefined;
  }
  const text =
    key === 'url'
      ? content.url
      : key === 'url_file'
        ? sources.read(at, 'url_file', content.url_file)
        : fromEnvironment(content.url_env, [...at, key], sources);
  if (text === undefined) return undefined;
  const problem = urlProblem(text);
  if (problem === undefined) return text;
  sources.say([...at, key], `${whose}: ${key}: ${problem}`);
  return undefined;
}

function urlProblem(text: string): string | undefined {
  if (/[\s\p{Cc}]/u.test(text)) return 'a URL has no white space';
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return 'not a URL, such as https://host/path';
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'only http and https';
  if (url.username !== '' || url.password !== '')
    return 'no user and password in a URL: they have keys of their own';
  return undefined;
}

function isHost(text: string): boolean {
  return isIP(text) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(text);
}

/** Stricter than RFC 5322, as all that people really have is. */
function isAddress(text: string): boolean {
  return /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(
    text,
  );
}

function isSender(text: string): boolean {
  if (/[\p{Cc}]/u.test(text)) return false;
  const named = /^([^<>"@,;:\\]{1,100}) <([^<>]+)>$/.exec(text);
  return isAddress(named?.[2] ?? text);
}
