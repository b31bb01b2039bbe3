/**
 * The configuration that holds in all processes of a log, by topic `control`: those with component serve
 * read files and say what they read, the newest word holds, and all the others take it from there.
 */

import type { ControlView } from '../control.ts';
import { jsonOf } from '../control.ts';
import type { Configuration } from '../profile.ts';
import type { Logger } from '../types.ts';
import type { ConfigurationStatus, LiveProfiles } from './live.ts';

const KEY = 'configuration';

export interface AgreedConfigurationOptions {
  control: Pick<ControlView, 'on' | 'put'>;
  /** The files; undefined: this process reads none. */
  files: LiveProfiles | undefined;
  /** After each change. */
  onChange: () => void;
  logger: Logger;
}

export class AgreedConfiguration {
  readonly #options: AgreedConfigurationOptions;
  #value: Uint8Array | undefined;
  #current: Configuration | undefined;
  /** Version that this process said last. */
  #said = '';

  constructor(options: AgreedConfigurationOptions) {
    this.#options = options;
  }

  /** The value of a CONFIGURATION record; undefined: nobody has said one yet. */
  get value(): Uint8Array | undefined {
    return this.#value;
  }

  get current(): Configuration | undefined {
    return this.#current;
  }

  /** Call once, when what `control` holds is known. Resolves as LiveProfiles.start does. */
  async start(): Promise<void> {
    const { control, files } = this.#options;
    control.on(KEY, (key, value) => {
      if (key === KEY) this.#take(value);
    });
    await files?.start({
      partitionCount: 1,
      append: async (_topic, _partition, { value }) => {
        await this.#say(value);
        return 0;
      },
    });
  }

  status(): ConfigurationStatus {
    const { files } = this.#options;
    const own = files?.status();
    const { version = '', profiles = {} } = this.#current ?? {};
    const none = { sinceMs: 0, mistakes: [], pending: this.#current === undefined };
    const reloads = own?.reloads ?? { changed: 0, unchanged: 0, refused: 0 };
    return { ...none, ...own, version, profiles: Object.keys(profiles).length, reloads };
  }

  async #say(value: Uint8Array): Promise<void> {
    const version = String(jsonOf<Configuration>(value)?.version ?? '');
    const before = this.#current?.version;
    this.#said = version;
    if (before === version) return;
    if (before !== undefined)
      this.#options.logger.warn(
        { version, before },
        'the profiles of this process are other ones than those that hold: from now on they hold everywhere',
      );
    await this.#options.control.put(KEY, value);
  }

  #take(value: Uint8Array | undefined): void {
    const configuration = jsonOf<Configuration>(value);
    if (value === undefined || typeof configuration?.version !== 'string') return;
    const { version } = configuration;
    if (version === this.#current?.version) return;
    this.#value = value;
    // What says it was checked when its files were read.
    this.#current = configuration as Configuration;
    if (this.#said !== '' && this.#said !== version)
      this.#options.logger.warn(
        { version, own: this.#said },
        'another process has read other profiles, and they hold now: give all processes the same files',
      );
    this.#options.onChange();
  }
}
