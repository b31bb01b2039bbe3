/** The first file of the single binary: agent/main.ts without what only a start from sources needs. */

import { start } from '../../agent/start.ts';

// The unit's settings for glibc are the agent's own, not for programs that it starts.
delete process.env.MALLOC_ARENA_MAX;
delete process.env.MALLOC_TRIM_THRESHOLD_;
void start(process.argv);
