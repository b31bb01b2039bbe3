/** All errors of fms-sim. Codes are documented in docs/ERRORS.md (checked by a test) and never reused. */
export const simErrors = {
  SIM_CONFIG_INVALID: {
    cause: 'The configuration of a simulator has mistakes; each is printed with file and line.',
    hint: 'Correct the lines; simulators/devices.yaml and simulators/modbus.yaml are documented samples.',
  },
  SIM_FILE_UNREADABLE: {
    cause: 'A file named on the command line cannot be read or written.',
    hint: 'Check the path and the permissions.',
  },
  SIM_OPTION_INVALID: {
    cause: 'An option of fms-sim has a value that it cannot have.',
    hint: 'Run the command with --help.',
  },
  SIM_ENROLMENT_REFUSED: {
    cause: 'A gateway of the fleet did not get its certificate from the collector.',
    hint: 'Make new one-time tokens (fms-collector gateway add), and check that they are of this collector.',
  },
  SIM_PORT_TAKEN: {
    cause: 'Another program listens on the port.',
    hint: 'Stop it, or choose another port with the option or variable that the message names.',
  },
  SIM_RECORDING_INVALID: {
    cause: 'A recording to be replayed is not a table with a header and a usable time column.',
    hint: 'Name the columns with --time and --device-column; times are ISO 8601 or seconds.',
  },
  SIM_POSITION_FOREIGN: {
    cause: 'The position file belongs to another recording, or the recording has changed since.',
    hint: 'Delete the position file to replay from the beginning.',
  },
  SIM_DEMO_RUNNING: {
    cause: 'Another demo runs on this data folder.',
    hint: 'Stop it, or choose another folder with FMS_DATA.',
  },
  SIM_DEMO_FAILED: {
    cause: 'A program of the demo did not start or kept ending.',
    hint: 'Its last log lines are printed; the whole log is in the data folder.',
  },
} as const;

export type SimErrorCode = keyof typeof simErrors;

/** Thrown with a code; printed once, by main.ts. */
export class SimError extends Error {
  readonly code: SimErrorCode;
  readonly hint: string;
  constructor(code: SimErrorCode, detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
    this.name = 'SimError';
    this.code = code;
    this.hint = simErrors[code].hint;
  }
}
