/** The page: asks the collector every few seconds, shows fleet and devices, follows the chosen one. */

import { Alerts } from './alerts.js';
import { Anomalies } from './anomalies.js';
import { ApiFailure, ask, followAlerts } from './api.js';
import { Detail, RANGES } from './detail.js';
import { Detectors } from './detectors.js';
import { DeviceList } from './devices.js';
import { byId, element, setText } from './dom.js';
import { showFleet } from './fleet.js';
import { formatCount, timeFormat, zoneName } from './format.js';
import { chosenLanguage, rememberLanguage, translator } from './i18n.js';
import { askSilence } from './silences.js';

const DEVICES_MS = 2_000;
const FLEET_MS = 5_000;
/** The stream tells of changes at once; this is for what it may have left out. */
const ALERTS_MS = 30_000;
const DEVICES_SHOWN = 100;
const GATEWAYS_ASKED = 1_000;
const SEARCH_DELAY_MS = 250;
const CALM_BANNER_MS = 4_000;

let language = chosenLanguage();
let say = translator(language);
/** @type {any} */
let overview;
/** @type {any} */
let fleet;
/** @type {any} */
let devices;
let search = '';
/** Collector's clock minus the browser's. */
let skewMs = 0;
/** @type {number | undefined} browser's time */
let disconnectedSinceMs;
/** @type {{ site: string, device: string } | undefined} */
let chosen;

const list = new DeviceList(byId('devices'));
const alerts = new Alerts(view);
const detectors = new Detectors(view);
const anomalies = new Anomalies(view, {
  metaOf: (channel) => detail.metaOf(channel),
  fromMs: () => detail.fromMs(),
  onChange: () => detail.draw(),
  onPoint: (id) => detail.point(id),
});
const detail = new Detail(view, anomalies);

function view() {
  return { say, language, nowMs: Date.now() + skewMs, zoneOf };
}

/** @param {string} site */
function zoneOf(site) {
  const known = overview?.sites.find((/** @type {any} */ s) => s.site === site);
  return known?.time_zone ?? 'UTC';
}

function showWords() {
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll('[data-text]'))
    node.textContent = say(/** @type {HTMLElement} */ (node).dataset.text ?? '');
  for (const node of document.querySelectorAll('[data-label]'))
    node.setAttribute('aria-label', say(/** @type {HTMLElement} */ (node).dataset.label ?? ''));
  for (const node of document.querySelectorAll('[data-placeholder]')) {
    const key = /** @type {HTMLElement} */ (node).dataset.placeholder ?? '';
    node.setAttribute('placeholder', say(key));
  }
  for (const button of document.querySelectorAll('[data-language]')) {
    const own = /** @type {HTMLElement} */ (button).dataset.language;
    button.setAttribute('aria-pressed', String(own === language));
  }
  for (const button of document.querySelectorAll('[data-range]')) {
    const range = /** @type {HTMLElement} */ (button).dataset.range ?? '';
    button.textContent = say(range);
    button.setAttribute('aria-pressed', String(range === detail.range));
  }
}

function showAll() {
  showSummary();
  showClock();
  showConnection();
  if (fleet) showFleet(byId('fleet'), fleet.items, overview?.gateways.total ?? 0, view());
  else byId('fleet').replaceChildren(element('p', { class: 'empty' }, say('loading')));
  showDevices();
  showAlerts();
  detail.showNote();
}

function showAlerts() {
  alerts.show();
  anomalies.show();
  detectors.show();
}

function showSummary() {
  if (!overview) return;
  const count = (/** @type {number} */ n) => formatCount(n, language);
  const { gateways, devices: deviceCount } = overview;
  const text = say('summary', {
    online: count(gateways.online),
    gateways: count(gateways.total),
    devices: count(deviceCount),
  });
  setText(byId('summary'), text);
}

function showClock() {
  if (!overview) return;
  const site = chosen?.site ?? overview.sites[0]?.site ?? '';
  const zone = zoneOf(site);
  const nowMs = Date.now() + skewMs;
  const time = timeFormat(language, zone, 'time').format(nowMs);
  setText(byId('clock'), `${time} ${zoneName(zone, nowMs)}`);
}

function showDevices() {
  const note = byId('devices-note');
  if (!devices) {
    setText(note, say('loading'));
    return;
  }
  const { items, total } = devices;
  const count = (/** @type {number} */ n) => formatCount(n, language);
  note.classList.toggle('empty', total === 0);
  if (total > items.length)
    setText(note, say('shown', { shown: count(items.length), total: count(total) }));
  else if (total > 0) setText(note, '');
  else setText(note, search === '' ? say('no_devices') : say('no_match', { search }));
  list.show(items, chosen, view(), alerts.byDevice());
}

function showConnection() {
  const banner = byId('connection');
  document.body.classList.toggle('stale-page', disconnectedSinceMs !== undefined);
  if (disconnectedSinceMs !== undefined) {
    const time = timeFormat(language, zoneOf(overview?.sites[0]?.site ?? ''), 'time');
    setText(
      banner,
      `▲ ${say('disconnected', { time: time.format(disconnectedSinceMs + skewMs) })}`,
    );
    banner.className = 'banner';
    banner.hidden = false;
  } else if (overview?.ready === false) {
    setText(banner, `○ ${say('starting', { reasons: overview.waiting_for.join('; ') })}`);
    banner.className = 'banner calm';
    banner.hidden = false;
  } else if (banner.dataset.leaving !== 'true') {
    banner.hidden = true;
  }
}

