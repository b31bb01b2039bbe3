/** Joins channels into few requests. Pure. */

import type { FunctionCode, ModbusChannel, ModbusOptions } from './options.ts';
import { isBits } from './options.ts';

/** One request and the channels that its answer holds. */
export interface Block {
  function: FunctionCode;
  address: number;
  count: number;
  channels: ModbusChannel[];
}

export type PlanLimits = Pick<ModbusOptions, 'maxRegisters' | 'maxBits' | 'maxGap' | 'maxGapBits'>;

/** What a device taught us by its exceptions. */
export interface PlanLessons {
  /** Functions whose address space has holes that must not be read over. */
  withoutGaps: ReadonlySet<FunctionCode>;
  /** Channels that the device refuses: each is asked alone, so that it costs no neighbour. */
  alone: ReadonlySet<string>;
}

/**
 * Blocks in the order of function and address, each channel in exactly one. A block never exceeds the
 * limits unless a single channel does.
 */
export function planBlocks(
  channels: readonly ModbusChannel[],
  limits: PlanLimits,
  lessons: PlanLessons,
): Block[] {
  const sorted = [...channels].sort((a, b) => a.function - b.function || a.address - b.address);
  const blocks: Block[] = [];
  let open: Block | undefined;
  for (const channel of sorted) {
    if (lessons.alone.has(channel.name)) {
      blocks.push(blockOf(channel));
    } else if (open !== undefined && fits(open, channel, limits, lessons)) {
      open.count = Math.max(open.count, channel.address + channel.count - open.address);
      open.channels.push(channel);
    } else {
      open = blockOf(channel);
      blocks.push(open);
    }
  }
  return blocks;
}

export function blockOf(channel: ModbusChannel): Block {
  const { function: code, address, count } = channel;
  return { function: code, address, count, channels: [channel] };
}

function fits(
  block: Block,
  channel: ModbusChannel,
  limits: PlanLimits,
  { withoutGaps }: PlanLessons,
): boolean {
  if (block.function !== channel.function) return false;
  const bits = isBits(block.function);
  const gap = channel.address - (block.address + block.count);
  const gapMax = withoutGaps.has(block.function) ? 0 : bits ? limits.maxGapBits : limits.maxGap;
  const count = channel.address + channel.count - block.address;
  return gap <= gapMax && count <= (bits ? limits.maxBits : limits.maxRegisters);
}
