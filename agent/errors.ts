/** All errors of fms-agent. Codes are documented in docs/ERRORS.md (checked by a test) and never reused. */
export const agentErrors = {
  AGENT_CONFIG_INVALID: {
    cause: 'The configuration has mistakes; each is printed with file and line.',
    hint: 'Correct the lines, then run `fms-agent check`.',
  },
  AGENT_CONFIG_UNREADABLE: {
    cause: 'The configuration file, or a file that it names, cannot be read.',
    hint: 'Check the path and that the user of the agent may read it.',
  },
  AGENT_COLLECTOR_UNREACHABLE: {
    cause:
      'No connection to the collector: the name, the port, the network, or a collector that is down.',
    hint: 'Check collector.url and the way there; readings wait in the buffer and go out by themselves.',
  },
  AGENT_COLLECTOR_UNAVAILABLE: {
    cause: 'The collector refuses connections for now (its log takes no records).',
    hint: 'Look at the collector: disk space and log. Readings wait in the buffer meanwhile.',
  },
  AGENT_NOT_AUTHORISED: {
    cause:
      'The collector does not accept this site, gateway and token, or another install holds the name.',
    hint: 'Compare site, gateway and collector.token with the collector; a cloned gateway needs a name of its own.',
  },
  AGENT_CONNECTION_LOST: {
    cause: 'The connection to the collector broke or fell silent.',
    hint: 'The agent reconnects and sends again what was not acknowledged; look at the network if it repeats.',
  },
  AGENT_PUBLISH_TIMEOUT: {
    cause: 'The collector acknowledged nothing within forwarder.publish_timeout_ms.',
    hint: 'Its log may hang, or the line is slow: the agent sends again in smaller batches.',
  },
  AGENT_COLLECTOR_SILENT: {
    cause:
      'The broker took batches, but the collector has acknowledged none of them for a while (mqtt.acknowledged_by: collector).',
    hint: "Is the collector running and connected to the same broker? Do the broker's rules let this gateway publish its batches and read its command topic? Readings stay in the buffer.",
  },
  AGENT_PORT_TAKEN: {
    cause:
      'Another program listens on the port of the status page; readings go on without the page.',
    hint: 'Set status.port to a free port, or stop the other program, then send SIGHUP.',
  },
  AGENT_NOT_RUNNING: {
    cause: 'No agent answers at the status address of this configuration.',
    hint: 'Start it (`fms-agent run`, or `systemctl start fms-agent`), or check status.host and status.port.',
  },
  AGENT_CHECK_FAILED: {
    cause: 'The configuration is right, but a device gave nothing usable when it was read once.',
    hint: 'The table shows which device and why; the agent would go on trying.',
  },
  AGENT_DATA_DIR: {
    cause: 'The data folder cannot be made or written.',
    hint: 'Check data_dir and that the user of the agent may write there.',
  },
  AGENT_CRASHED: {
    cause:
      'An error that the program did not expect; it ends, and the service manager starts it again.',
    hint: 'Nothing in the buffer is lost. Report the message with its stack.',
  },
  AGENT_BUFFER_IN_USE: {
    cause:
      'Another process uses this buffer: an agent with the same data_dir, or a buffer command.',
    hint: 'Stop it first; two agents need two data folders.',
  },
  AGENT_BUFFER_UNUSABLE: {
    cause:
      'The buffer file cannot be opened or created (folder, permissions, read-only or full disk).',
    hint: 'Check data_dir and its file system. A damaged file is not the reason: that is repaired by itself.',
  },
  AGENT_BUFFER_VERSION: {
    cause: 'The buffer file was written by a newer agent.',
    hint: 'Run that version until the buffer is empty, or move the file aside.',
  },
  AGENT_BUFFER_MISSING: {
    cause: 'There is no buffer file at this path.',
    hint: 'Check data_dir; an agent that never read anything has no buffer.',
  },
  AGENT_BUFFER_DAMAGED: {
    cause: 'The buffer file is damaged and cannot be exported as it is.',
    hint: 'Run `fms-agent buffer repair`, or start the agent: it repairs the file by itself.',
  },
} as const;

export type AgentErrorCode = keyof typeof agentErrors;

/** Thrown or returned with a code; logged once, at the top. */
export class AgentError extends Error {
  readonly code: AgentErrorCode;
  readonly hint: string;
  constructor(code: AgentErrorCode, detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
    this.name = 'AgentError';
    this.code = code;
    this.hint = agentErrors[code].hint;
  }
}
