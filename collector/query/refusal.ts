import { CollectorError } from '../errors.ts';

/**
 * write: the statement does something else than read. read: it reads what it must not. setting, format: what comes
 * with it.
 */
export type RefusalKind = 'write' | 'read' | 'setting' | 'format';

/** A statement of a person that was refused before anything ran. */
export class GateRefusal extends CollectorError {
  readonly kind: RefusalKind;
  constructor(why: string, kind: RefusalKind = 'read') {
    super('QUERY_NOT_ALLOWED', why);
    this.kind = kind;
  }
}

export const ONLY_READING =
  'only statements that read are taken: SELECT, WITH, EXPLAIN, SHOW TABLES, DESCRIBE';
