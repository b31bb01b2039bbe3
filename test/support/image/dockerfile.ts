/**
 * Reads a Dockerfile into the instructions of its stages: what packaging/image/Dockerfile uses, and nothing beyond.
 * What it does not know it refuses, so that no step is left out in silence.
 */

export interface Instruction {
  /** In capitals. */
  name: string;
  /** `--from=…` and the like, with variables filled in by whoever runs it. */
  flags: ReadonlyMap<string, string>;
  /** The rest of the line, continuations joined. */
  text: string;
  line: number;
}

export interface Stage {
  /** Of `AS`; the number of the stage, else. */
  name: string;
  from: Instruction;
  instructions: readonly Instruction[];
}

export interface Dockerfile {
  /** ARG before the first FROM. */
  global: readonly Instruction[];
  stages: readonly Stage[];
}

const KNOWN = new Set(
  'ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN STOPSIGNAL USER VOLUME WORKDIR'.split(
    ' ',
  ),
);

/** Throws at what it does not know. */
export function parseDockerfile(text: string): Dockerfile {
  const global: Instruction[] = [];
  const stages: { name: string; from: Instruction; instructions: Instruction[] }[] = [];
  for (const instruction of instructionsIn(text)) {
    if (instruction.name === 'FROM') {
      const name = / AS (\S+)$/i.exec(instruction.text)?.[1] ?? String(stages.length);
      stages.push({ name, from: instruction, instructions: [] });
      continue;
    }
    const stage = stages.at(-1);
    if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.name === 'ARG') global.push(instruction);
    else throw new Error(`line ${instruction.line}: ${instruction.name} before the first FROM`);
  }
  return { global, stages };
}

function* instructionsIn(text: string): Generator<Instruction> {
  let joined = '';
  let begin = 0;
  for (const [i, raw] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(raw)) continue;
    if (joined === '') begin = i + 1;
    if (raw.endsWith('\\')) {
      joined += `${raw.slice(0, -1).trim()} `;
      continue;
    }
    yield toInstruction(joined + raw.trim(), begin);
    joined = '';
  }
  if (joined !== '') throw new Error(`line ${begin}: it does not end`);
}

function toInstruction(whole: string, line: number): Instruction {
  const [, name = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(whole) ?? [];
  if (!KNOWN.has(name)) throw new Error(`line ${line}: ${name || whole} is not known here`);
  if (/<</.test(rest)) throw new Error(`line ${line}: heredocs are not known here`);
  const flags = new Map<string, string>();
  let text = rest.trim();
  for (;;) {
    const flag = /^--([a-z-]+)=(\S+)\s+/.exec(text);
    if (flag === null) break;
    flags.set(flag[1] ?? '', flag[2] ?? '');
    text = text.slice(flag[0].length);
  }
  return { name, flags, text, line };
}

/** `NAME=value NAME="value"`, and the old `NAME value` for one. */
export function pairsIn(text: string): [string, string][] {
  const pairs = [...text.matchAll(/([A-Za-z_][\w.]*)=("(?:[^"\\]|\\.)*"|\S*)/g)];
  return pairs.map(([, name = '', value = '']) => [name, value.replace(/^"(.*)"$/, '$1')]);
}

/** `$NAME` and `${NAME}`; a name that is not there is empty, as Docker has it. */
export function fillIn(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (_, braced?: string, bare?: string) => values.get(braced ?? bare ?? '') ?? '',
  );
}
