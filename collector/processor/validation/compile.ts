/** A Configuration made ready for judging: which device has which profile, looked up once. */

import type { ExpressionValues } from '../../expressions.ts';
import { compileExpression } from '../../expressions.ts';
import type { Configuration, DeviceProfile } from '../../profile.ts';
import type { CompiledChannel } from './channel.ts';
import { compileChannel } from './channel.ts';
import { matchesGlob } from './glob.ts';
import { PolicyRank } from './policies.ts';
import { RULES } from './registry.ts';
import type { Rule } from './rule.ts';

/** Devices whose place is remembered; beyond it all are looked up anew. */
const PLACES_MAX = 65_536;

/** A channel and the rules that have something to say of it. */
export interface ChannelPlan {
  channel: CompiledChannel;
  rules: readonly Rule[];
}

/** A rule over several channels. */
export interface JoinPlan {
  name: string;
  message: string;
  channels: readonly string[];
  agrees(values: ExpressionValues): boolean;
  policy: PolicyRank;
}

/** What is expected of the devices of one profile, or of those without. */
export interface DevicePlan {
  channels: ReadonlyMap<string, ChannelPlan>;
  /** For channels that the profile does not name. */
  others: ChannelPlan;
  joins: readonly JoinPlan[];
}

/** Where a device stands and what is expected of it. */
export interface DevicePlace {
  /** '' when no assignment names it. */
  area: string;
  line: string;
  /** Undefined: unprofiled. */
  profile: DeviceProfile | undefined;
  plan: DevicePlan;
}

interface Profiled {
  profile: DeviceProfile | undefined;
  plan: DevicePlan;
}

export class CompiledConfiguration {
  readonly configuration: Configuration;
  /** By name, in the order of the names: which of several matches holds must not depend on a file's order. */
  readonly #profiles: ReadonlyMap<string, Profiled>;
  readonly #unprofiled: Profiled;
  readonly #places = new Map<string, Map<string, DevicePlace>>();
  #placeCount = 0;

  constructor(configuration: Configuration) {
    this.configuration = configuration;
    const profiled = (profile: DeviceProfile | undefined): Profiled => ({
      profile,
      plan: planOf(configuration, profile),
    });
    this.#unprofiled = profiled(undefined);
    this.#profiles = new Map(
      Object.entries(configuration.profiles)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, profile]) => [name, profiled(profile)]),
    );
  }

  /** What is expected of devices without a profile. */
  get unprofiled(): DevicePlan {
    return this.#unprofiled.plan;
  }

  /** The same object for the same device, as a rule; do not change it. */
  placeOf(site: string, device: string): DevicePlace {
    const known = this.#places.get(site)?.get(device);
    if (known !== undefined) return known;
    if (this.#placeCount >= PLACES_MAX) {
      this.#places.clear();
      this.#placeCount = 0;
    }
    let devices = this.#places.get(site);
    if (devices === undefined) {
      devices = new Map();
      this.#places.set(site, devices);
    }
    const place = this.#find(site, device);
    devices.set(device, place);
    this.#placeCount++;
    return place;
  }

  /**
   * The first assignment that matches holds; where it names no profile, the profiles' own match does.
   * One that names an unknown profile leaves the device unprofiled.
   */
  #find(site: string, device: string): DevicePlace {
    const matches = (globs: { site: string; device: string }): boolean =>
      matchesGlob(globs.site, site) && matchesGlob(globs.device, device);
    const assignment = this.configuration.assignments.find(matches);
    const name = assignment?.profile ?? '';
    const found =
      name === ''
        ? [...this.#profiles.values()].find(({ profile }) => profile?.match.some(matches))
        : this.#profiles.get(name);
    return {
      area: assignment?.area ?? '',
      line: assignment?.line ?? '',
      ...(found ?? this.#unprofiled),
    };
  }
}

/** Takes a checked configuration. */
export function compile(configuration: Configuration): CompiledConfiguration {
  return new CompiledConfiguration(configuration);
}

function planOf(configuration: Configuration, profile: DeviceProfile | undefined): DevicePlan {
  const planFor = (channel: CompiledChannel): ChannelPlan => ({
    channel,
    rules: RULES.filter((rule) => rule.applies(channel)),
  });
  return {
    channels: new Map(
      Object.entries(profile?.channels ?? {}).map(([name, channel]) => [
        name,
        planFor(compileChannel(configuration, profile, channel)),
      ]),
    ),
    others: planFor(compileChannel(configuration, profile, undefined)),
    joins: (profile?.rules ?? []).flatMap(({ name, message, expect, policy }) => {
      const compiled = compileExpression(expect);
      if (!compiled.ok) return [];
      const { channels, evaluate } = compiled;
      return [{ name, message, channels, agrees: evaluate, policy: PolicyRank[policy] }];
    }),
  };
}
