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
import type { Speaker } from '../words/say.ts';
import { english } from '../words/say.ts';

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
export function runCheck(
  { path, options }: BufferPlace,
  print: (text: string) => void,
  speaker: Speaker = english,
): void {
  for (const warning of options.keys?.warnings ?? []) print(`${speaker.retell(warning)}\n`);
  const check = checkBuffer(path, options);
  print(renderCheck(check, speaker));
  if (!check.ok) {
    const found = { path: check.path, count: check.problems.length };
    throw new AgentError('AGENT_BUFFER_DAMAGED', speaker.say('{path}: {count} problems', found));
  }
}

function renderCheck(check: BufferCheck, { say, retell }: Speaker): string {
  const { path, readings, chunks, fileBytes: file_bytes, walBytes: wal_bytes } = check;
  const lines = [
    check.ok ? say('{path}: nothing is wrong', { path }) : say('{path}: DAMAGED', { path }),
    `  ${say('{readings} readings in {chunks} chunks; file {file_bytes} bytes, write-ahead log {wal_bytes} bytes', { readings, chunks, file_bytes, wal_bytes })}`,
  ];
  for (const { key, chunks } of check.keys) {
    if (key !== 'none') {
      lines.push(`  ${say('{chunks} chunks encrypted with key {key}', { chunks, key })}`);
    } else if (check.keys.length > 1) {
      lines.push(`  ${say('{chunks} chunks without encryption', { chunks })}`);
    }
  }
  for (const problem of check.problems) {
    lines.push(`  ${say('problem: {problem}', { problem: retell(problem) })}`);
  }
  for (const { epoch, lastSeq: last, chunks, readings, firstMs, lastMs } of check.epochs) {
    const span =
      chunks === 0
        ? say('nothing left')
        : say('{first} to {last}', { first: iso(firstMs), last: iso(lastMs) });
    lines.push(
      `  ${say('epoch {epoch}: numbered to {last}; {readings} readings wait, {span}', { epoch, last, readings, span })}`,
    );
  }
  for (const { epoch, firstSeq: first, lastSeq: last, reason } of check.gaps) {
    const gap = { epoch, first, last, reason: say(reason) };
    lines.push(`  ${say('gap to be declared: epoch {epoch}, {first} to {last}, {reason}', gap)}`);
  }
  return `${lines.join('\n')}\n`;
}

function iso(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString();
}

/** Moves what can be read into a new file and says where the old one is. */
export function runRepair(
  { path, options }: BufferPlace,
  print: (text: string) => void,
  { say }: Speaker = english,
): void {
  const { readings, chunks, gaps, setAside: old, incomplete } = repairBuffer(path, options);
  const saved = { path, readings, chunks, gaps };
  const text =
    old === ''
      ? say(
          '{path}: saved {readings} readings in {chunks} chunks, {gaps} gaps are declared; the old file was too large to keep',
          saved,
        )
      : say(
          '{path}: saved {readings} readings in {chunks} chunks, {gaps} gaps are declared; the old file is {old}',
          { ...saved, old },
        );
  print(`${text}\n`);
  if (incomplete) {
    const detail = say('the disk had no room for all that could be read');
    throw new AgentError('AGENT_BUFFER_UNUSABLE', detail);
  }
}

/** Writes every reading to `output`, and a summary with `print`. */
export async function runExport(
  { path, options }: BufferPlace,
  format: 'jsonl' | 'csv',
  output: Writable,
  print: (text: string) => void,
  { say }: Speaker = english,
): Promise<void> {
  const write = async (text: string): Promise<void> => {
    if (!output.write(text)) await once(output, 'drain');
  };
  const { readings, rejects, badChunks } = await exportBuffer(path, format, write, options);
  const summary =
    badChunks === 0
      ? say('{readings} readings, {rejects} rejects', { readings, rejects })
      : say('{readings} readings, {rejects} rejects; {chunks} damaged chunks were left out', {
          readings,
          rejects,
          chunks: badChunks,
        });
  print(`${summary}\n`);
}
