/** The begin of a payload as people can read it. Pure. */

/** Bytes in one line of the dump. */
const LINE_BYTES = 16;
/** The collector keeps 1 KiB; more is not shown. */
const BYTES_MAX = 4_096;

export interface HexLine {
  /** Four hex digits. */
  offset: string;
  hex: string;
  /** A dot for what cannot be printed in ASCII. */
  ascii: string;
}

/** Throws nothing: what is no base64 is no bytes. */
export function bytesOf(base64: string): Uint8Array {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}

export function hexLines(bytes: Uint8Array): HexLine[] {
  const lines: HexLine[] = [];
  const end = Math.min(bytes.length, BYTES_MAX);
  for (let at = 0; at < end; at += LINE_BYTES) {
    const line = [...bytes.subarray(at, Math.min(at + LINE_BYTES, end))];
    const hex = line.map((byte) => byte.toString(16).padStart(2, '0'));
    const halves = [hex.slice(0, 8).join(' '), hex.slice(8).join(' ')];
    lines.push({
      offset: at.toString(16).padStart(4, '0'),
      hex: halves.join('  ').padEnd(LINE_BYTES * 3),
      ascii: line
        .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'))
        .join(''),
    });
  }
  return lines;
}

/** Most of it can be read as text. */
export function isText(text: string): boolean {
  if (text === '') return false;
  const unreadable = [...text].filter((character) => character === '\uFFFD').length;
  return unreadable * 10 < text.length;
}

/** Of the reason `rule`: the code of the finding; '' of the others. */
export function findingOf({ reason, detail }: { reason: string; detail: string }): string {
  return reason === 'rule' ? (/^([a-z_]+)/.exec(detail)?.[1] ?? '') : '';
}
