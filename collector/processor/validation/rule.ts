import type { CompiledChannel } from './channel.ts';
import type { Run } from './run.ts';

export interface Rule {
  /** Whether it can say anything of such a channel; asked once a configuration. */
  applies(channel: CompiledChannel): boolean;
  /**
   * Notes findings of the run's readings, and remembers in run.states what it needs for the next ones.
   * The rules before it in the registry have judged the whole run. Must not throw.
   */
  judge(run: Run): void;
}
