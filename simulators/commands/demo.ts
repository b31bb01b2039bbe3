/** `fms-sim demo`, which is `npm start`. */

import { runDemo } from '../demo/demo.ts';

export interface DemoCommandOptions {
  data: string;
  httpPort?: number;
  mqttPort?: number;
  simPort?: number;
  statusPort?: number;
  replay?: string;
  speed: string;
  time?: string;
  deviceColumn?: string;
}

/** `fms-sim demo`. Returns the exit code. */
export async function runDemoCommand(options: DemoCommandOptions): Promise<number> {
  const { httpPort, mqttPort, simPort, statusPort } = options;
  return runDemo({
    folder: options.data,
    ports: {
      ...(httpPort === undefined ? {} : { http: httpPort }),
      ...(mqttPort === undefined ? {} : { mqtt: mqttPort }),
      ...(simPort === undefined ? {} : { sim: simPort }),
      ...(statusPort === undefined ? {} : { status: statusPort }),
    },
    replay:
      options.replay === undefined
        ? undefined
        : {
            file: options.replay,
            speed: options.speed,
            time: options.time,
            deviceColumn: options.deviceColumn,
          },
    print: (line) => process.stdout.write(`${line}\n`),
  });
}
