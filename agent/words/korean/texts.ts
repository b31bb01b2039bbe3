/** All Korean texts by their English ones. */

import { BUFFER, CHECK, HELP, SELF_TEST } from './commands.ts';
import { CONFIG } from './config.ts';
import { ENROL } from './enrol.ts';
import { STATUS } from './status.ts';

export const TOPICS = { HELP, CHECK, BUFFER, SELF_TEST, CONFIG, ENROL, STATUS };

export const TEXTS = {
  ...HELP,
  ...CHECK,
  ...BUFFER,
  ...SELF_TEST,
  ...CONFIG,
  ...ENROL,
  ...STATUS,
};
