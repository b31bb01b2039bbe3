/** A state in words, with shape and colour when it needs a person: colour never stands alone. */

import type { ReactNode } from 'react';
import type { Level } from './level.ts';

const SHAPES: Record<Level, string> = { calm: '', note: '○', warn: '▲', bad: '◆' };

export function Shape({ level }: { level: Level }): ReactNode {
  return SHAPES[level] === '' ? null : (
    <span className={`shape ${level}`} aria-hidden="true">
      {SHAPES[level]}
    </span>
  );
}

export function Mark({ level, children }: { level: Level; children: ReactNode }): ReactNode {
  return (
    <span className={`mark ${level}`}>
      <Shape level={level} /> {children}
    </span>
  );
}

/** A name that came from outside: its writing direction must not change what is around it. */
export function Name({ text }: { text: string }): ReactNode {
  return <bdi className="name">{text}</bdi>;
}
