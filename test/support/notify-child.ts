/**
 * Notifiers in a process of their own, to be killed: `node notify-child.ts LOG URL…`, one webhook each. Takes
 * alerts over IPC, answers each when it is in the log, and says of how many it is kept that the first webhook
 * was told.
 */

import { NotifyPart } from '../../collector/parts/notify.ts';
import type { AlertEntry } from '../../collector/processor/outputs/alert.ts';
import { wholeShare } from '../../collector/shares.ts';
import { appendAlert } from './alerts.ts';
import { notifyConfig, openNotifyLog, webhook } from './notify-scene.ts';
import { silentLogger } from './silent-logger.ts';

interface Kept {
  alerts: { receivers: Record<string, { told?: object }> }[];
}

export type FromChild = { appended: string } | { told: number };

const [path = '', ...urls] = process.argv.slice(2);
const log = await openNotifyLog(path);
const part = new NotifyPart({
  config: {
    notify: notifyConfig(urls.map((url, i) => webhook(`receiver${i}`, url))),
    sites: new Map(),
  },
  log,
  control: undefined,
  share: wholeShare(1),
  isWell: () => true,
  clock: { wallMs: () => Date.now() },
  logger: silentLogger,
  backoffMinMs: 50,
});
part.start();
await log.control.follow((key, value) => {
  if (!key.startsWith('notify/alerts/') || value === undefined) return;
  const { alerts } = JSON.parse(Buffer.from(value).toString('utf8')) as Kept;
  const told = alerts.filter(({ receivers }) => receivers.receiver0?.told !== undefined).length;
  process.send?.({ told } satisfies FromChild);
}, new AbortController().signal);
process.on('message', (alert: Partial<AlertEntry>) => {
  void appendAlert(log, alert).then(({ id }) =>
    process.send?.({ appended: id } satisfies FromChild),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ told: 0 } satisfies FromChild);
