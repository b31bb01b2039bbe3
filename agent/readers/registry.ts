/** All kinds of readers. Adding one: a folder beside this file, a line here, a run of the contract suite. */

import { commandReader } from './command/reader.ts';
import { httpReader } from './http/reader.ts';
import { modbusReader } from './modbus/reader.ts';
import type { ReaderType } from './spec.ts';

export const readers = {
  http: httpReader,
  modbus: modbusReader,
  command: commandReader,
} as const satisfies Record<string, ReaderType>;

export type ReaderName = keyof typeof readers;

export function isReaderName(name: string): name is ReaderName {
  return Object.hasOwn(readers, name);
}
