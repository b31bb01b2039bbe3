import { CollectorError } from '../errors.ts';

/** A statement of a person that was refused before anything ran. */
export class GateRefusal extends CollectorError {
  constructor(why: string) {
    super('QUERY_NOT_ALLOWED', why);
  }
}

export const ONLY_READING =
  'only statements that read are taken: SELECT, WITH, EXPLAIN, SHOW TABLES, DESCRIBE';
