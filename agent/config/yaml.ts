/** YAML files that know where each of their keys and values stands. */

import type { Document, Node } from 'yaml';
import { isAlias, isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Speaker } from '../words/say.ts';
import { english } from '../words/say.ts';

/** A mistake in the configuration, for people. Lines and columns count from 1. */
export interface ConfigMistake {
  /** A file, or the environment variable that it came from. */
  file: string;
  line: number | undefined;
  column: number | undefined;
  message: string;
  /** A file that could not be read, as against one that says something wrong. */
  isUnreadable?: boolean;
}

/** Keys and list indexes from the top of the file. */
export type ConfigPath = readonly (string | number)[];

export interface SourceFile {
  path: string;
  /** Plain data; undefined when the file is not YAML. */
  data: unknown;
  mistakes: ConfigMistake[];
  /** Where the value at `path` stands, or the nearest thing above it that exists. */
  valueAt(path: ConfigPath): { line: number; column: number };
  /** Where its key stands. */
  keyAt(path: ConfigPath): { line: number; column: number };
}

const START = { line: 1, column: 1 };

/** Reads YAML text. Never throws; what is not YAML is in `mistakes`. */
export function parseSource(path: string, text: string, speaker: Speaker = english): SourceFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false });
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const notYaml = (error: unknown): string => {
    const message = error instanceof Error ? lowerFirst(error.message) : String(error);
    return speaker.say('not YAML: {message}', { message: speaker.retell(message) });
  };
  const mistakes = document.errors.map((error) => ({
    file: path,
    ...position(error.pos[0]),
    message: notYaml(error),
  }));
  let data: unknown;
  if (mistakes.length === 0) {
    try {
      // Hundreds of devices may share an anchor; the file belongs to the machine's administrator.
      data = document.toJS({ maxAliasCount: 1_000_000 });
    } catch (error) {
      mistakes.push({ file: path, ...START, message: notYaml(error) });
    }
  }
  const at = (range: Node['range']) => (range == null ? START : position(range[0]));
  return {
    path,
    data,
    mistakes,
    valueAt: (keys) => at(find(document, keys).value),
    keyAt: (keys) => at(find(document, keys).key),
  };
}

interface Found {
  key: Node['range'];
  value: Node['range'];
}

/** The ranges of key and value at a path; of its nearest parent where the path ends early. */
function find(document: Document, keys: ConfigPath): Found {
  let node: unknown = document.contents;
  let found: Found = rangesOf(node, node);
  for (const key of keys) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
      );
      if (pair === undefined) return found;
      found = rangesOf(pair.key, pair.value);
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(key)];
      if (item === undefined) return found;
      found = rangesOf(item, item);
      node = item;
    } else {
      return found;
    }
  }
  return found;
}

function rangesOf(key: unknown, value: unknown): Found {
  const keyRange = isNode(key) ? key.range : undefined;
  const valueRange = isNode(value) ? value.range : undefined;
  // An empty value has a range after its key that may lie on another line.
  const isEmpty = valueRange == null || valueRange[0] === valueRange[1];
  return { key: keyRange, value: isEmpty ? keyRange : valueRange };
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
