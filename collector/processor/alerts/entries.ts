/** From changes in the lives of alerts to what is put out of them. */

import { compareSeverity } from '../../alert.ts';
import type { AlertSeverity } from '../../profile.ts';
import { idOf } from '../ids.ts';
import type { AlertEntry } from '../outputs/alert.ts';
import type { AlertContext } from './context.ts';
import type { Words } from './duration.ts';
import type { LifeChange } from './life.ts';
import { OpenAlerts } from './open.ts';
import { silenceOf } from './silenced.ts';
import type { Shown } from './words.ts';

/** Whose alert it is. */
export interface Subject {
  /** '': the gateway itself. */
  device: string;
  area: string;
  line: string;
  rule: { name: string; title: string; titleKo: string };
}

/** How it stands after a look. */
export interface Standing {
  change: LifeChange;
  /** Of the level at which it is now, or was last. */
  severity: AlertSeverity;
  /** Since when it holds. */
  startedMs: number;
  /** Name of the gateway's rule whose alert stands for this one while it holds; ''. */
  inhibitor: string;
  /** What there is to say; asked only when it is put out. `startedMs`: of the alert. */
  say(startedMs: number): { summary: Words; values: Record<string, Shown> };
}

export class AlertEntries {
  readonly open = new OpenAlerts();
  /** How often a device's alert could not be opened for want of room, and when last. */
  refused = 0;
  refusedMs = 0;
  /** What was put out since it was taken last. */
  #out: AlertEntry[] = [];

  take(): AlertEntry[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }

  /** False: there is no room for it. */
  turn(subject: Subject, standing: Standing, context: AlertContext): boolean {
    const entry = this.open.find(subject.device, subject.rule.name);
    switch (standing.change) {
      case 'fired':
        return this.#fire(subject, standing, entry, context);
      case 'changed':
        if (entry !== undefined) this.#move(entry, standing, context);
        return true;
      case 'dropped':
      case 'resolved':
        if (entry !== undefined) this.#resolve(entry, standing, context);
        return true;
      default:
        return true;
    }
  }

  /** It is pending, and has been for long enough to be worth a word. */
  tellPending(subject: Subject, standing: Standing, context: AlertContext): void {
    if (subject.device !== '' && !this.open.hasRoom(standing.severity)) return;
    this.#put(this.#anew(subject, standing, context), context);
  }

  /** Nothing can be said of it any more. */
  end(entry: AlertEntry, resolvedBy: 'no_device' | 'rule_removed', context: AlertContext): void {
    this.#next(entry, { state: 'resolved', resolvedMs: context.nowMs, resolvedBy }, context);
  }

  /** What stood for it is over, and it still holds. */
  release(entry: AlertEntry, standing: Standing, context: AlertContext): void {
    this.#next(entry, { inhibitedBy: '', ...said(standing, entry.startedMs) }, context);
  }

  acknowledge(
    entry: AlertEntry,
    by: { by: string; note: string },
    context: AlertContext,
  ): AlertEntry {
    const acknowledged: Partial<AlertEntry> = {
      state: 'acknowledged',
      acknowledgedMs: context.nowMs,
      acknowledgedBy: by.by,
      acknowledgedNote: by.note,
    };
    this.#next(entry, acknowledged, context);
    return this.#out.pop()!;
  }

  /** Puts out those whose silence began or ended. */
  stand(context: AlertContext): void {
    for (const entry of this.open.sorted())
      if (silenceFor(entry, context) !== entry.silence) this.#next(entry, {}, context);
  }

  #fire(
    subject: Subject,
    standing: Standing,
    pending: AlertEntry | undefined,
    context: AlertContext,
  ): boolean {
    const fired: Partial<AlertEntry> = {
      state: 'firing',
      firedMs: context.nowMs,
      inhibitedBy: standing.inhibitor,
    };
    if (pending !== undefined) {
      const { severity } = standing;
      this.#next(pending, { ...fired, severity, ...said(standing, pending.startedMs) }, context);
      return true;
    }
    if (subject.device !== '' && !this.open.hasRoom(standing.severity)) {
      this.refused++;
      this.refusedMs = context.nowMs;
      return false;
    }
    this.#put({ ...this.#anew(subject, standing, context), ...fired }, context);
    return true;
  }

  /** What got worse is news to those who have seen it. */
  #move(entry: AlertEntry, standing: Standing, context: AlertContext): void {
    const { severity } = standing;
    const isWorse = compareSeverity(severity, entry.severity) > 0;
    const state = isWorse ? 'firing' : entry.state;
    this.#next(entry, { severity, state, ...said(standing, entry.startedMs) }, context);
  }

  #resolve(entry: AlertEntry, standing: Standing, context: AlertContext): void {
    const resolved: Partial<AlertEntry> = {
      state: 'resolved',
      resolvedMs: context.nowMs,
      resolvedBy: 'cleared',
    };
    this.#next(entry, { ...resolved, ...said(standing, entry.startedMs) }, context);
  }

  #anew(subject: Subject, standing: Standing, context: AlertContext): AlertEntry {
    const { device, area, line, rule } = subject;
    const { severity, startedMs } = standing;
    const { site, gateway, nowMs } = context;
    const { summary, summaryKo, values } = said(standing, startedMs);
    return {
      // Log time too: a device whose clock was set back lives through a time twice.
      id: idOf(site, gateway, device, rule.name, startedMs, nowMs),
      site,
      gateway,
      device,
      area,
      line,
      rule: rule.name,
      severity,
      state: 'pending',
      title: rule.title,
      titleKo: rule.titleKo,
      summary,
      summaryKo,
      values,
      startedMs,
      firedMs: 0,
      acknowledgedMs: 0,
      acknowledgedBy: '',
      acknowledgedNote: '',
      resolvedMs: 0,
      resolvedBy: '',
      silence: '',
      inhibitedBy: '',
      version: 0,
      receivedMs: 0,
      updatedMs: 0,
    };
  }

  #next(entry: AlertEntry, more: Partial<AlertEntry>, context: AlertContext): void {
    this.#put({ ...entry, ...more }, context);
  }

  #put(entry: AlertEntry, context: AlertContext): void {
    const put: AlertEntry = {
      ...entry,
      silence: silenceFor(entry, context),
      version: entry.version + 1,
      receivedMs: context.receivedMs,
      updatedMs: context.nowMs,
    };
    this.open.put(put);
    this.#out.push(put);
  }
}

type Said = Pick<AlertEntry, 'summary' | 'summaryKo' | 'values'>;

function said(standing: Standing, startedMs: number): Said {
  const { summary, values } = standing.say(startedMs);
  return { summary: summary.en, summaryKo: summary.ko, values };
}

function silenceFor(entry: AlertEntry, { silences, nowMs }: AlertContext): string {
  return silences.length === 0 ? '' : (silenceOf(silences, entry, nowMs)?.id ?? '');
}
