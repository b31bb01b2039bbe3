/** What the profile says of detectors, made ready. */

import type { ChannelProfile, DeviceDetection, DeviceProfile } from '../../profile.ts';
import type { ChannelPlan, Detector } from './detector.ts';
import { DETECTORS } from './registry.ts';

export const DETECTION_DEFAULTS: DeviceDetection = {
  enabled: true,
  off: [],
  falseAlarmsPerDay: 0.1,
  trainRows: 400,
};

export interface DetectionPlan {
  enabled: boolean;
  falseAlarmsPerDay: number;
  channelOf(name: string, isBoolean: boolean): ChannelPlan;
}

const plans = new WeakMap<DeviceProfile, DetectionPlan>();

/** The same object for the same profile. */
export function detectionOf(profile: DeviceProfile | undefined): DetectionPlan {
  if (profile === undefined) return UNPROFILED;
  let plan = plans.get(profile);
  if (plan === undefined) {
    plan = planOf(profile);
    plans.set(profile, plan);
  }
  return plan;
}

function planOf(profile: DeviceProfile | undefined): DetectionPlan {
  const device = profile?.detection ?? DETECTION_DEFAULTS;
  const known = new Map<string, ChannelPlan>();
  const others = [false, true].map((isBoolean) => channelPlan(undefined, isBoolean, device));
  for (const [name, channel] of Object.entries(profile?.channels ?? {})) {
    const failure = profile?.failure?.channel === name ? profile.failure.when : undefined;
    known.set(name, channelPlan(channel, channel.type !== 'number', device, failure));
  }
  return {
    enabled: device.enabled,
    falseAlarmsPerDay: device.falseAlarmsPerDay,
    channelOf: (name, isBoolean) => known.get(name) ?? others[isBoolean ? 1 : 0]!,
  };
}

function channelPlan(
  channel: ChannelProfile | undefined,
  isBoolean: boolean,
  device: DeviceDetection,
  failsWhen?: number,
): ChannelPlan {
  const { detection } = channel ?? {};
  const plan = {
    low: detection?.low,
    high: detection?.high,
    hysteresis: detection?.hysteresis ?? 0,
    unit: channel?.unit ?? '',
    title: { en: channel?.title ?? '', ko: channel?.titleKo ?? channel?.title ?? '' },
    isNumber: !isBoolean,
    failsWhen,
    trainRows: device.trainRows,
    falseAlarmsPerDay: device.falseAlarmsPerDay,
    detectors: [] as number[],
  };
  const off = new Set([...device.off, ...(detection?.off ?? [])]);
  const looks = (detector: Detector): boolean => !off.has(detector.name) && detector.applies(plan);
  DETECTORS.forEach((detector, i) => {
    if (looks(detector)) plan.detectors.push(i);
  });
  return plan;
}

const UNPROFILED = planOf(undefined);
