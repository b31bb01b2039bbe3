/** An anomaly in words. */

import type { ReadingAtHand } from './detector.ts';
import type { DeviceState } from './devices.ts';
import { ChannelField, DETECTOR_AT } from './devices.ts';
import type { Said } from './event.ts';
import { NAMED_CHANNELS_MAX, QUIET_SCORE } from './limits.ts';
import { DETECTORS } from './registry.ts';
import type { DetectionPlan } from './settings.ts';
import { timeWords } from './words.ts';

export interface Spoken {
  score: number;
  /** The channel's place, and the detector's in DETECTORS. */
  place: number;
  detector: number;
  timeMs: number;
}

/** `heard`: places of the channels that have a say in it, beside the one that is named. */
export function sayOf(
  device: DeviceState,
  plan: DetectionPlan,
  reading: ReadingAtHand,
  { score, place, detector, timeMs }: Spoken,
  heard: readonly number[],
): Said {
  const { name, explain } = DETECTORS[detector]!;
  const channel = device.channels[place]!;
  const isBoolean = !reading.plan.isNumber;
  const channelPlan = plan.channelOf(channel, isBoolean);
  const at = device.at(place) + DETECTOR_AT[detector]!;
  const explained = explain({ ...reading, plan: channelPlan }, at);
  const { title } = channelPlan;
  const named = (of: string): string =>
    of === '' || of === channel ? channel : `${of} (${channel})`;
  const since = timeWords(device.open?.onsetMs ?? timeMs);
  return {
    device: device.name,
    detector: name,
    channel,
    score,
    value: reading.value,
    expectedLow: finite(explained.expectedLow),
    expectedHigh: finite(explained.expectedHigh),
    reason: {
      en: `${named(title.en)}: ${explained.en}; since ${since}`,
      ko: `${named(title.ko)}: ${explained.ko}, ${since}부터`,
    },
    channels: [
      { channel, detector: name, score },
      ...othersOf(
        device,
        plan,
        heard.filter((other) => other !== place),
      ),
    ].slice(0, NAMED_CHANNELS_MAX),
  };
}

/** The loudest detector of each channel that is not quiet; the loudest channel first. */
function othersOf(
  device: DeviceState,
  plan: DetectionPlan,
  places: readonly number[],
): Said['channels'] {
  return places
    .map((place) => {
      const scores = device.at(place) + ChannelField.SCORES;
      const channel = device.channels[place]!;
      let best = { channel, detector: '', score: 0 };
      for (const d of plan.channelOf(channel, false).detectors) {
        const score = device.slab[scores + d]!;
        if (score > best.score) best = { channel, detector: DETECTORS[d]!.name, score };
      }
      return best;
    })
    .filter(({ score }) => score >= QUIET_SCORE)
    .sort((a, b) => b.score - a.score);
}

function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}