/** @param {unknown} error */
function noteFailure(error) {
  // An answer, even a refusal, means that the collector is there.
  if (error instanceof ApiFailure && error.status !== 0 && error.code !== 'UNKNOWN') return;
  if (!(error instanceof ApiFailure)) throw error;
  disconnectedSinceMs ??= Date.now();
  showConnection();
}

function noteSuccess() {
  if (disconnectedSinceMs === undefined) return;
  disconnectedSinceMs = undefined;
  const banner = byId('connection');
  banner.dataset.leaving = 'true';
  setText(banner, say('reconnected'));
  banner.className = 'banner calm';
  banner.hidden = false;
  document.body.classList.remove('stale-page');
  setTimeout(() => {
    delete banner.dataset.leaving;
    showConnection();
  }, CALM_BANNER_MS);
}

async function loadFleet() {
  const [newOverview, newFleet] = await Promise.all([
    ask('/api/v1/overview'),
    ask('/api/v1/gateways', { limit: GATEWAYS_ASKED }),
  ]);
  skewMs = newOverview.now_ms - Date.now();
  overview = newOverview;
  fleet = newFleet;
}

let searches = 0;

async function loadDevices() {
  const current = ++searches;
  const answer = await ask('/api/v1/devices', { limit: DEVICES_SHOWN, search });
  // The chosen one may not be among those shown.
  let own = answer.items.find(isChosen);
  if (chosen && !own) own = (await ask('/api/v1/devices', { ...chosen, limit: 1 })).items[0];
  if (current !== searches) return;
  devices = answer;
  if (own) detail.update(own);
}

/** @param {any} device */
function isChosen(device) {
  return device.site === chosen?.site && device.device === chosen?.device;
}

/**
 * Asks again and again, never twice at once; pauses while nobody looks.
 * @param {() => Promise<void>} load
 * @param {number} everyMs
 */
function repeat(load, everyMs) {
  let timer = 0;
  let busy = false;
  const run = async () => {
    if (busy) return;
    busy = true;
    clearTimeout(timer);
    try {
      if (!document.hidden) {
        await load();
        noteSuccess();
      }
    } catch (error) {
      noteFailure(error);
    } finally {
      busy = false;
      timer = setTimeout(run, everyMs);
    }
    if (!document.hidden) showAll();
  };
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) void run();
  });
  void run();
  return run;
}

function readLocation() {
  const [, kind, site, device] = location.hash.split('/');
  const isDevice = kind === 'device' && site !== undefined && device !== undefined;
  chosen = isDevice
    ? { site: decodeURIComponent(site), device: decodeURIComponent(device) }
    : undefined;
  document.body.dataset.view = chosen ? 'device' : 'list';
  detail.choose(chosen);
  anomalies.choose(chosen);
  alerts.choose(chosen);
  if (overview) showAll();
}

function listen(/** @type {() => void} */ reloadDevices) {
  for (const button of document.querySelectorAll('[data-language]'))
    button.addEventListener('click', () => {
      language = /** @type {any} */ (button).dataset.language;
      say = translator(language);
      rememberLanguage(language);
      showWords();
      showAll();
      alerts.history.show();
      detail.restart();
    });
  const ranges = Object.keys(RANGES).map((range) =>
    element('button', { type: 'button', 'data-range': range }),
  );
  byId('ranges').append(...ranges);
  for (const button of ranges)
    button.addEventListener('click', () => {
      detail.setRange(/** @type {import('./detail.js').Range} */ (button.dataset.range));
      showWords();
    });
  const field = /** @type {HTMLInputElement} */ (byId('search'));
  let timer = 0;
  field.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      search = field.value.trim();
      reloadDevices();
    }, SEARCH_DELAY_MS);
  });
  document.addEventListener('keydown', (event) => {
    const isAsking = document.querySelector('dialog[open]') !== null;
    const typing = isAsking || document.activeElement instanceof HTMLInputElement;
    if (event.key === '/' && !typing) {
      event.preventDefault();
      field.focus();
    } else if (event.key === 'Escape' && chosen && !typing) {
      location.hash = '#/';
    }
  });
  byId('device-silence').addEventListener('click', () => {
    if (chosen) askSilence({ ...chosen, rule: '', title: '' }, view(), () => alerts.lookAgain());
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => detail.recolour());
  addEventListener('hashchange', readLocation);
}

async function loadAlerts() {
  await Promise.all([alerts.load(), anomalies.load(), detectors.load()]);
}

const devicesRun = () => runDevices();
listen(devicesRun);
showWords();
readLocation();
showAll();
void repeat(loadFleet, FLEET_MS);
const runDevices = repeat(loadDevices, DEVICES_MS);
followAlerts({
  onOpen: repeat(loadAlerts, ALERTS_MS),
  onAlert: (alert) => alerts.take(alert),
  onAnomaly: (anomaly) => anomalies.take(anomaly),
});
setInterval(showClock, 1_000);
