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
  AGENT_COLLECTOR_NAME: {
    cause: 'The certificate of the collector is not for the name or address that the URL says.',
    hint: 'Use one of the names that the message lists in the URL, or add this one to `mqtt.tls.names` of the collector.',
  },
  AGENT_COLLECTOR_UNKNOWN: {
    cause:
      "The certificate of the collector does not come from the authority that this gateway trusts (or not as a server's certificate): another collector, a new authority, or somebody in between.",
    hint: 'Compare `fms-collector ca show` with what the message says. If the authority changed on purpose, enrol anew with a new token; otherwise find out who answers at this address.',
  },
  AGENT_TLS_NEEDED: {
    cause:
      'The collector takes this gateway with TLS only, or nothing else is spoken at this port, and it came without (mqtt://).',
    hint: 'Enrol: `fms-agent enroll URL TOKEN`; or use mqtts:// and port 8883. An outside broker may mean that the token is wrong.',
  },
  AGENT_TLS_FAILED: {
    cause:
      'No TLS connection came about: the other side does not speak TLS at this port, or not in a version and with ciphers that are safe.',
    hint: 'Check the port of the URL (TLS: 8883) and what stands between; TLS 1.2 is the least.',
  },
  AGENT_CERTIFICATE_REFUSED: {
    cause: "The collector does not accept this gateway's certificate, and did not say why.",
    hint: "Look at the gateway on the collector's page (or `fms-collector gateway list`); another install may be connected under its name. A new token and `fms-agent enroll` help in any case.",
  },
  AGENT_CERTIFICATE_REVOKED: {
    cause: "This gateway's certificate was revoked at the collector.",
    hint: 'Readings stay in the buffer. If the gateway is to go on, ask for a new token (`fms-collector gateway token SITE/NAME`) and run `fms-agent enroll` again: what waits is then delivered.',
  },
  AGENT_CERTIFICATE_EXPIRED: {
    cause: "This gateway's certificate has expired, and the days of grace are over.",
    hint: 'Readings stay in the buffer. Ask for a new token (`fms-collector gateway replace SITE/NAME`) and run `fms-agent enroll` again: what waits is then delivered.',
  },
  AGENT_IDENTITY_UNUSABLE: {
    cause:
      'The files of the enrolment in data_dir/identity cannot be read, or do not fit each other.',
    hint: 'Check that the folder belongs to the user of the agent. If files are lost, enrol anew with a new token; the buffer is not concerned.',
  },
  AGENT_ENROL_TOKEN: {
    cause: 'This is no token of a collector: it is incomplete, or something else.',
    hint: 'Paste the whole line that `fms-collector gateway add` printed (it begins with fms-gw1.), or give the file that holds it with --token-file.',
  },
  AGENT_ENROL_URL: {
    cause: "This is no URL of a collector's port with TLS.",
    hint: 'It looks like mqtts://collector.plant.example:8883; enrolment needs TLS.',
  },
  AGENT_ENROL_STRANGER: {
    cause:
      'Who answers at this address is not the collector that the token (or the fingerprint) was made for. Nothing was sent to it.',
    hint: 'Check the URL. If it is right, somebody stands in between, or the token is of another collector: compare with `fms-collector ca show`.',
  },
  AGENT_ENROL_UNCONFIRMED: {
    cause: "Without a token a person has to confirm the collector's authority, and nobody did.",
    hint: 'Compare the fingerprint with `fms-collector ca show`, then give it with --ca-fingerprint, or answer yes at a terminal.',
  },
  AGENT_ENROL_REFUSED: {
    cause: 'The collector does not enrol this gateway; its reason is in the message.',
    hint: 'A token counts once and for a limited time: ask for a new one (`fms-collector gateway token SITE/NAME`).',
  },
  AGENT_ENROL_REJECTED: {
    cause: 'An admin rejected the request of this gateway.',
    hint: 'Ask who looks after the collector; then run the command again, or with a token.',
  },
  AGENT_ENROL_UNANSWERED: {
    cause: 'Nobody approved the request of this gateway in time.',
    hint: "Run the command again (the key stays the same), and have it approved: on the collector's page, or with `fms-collector gateway approve`.",
  },
  AGENT_ENROL_CONTRADICTS: {
    cause: 'The configuration says something else than the enrolment would.',
    hint: 'Correct or remove the lines that the message names, then run the command again: the token still counts.',
  },
  AGENT_ENROL_ANSWER: {
    cause: "The collector's answer to the enrolment makes no sense.",
    hint: 'Nothing was changed. Are agent and collector of versions that fit each other? Report it otherwise.',
  },
  AGENT_RENEWAL_FAILED: {
    cause:
      'The certificate of this gateway should be renewed by now, and that did not work yet; it is tried again.',
    hint: 'The reason is in the message. Readings flow as long as the certificate is valid, and for the days of grace after that.',
  },
  AGENT_CLOCK_DISPUTED: {
    cause:
      "The clock of this gateway, which a time service keeps, and that of the collector differ. The gateway's own counts.",
    hint: 'Check the time of the collector, and which time service each of them follows.',
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
  AGENT_BUFFER_KEY_MISSING: {
    cause: 'The buffer is encrypted (or is to be), and no key is given.',
    hint: 'Give it back: buffer.key_file, the systemd credential buffer.key, or --key-file for a buffer command. Nothing was changed. Without the key nobody can read the file: move it aside to begin a new one.',
  },
  AGENT_BUFFER_KEY_WRONG: {
    cause: 'The buffer holds readings that none of the keys given can decrypt.',
    hint: 'Put the key that is named back into the file of keys, as a further line. Nothing was changed. Without it nobody can read those readings: move the buffer aside to begin a new one.',
  },
  AGENT_BUFFER_KEY_UNREADABLE: {
    cause: "The file with the buffer's keys cannot be read, or does not hold what it should.",
    hint: 'One key a line, 64 hex digits or the base64 of 32 random bytes (`openssl rand -hex 32`); mode 0600, owned by root or by the user of the agent.',
  },
  AGENT_BUFFER_NOT_ENCRYPTED: {
    cause: 'buffer.accept_plaintext is false, and the buffer holds readings without encryption.',
    hint: 'Are they from before encryption was turned on? Then set accept_plaintext to true until `fms-agent status` shows none of them. If not, somebody put them there: keep the file, and move it aside.',
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
