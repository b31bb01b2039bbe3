/** Texts for people, with names in braces for what they tell of: `{count} readings wait`. */

/** The names in a text. */
export type NamesIn<T extends string> = T extends `${string}{${infer Name}}${infer Rest}`
  ? Name | NamesIn<Rest>
  : never;

export type Values = Readonly<Record<string, string | number>>;

/** What a text needs beside itself: nothing, or a value for each of its names. */
export type ValuesOf<T extends string> = [NamesIn<T>] extends [never]
  ? []
  : [values: Readonly<Record<NamesIn<T>, string | number>>];

type Checked<T extends Values> = {
  readonly [English in keyof T & string]: [NamesIn<English>, NamesIn<T[English] & string>] extends [
    NamesIn<T[English] & string>,
    NamesIn<English>,
  ]
    ? string
    : { 'the English text has the names': NamesIn<English> };
};

/** By their English texts, translations with the same names. What has others does not compile. */
export function translations<const T extends Readonly<Record<string, string>>>(
  texts: T & Checked<T>,
): T {
  return texts;
}

/** The text with its values; a name without one stays as it stands. */
export function fill(text: string, values: Values = {}): string {
  return text.replaceAll(/\{(\w+)\}/g, (name, key: string) => String(values[key] ?? name));
}

/** In columns of a terminal: Korean letters, as all wide ones of East Asia, take two. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) {
    if (NO_WIDTH.test(character)) continue;
    width += isWide(character.codePointAt(0)!) ? 2 : 1;
  }
  return width;
}

/** Marks, and the parts of a Korean syllable after its first. */
const NO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]/u;

/** As padEnd, for a terminal. */
export function padTo(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

/** First and last code points of the blocks whose characters are wide or full-width (UAX 11). */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1f9ff],
  [0x20000, 0x3fffd],
];

function isWide(codePoint: number): boolean {
  return (
    codePoint >= 0x1100 && WIDE.some(([first, last]) => codePoint >= first && codePoint <= last)
  );
}
