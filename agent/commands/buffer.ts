/** `fms-agent buffer check | repair | export`: what they print. The work is in buffer/tools.ts. */

import { once } from 'node:events';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { BUFFER_FILE } from '../agent.ts';
import { readBufferKeys } from '../buffer/keys.ts';
import type { BufferCheck, ToolOptions } from '../buffer/tools.ts';
import { checkBuffer, exportBuffer, repairBuffer } from '../buffer/tools.ts';
import type { AgentConfig } from '../config/values.ts';
import { AgentError } from '../errors.ts';

/** The buffer that the configuration means, and what opens it. */
export interface BufferPlace {
  path: string;
  options: ToolOptions;
}

/**
 * `keyFile`: in place of what the configuration says, for the service's credential is not there when a
 * person calls the command. Throws AGENT_BUFFER_KEY_*.
 */
export function placeOf(
  { dataDir, buffer }: Pick<AgentConfig, 'dataDir' | 'buffer'>,
  { keyFile, credentialsDir }: { keyFile: string | undefined; credentialsDir: string | undefined },
): BufferPlace {
  const source = { ...buffer, keyFile: keyFile ?? buffer.keyFile, credentialsDir };
  const keys = readBufferKeys(source);
  return { path: join(dataDir, BUFFER_FILE), options: { keys, acceptPlain: buffer.acceptPlain } };
}

/** Prints what is in the buffer. Throws AGENT_BUFFER_DAMAGED when something is wrong with it. */
export function runCheck({ path, options }: BufferPlace, print: (text: string) => void): void {
  for (const warning of options.keys?.warnings ?? []) print(`${warning}\n`);
  const check = checkBuffer(path, options);
  print(renderCheck(check));
  if (!check.ok) {
    throw new AgentError(
      'AGENT_BUFFER_DAMAGED',
      `${check.path}: ${check.problems.length} problems`,
    );
  }
}

function renderCheck(check: BufferCheck): string {
  const lines = [
    `${check.path}: ${check.ok ? 'nothing is wrong' : 'DAMAGED'}`,
    `  ${check.readings} readings in ${check.chunks} chunks; file ${check.fileBytes} bytes, write-ahead log ${check.walBytes} bytes`,
  ];
  for (const { key, chunks } of check.keys) {
    const how = key === 'none' ? 'without encryption' : `encrypted with key ${key}`;
    if (key !== 'none' || check.keys.length > 1) lines.push(`  ${chunks} chunks ${how}`);
  }
  for (const problem of check.problems) lines.push(`  problem: ${problem}`);
  for (const { epoch, lastSeq, chunks, readings, firstMs, lastMs } of check.epochs) {
    const span = chunks === 0 ? 'nothing left' : `${iso(firstMs)} to ${iso(lastMs)}`;
    lines.push(`  epoch ${epoch}: numbered to ${lastSeq}; ${readings} readings wait, ${span}`);
  }
  for (const { epoch, firstSeq, lastSeq, reason } of check.gaps) {
    lines.push(`  gap to be declared: epoch ${epoch}, ${firstSeq} to ${lastSeq}, ${reason}`);
  }
  return `${lines.join('\n')}\n`;
}

function iso(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString();
}

/** Moves what can be read into a new file and says where the old one is. */
export function runRepair({ path, options }: BufferPlace, print: (text: string) => void): void {
  const report = repairBuffer(path, options);
  const aside =
    report.setAside === ''
      ? 'the old file was too large to keep'
      : `the old file is ${report.setAside}`;
  print(
    `${path}: saved ${report.readings} readings in ${report.chunks} chunks, ${report.gaps} gaps are declared; ${aside}\n`,
  );
  if (report.incomplete) {
    throw new AgentError(
      'AGENT_BUFFER_UNUSABLE',
      'the disk had no room for all that could be read',
    );
  }
}

/** Writes every reading to `output`, and a summary with `print`. */
export async function runExport(
  { path, options }: BufferPlace,
  format: 'jsonl' | 'csv',
  output: Writable,
  print: (text: string) => void,
): Promise<void> {
  const write = async (text: string): Promise<void> => {
    if (!output.write(text)) await once(output, 'drain');
  };
  const result = await exportBuffer(path, format, write, options);
  print(
    `${result.readings} readings, ${result.rejects} rejects${result.badChunks === 0 ? '' : `; ${result.badChunks} damaged chunks were left out`}\n`,
  );
}
