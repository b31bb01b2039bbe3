/**
 * Runs pkg for one binary: `node sea.ts OPTIONS` with its options as JSON. A process of its own, since pkg
 * changes the working folder and looks for node in a folder below HOME.
 */

import { createRequire } from 'node:module';

export interface SeaOptions {
  /** The bundled program. */
  main: string;
  output: string;
  architecture: string;
  nodeVersion: string;
  /** Given to node at every start of the binary. */
  execArgv: readonly string[];
}

/** What `pkg FILE --sea` calls. Its command line cannot say what node is to be started with. */
type Sea = (entry: string, options: Record<string, unknown>) => Promise<void>;

const { default: sea } = createRequire(import.meta.url)('@yao-pkg/pkg/lib-es5/sea.js') as {
  default: Sea;
};
const options = JSON.parse(process.argv[2] ?? '') as SeaOptions;
await sea(options.main, {
  targets: [
    {
      nodeRange: `node${options.nodeVersion}`,
      platform: 'linux',
      arch: options.architecture,
      output: options.output,
    },
  ],
  seaConfig: {
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    // It would be refused with the flags below, and on another architecture.
    useCodeCache: false,
    execArgv: options.execArgv,
    // NODE_OPTIONS is not for it: what it does is said in its configuration.
    execArgvExtension: 'none',
  },
});
