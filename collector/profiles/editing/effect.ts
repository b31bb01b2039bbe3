/** What another configuration would change: profile by profile, and device by device. Pure. */

import { compile } from '../../processor/validation/compile.ts';
import type { Configuration } from '../../profile.ts';
import type { Written } from './written.ts';
import { writtenAssignment, writtenProfile } from './written.ts';

export type Deed = 'added' | 'removed' | 'changed';

export interface ProfileChange {
  /** '' : the assignments of devices.yaml. */
  profile: string;
  deed: Deed;
  /** Keys as the file has them: ['channels', 'sensor1', 'max']; []: the whole. */
  path: string[];
  /** Null: it is not there. */
  before: Written;
  after: Written;
}

export interface DeviceName {
  site: string;
  device: string;
}

export interface DeviceMove extends DeviceName {
  /** Profile; '' : unprofiled. */
  before: string;
  after: string;
  /** Area and line, where they change. */
  place_before: string;
  place_after: string;
}

export interface Effect {
  version_before: string;
  version_after: string;
  /** At most CHANGES_MAX. */
  changes: ProfileChange[];
  changes_left_out: number;
  devices: {
    known: number;
    /** Whose profile, area or line would be another. */
    moved: number;
    /** Whose profile stays, and is changed. */
    judged_anew: number;
    /** At most MOVES_MAX. */
    items: DeviceMove[];
    /** How many of the known devices have each profile, and the first NAMED_MAX of those that have it now. */
    profiles: { profile: string; before: number; after: number; named: DeviceName[] }[];
  };
}

export const CHANGES_MAX = 500;
export const MOVES_MAX = 200;
export const NAMED_MAX = 50;

/** `devices`: those that are known. */
export function effectOf(
  before: Configuration,
  after: Configuration,
  devices: readonly DeviceName[],
): Effect {
  const changes = [...profileChanges(before, after), ...assignmentChanges(before, after)];
  return {
    version_before: before.version,
    version_after: after.version,
    changes: changes.slice(0, CHANGES_MAX),
    changes_left_out: Math.max(0, changes.length - CHANGES_MAX),
    devices: devicesOf(before, after, devices, new Set(changes.map(({ profile }) => profile))),
  };
}

function profileChanges(before: Configuration, after: Configuration): ProfileChange[] {
  const names = namesOf(before.profiles, after.profiles);
  return names.flatMap((profile) => {
    const was = before.profiles[profile];
    const is = after.profiles[profile];
    const changes: ProfileChange[] = [];
    compare(
      was === undefined ? undefined : writtenProfile(was),
      is === undefined ? undefined : writtenProfile(is),
      [],
      ({ path, ...change }) => changes.push({ profile, path, ...change }),
    );
    return changes;
  });
}

type Found = Omit<ProfileChange, 'profile'>;

/** One that is there on one side only is one change, with all that is in it. */
function compare(
  before: Written | undefined,
  after: Written | undefined,
  path: string[],
  tell: (change: Found) => void,
): void {
  if (before === undefined && after === undefined) return;
  if (before === undefined || after === undefined) {
    const deed = before === undefined ? 'added' : 'removed';
    tell({ deed, path, before: before ?? null, after: after ?? null });
  } else if (isObject(before) && isObject(after)) {
    for (const key of namesOf(before, after))
      compare(ownOf(before, key), ownOf(after, key), [...path, key], tell);
  } else if (JSON.stringify(before) !== JSON.stringify(after)) {
    tell({ deed: 'changed', path, before, after });
  }
}

/** Their order means something: the first that matches a device holds. */
function assignmentChanges(before: Configuration, after: Configuration): ProfileChange[] {
  const was = before.assignments.map((one) => JSON.stringify(writtenAssignment(one)));
  const is = after.assignments.map((one) => JSON.stringify(writtenAssignment(one)));
  const wasThere = new Set(was);
  const isThere = new Set(is);
  const change = (deed: Deed, from: string, to: string): ProfileChange => ({
    profile: '',
    deed,
    path: [],
    before: JSON.parse(from) as Written,
    after: JSON.parse(to) as Written,
  });
  const changes = [
    ...was.filter((one) => !isThere.has(one)).map((one) => change('removed', one, 'null')),
    ...is.filter((one) => !wasThere.has(one)).map((one) => change('added', 'null', one)),
  ];
  const order = (of: string[], inBoth: Set<string>): string =>
    of.filter((one) => inBoth.has(one)).join('\n');
  if (order(was, isThere) !== order(is, wasThere))
    changes.push({ profile: '', deed: 'changed', path: ['order'], before: null, after: null });
  return changes;
}

function devicesOf(
  before: Configuration,
  after: Configuration,
  devices: readonly DeviceName[],
  changed: ReadonlySet<string>,
): Effect['devices'] {
  const was = compile(before);
  const is = compile(after);
  const counts = new Map<string, { before: number; after: number; named: DeviceName[] }>();
  const count = (profile: string, side: 'before' | 'after', name: DeviceName): void => {
    const known = counts.get(profile) ?? { before: 0, after: 0, named: [] };
    known[side]++;
    if (side === 'before' && known.named.length < NAMED_MAX) known.named.push(name);
    counts.set(profile, known);
  };
  const moves: DeviceMove[] = [];
  let moved = 0;
  let judgedAnew = 0;
  for (const { site, device } of devices) {
    const from = was.placeOf(site, device);
    const to = is.placeOf(site, device);
    const move: DeviceMove = {
      site,
      device,
      before: from.profile?.name ?? '',
      after: to.profile?.name ?? '',
      place_before: placeText(from),
      place_after: placeText(to),
    };
    count(move.before, 'before', { site, device });
    count(move.after, 'after', { site, device });
    if (move.before !== move.after || move.place_before !== move.place_after) {
      moved++;
      if (moves.length < MOVES_MAX) moves.push(move);
    } else if (move.after !== '' && changed.has(move.after)) {
      judgedAnew++;
    }
  }
  const profiles = [...counts]
    .map(([profile, both]) => ({ profile, ...both }))
    .sort((a, b) => (a.profile < b.profile ? -1 : 1));
  return { known: devices.length, moved, judged_anew: judgedAnew, items: moves, profiles };
}

function placeText({ area, line }: { area: string; line: string }): string {
  return [area, line].filter((one) => one !== '').join(' / ');
}

function isObject(value: Written): value is { readonly [key: string]: Written } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Channels may be called like anything that an object inherits. */
function ownOf(of: { readonly [key: string]: Written }, key: string): Written | undefined {
  return Object.hasOwn(of, key) ? of[key] : undefined;
}

function namesOf(a: object, b: object): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
}
