/** All errors of fms-collector. Codes are documented in docs/ERRORS.md (checked by a test) and never reused. */
export const collectorErrors = {
  COLLECTOR_CONFIG_INVALID: {
    cause: 'The configuration has mistakes; each is printed with file and line.',
    hint: 'Correct the lines, then run `fms-collector check`.',
  },
  COLLECTOR_CONFIG_UNREADABLE: {
    cause: 'The configuration file, or a file that it names, cannot be read.',
    hint: 'Check the path and that the user of the collector may read it.',
  },
  COLLECTOR_PORT_TAKEN: {
    cause: 'Another program listens on the port.',
    hint: 'Stop it, or give this program another port in its configuration.',
  },
  LOG_UNAVAILABLE: {
    cause: 'The log did not take the record (disk, lock or broker of the log).',
    hint: 'Agents keep buffering; look at the cause in the message and at the disk.',
  },
  LOG_FULL: {
    cause: 'The log reached its byte cap and nothing in it may be trimmed yet.',
    hint: 'Raise log.max_bytes, or find out why processor or writer are behind (/metrics).',
  },
  LOG_CLOSED: { cause: 'The log is closing.', hint: 'None needed: the program is ending.' },
  LOG_FENCED: {
    cause: 'Another process took over this partition or consumer.',
    hint: 'None needed if intended; otherwise make sure that only one collector uses this data folder.',
  },
  LOG_POSITION_OUTSIDE: {
    cause: 'A position lies outside the log: records were trimmed or the log was replaced.',
    hint: 'Do not delete the log while the store stays. See OPERATIONS, "A position outside the log".',
  },
  LOG_PARTITIONS_CHANGED: {
    cause: 'The configured partition count differs from the one recorded when the log was created.',
    hint: 'Set log.partitions back; the count cannot change for an existing log.',
  },
  LOG_TOPIC_INVALID: {
    cause:
      'A topic of the log is missing, was made anew, or has other settings than the collector needs.',
    hint: 'The message names topic, setting and what is needed. See OPERATIONS, "Topics".',
  },
  LOG_RECORD_TOO_LARGE: {
    cause: 'A record is larger than the topics of the log take.',
    hint: 'Report it: the collector bounds what it writes well below max.message.bytes (16 MiB).',
  },
  LOG_REFUSED: {
    cause: 'The brokers of the log do not let this collector in.',
    hint: 'Check log.kafka: user, password, mechanism, certificates, and the rights of the user.',
  },
  STORE_BUSY: {
    cause: 'The store has too many parts or too much to do and takes nothing more for now.',
    hint: 'Readings wait in the log and are written later; look at merges and disks of the store.',
  },
  STORE_READ_ONLY: {
    cause: 'The store is read-only.',
    hint: 'Readings wait in the log; look at the disks of the store and at the rights of its user.',
  },
  STORE_PASS_REPLACED: {
    cause: 'Another writer took over while an insert of this one was under way.',
    hint: 'None needed: nothing was stored by it, and the other writer stores what is missing.',
  },
  STORE_REFUSED: {
    cause: 'The store does not let this collector in.',
    hint: 'Check store.clickhouse: user, password, certificates, and the rights of the user.',
  },
  OUTSIDE_BROKER_UNAVAILABLE: {
    cause: 'The broker that the collector subscribes to does not answer, or refuses it.',
    hint: 'Agents keep buffering; check mqtt.outside and the broker. It is tried again by itself.',
  },
  STORE_UNAVAILABLE: {
    cause: 'The store did not answer or refused.',
    hint: 'Readings wait in the log; look at the cause in the message and at the disk.',
  },
  STORE_PART_DAMAGED: {
    cause: 'Files of the store were damaged, by a full disk for example, and were set aside.',
    hint: 'The rows that the log still holds are inserted again by themselves; look at the disk, and at `ledger --deep` afterwards.',
  },
  STORE_QUERY_REFUSED: {
    cause: 'A query exceeded its limits of time, rows or memory, or is wrong.',
    hint: 'Correct it where the message says so; otherwise ask for a shorter range or a coarser step.',
  },
  QUERY_NOT_ALLOWED: {
    cause: 'The statement does more than read the tables of this program.',
    hint: 'Only SELECT, WITH, EXPLAIN, SHOW TABLES and DESCRIBE of our tables are taken: OPERATIONS, "SQL".',
  },
  COLLECTOR_CRASHED: {
    cause: 'An error that nothing expected ended the program.',
    hint: 'The service manager starts it again and no reading is lost; report the message.',
  },
  COLLECTOR_UNREACHABLE: {
    cause: 'No collector answers at the address.',
    hint: 'Is it running? Name its configuration with --config or its address with --url.',
  },
  COLLECTOR_NOT_TRUSTED: {
    cause:
      'Who answers at the address shows a certificate that is not trusted here; nothing was sent.',
    hint: 'Name the file of its authority with --ca-file, and the collector by a name that is in its certificate. `fms-collector ca show` on its machine says the fingerprint.',
  },
  API_PARAMETER_INVALID: {
    cause: 'A parameter of the request is missing, unknown or out of its range.',
    hint: 'See /api/v1/openapi.json for the parameters of each path.',
  },
  API_NOT_FOUND: {
    cause: 'There is nothing at this path.',
    hint: 'See /api/v1/openapi.json for the paths.',
  },
  API_HOST_REFUSED: {
    cause: 'The request names a host that this collector does not go by.',
    hint: 'Ask by IP address or localhost, or add the name to http.allowed_hosts.',
  },
  API_NEEDS_TLS: {
    cause: 'The collector speaks https here, and was asked by http.',
    hint: 'Ask at https://. A password or token that was in the request crossed the network unencrypted: replace it.',
  },
  API_BUSY: {
    cause: 'Too many queries or streams are under way.',
    hint: 'Try again in a moment; close pages that nobody looks at.',
  },
  API_CONTENT_TYPE: {
    cause: 'The body of the request is not declared as JSON.',
    hint: 'Send the header `content-type: application/json`.',
  },
  API_RELEASE_REFUSED: {
    cause:
      'The entry of the quarantine cannot be released: it holds no whole reading, or was released before.',
    hint: 'Look at releasable and released_ms of the entry in /api/v1/quarantine.',
  },
  API_ACKNOWLEDGE_REFUSED: {
    cause: 'The alert cannot be acknowledged: it does not fire yet, or is over.',
    hint: 'Look at its state in /api/v1/alerts.',
  },
  API_SILENCE_REFUSED: {
    cause:
      'The silence cannot be set, for there are too many, or cannot be ended, for it has ended.',
    hint: 'Look at /api/v1/silences?ended=false, and end what nobody needs.',
  },
  API_NOT_READY: {
    cause: 'The collector is starting or ending.',
    hint: 'Try again in a moment; /readyz says what it waits for.',
  },
  API_INTERNAL: {
    cause: 'A defect of the API.',
    hint: 'The collector logged the error; report it.',
  },
  LOG_IN_USE: {
    cause: 'Another process has the log file open.',
    hint: 'One collector per data folder: stop the other one, or set another data_dir.',
  },
  LOG_DAMAGED: {
    cause: 'The log file is not a log that this program can read, or it is damaged.',
    hint: 'Keep a copy of the file; see OPERATIONS, "A position outside the log", before replacing it.',
  },
  BROKER_REFUSED: {
    cause: 'The broker refused a connection or what came over it.',
    hint: 'The reason is in the message and counted in fms_collector_mqtt_refused_total.',
  },
  STORE_VERSION_NEWER: {
    cause: 'The store was written by a newer version of this program.',
    hint: 'Start the newer version again, or restore the store that belongs to this one.',
  },
  PROCESSOR_STATE_VERSION: {
    cause: 'The state of the processor was written by another version of this program.',
    hint: 'Start the version that wrote it, or a later one.',
  },
  NOTIFY_UNREACHABLE: {
    cause: 'A receiver of alerts does not answer, or cannot take messages now.',
    hint: 'Nothing is lost while it is away for less than notify.outbox_hours: it is tried again. Look at its address and the network.',
  },
  NOTIFY_NOT_AUTHORISED: {
    cause:
      'A receiver of alerts does not let the collector in, or there is nothing at its address.',
    hint: 'Check its password, token or URL, then run `fms-collector notify test`. Messages wait meanwhile.',
  },
  NOTIFY_REFUSED: {
    cause: 'A receiver of alerts refuses a message for good.',
    hint: 'The message is left out, and the next one says so. The text says why: an address that does not exist, or a format that it does not know.',
  },
  NOTIFY_LEFT_OUT: {
    cause:
      'Alerts waited for a receiver for longer than notify.outbox_hours, or were more than notify.outbox_alerts.',
    hint: 'The oldest are left out, and the next message says how many; all alerts are in the store. Find out why the receiver was away.',
  },
  NOTIFY_RECEIVER_UNKNOWN: {
    cause: 'There is no receiver of this name.',
    hint: '`fms-collector notify test` without a name tries them all.',
  },
  API_UNAUTHENTICATED: {
    cause: 'The request needs a login, and carries none that is valid.',
    hint: 'Log in again, or send `Authorization: Bearer TOKEN` with an API token.',
  },
  API_FORBIDDEN: {
    cause: 'The user does not hold the role that this needs, at this site or at every site.',
    hint: 'An administrator can grant it: page Administration, Users.',
  },
  API_LOGIN_REFUSED: {
    cause: 'Name or password are wrong, or the user is disabled.',
    hint: 'Try again; an administrator can set a new password (`fms-collector user passwd NAME`).',
  },
  API_CSRF: {
    cause: 'The request changes something by a cookie, and does not come from our own page.',
    hint: 'Send the csrf of GET /api/v1/session in the header x-csrf-token; programs use an API token.',
  },
  API_PASSWORD_CHANGE: {
    cause:
      'The password was made up by the collector or an administrator, and is good for one login.',
    hint: 'Choose a password of your own: POST /api/v1/session/password.',
  },
  API_PASSWORD_REFUSED: {
    cause: 'The new password is too weak, or the current one is wrong.',
    hint: 'Take at least 10 characters, without the name of the user.',
  },
  API_USER_REFUSED: {
    cause:
      'There cannot be such a user, or without this one nobody would be left who is admin of every site.',
    hint: 'The message says why. Make another admin first.',
  },
  API_TOKEN_REFUSED: {
    cause: 'The token cannot be made: there are too many, or the one who asks is no user.',
    hint: 'Log in with name and password; delete tokens that nobody needs.',
  },
  API_TOO_MANY: {
    cause: 'This caller asked too often.',
    hint: 'Wait for as many seconds as the header retry-after says.',
  },
  JOB_UNKNOWN: {
    cause: 'There is no job of this name.',
    hint: 'Run `fms-collector job list` to see the names.',
  },
  JOB_BUSY: {
    cause: 'Another run of a job is under way.',
    hint: 'Wait until it has ended; `fms-collector job list` shows it.',
  },
  PROFILES_INVALID: {
    cause: 'The profiles of devices have mistakes; each is said with file and line.',
    hint: 'Correct the lines, then run `fms-collector check`; until then the profiles before them hold.',
  },
  PROFILES_REFUSED: {
    cause: 'The profile file was not written, because the profiles would have mistakes with it.',
    hint: 'The answer has every mistake with file, line and column. Correct them and send it again.',
  },
  PROFILES_CHANGED: {
    cause: 'The profile file is another one than the one that was changed: somebody was faster.',
    hint: 'Read it again (GET /api/v1/profiles/files), and make the change in what is there now.',
  },
  PROFILES_BUILT_IN: {
    cause: 'The collector has no profiles_dir: the built-in profile holds, and cannot be changed.',
    hint: 'Name a folder as profiles_dir in collector.yaml, and start the collector again.',
  },
  PROFILES_FOLDER: {
    cause: 'profiles_dir cannot be read or written.',
    hint: 'Check that the user of the collector may write there, and the disk; under systemd the folder must be in ReadWritePaths.',
  },
  BACKUP_REFUSED: {
    cause: 'The collector cannot take a backup now.',
    hint: 'The message says why; /readyz says whether log, store and writers work.',
  },
  BACKUP_ABORTED: {
    cause: 'A backup did not come to its end; what was copied has been removed.',
    hint: 'The message says why; data and collector are untouched. Try again.',
  },
  BACKUP_FOLDER: {
    cause:
      'The folder cannot take the backup: it is not empty, cannot be written, or the disk is too small.',
    hint: 'Name a folder that does not exist yet, on a disk with enough room.',
  },
  BACKUP_DAMAGED: {
    cause: 'The backup is not complete, or a file of it differs from its checksum.',
    hint: 'Restore another backup; data_dir has not been changed.',
  },
  BACKUP_VERSION_NEWER: {
    cause: 'The backup was made by a newer version of this program.',
    hint: 'Restore it with that version, or a later one.',
  },
  RESTORE_DATA_PRESENT: {
    cause: 'data_dir holds data already.',
    hint: 'Restore with --force: what is there is moved aside, not deleted.',
  },
  COLLECTOR_CANNOT_LISTEN: {
    cause: 'The address cannot be listened on.',
    hint: 'Check host and port in the configuration: the host must be an address of this machine.',
  },
  BACKTEST_OPTIONS: {
    cause:
      'The options of a backtest contradict each other, or one is missing or no value that it takes.',
    hint: 'See `fms-collector backtest --help`.',
  },
  BACKTEST_RECORDING: {
    cause: 'The recording cannot be read, or a column or row of it is not what was expected.',
    hint: 'The message names file and line; --time, --channels, --label and --delimiter say what stands where.',
  },
  BACKTEST_PROFILE: {
    cause: 'There is no such profile, or its file has mistakes; each is said with its line.',
    hint: 'Name a profile file, or a profile in profiles_dir of the configuration that --config names.',
  },
  BACKTEST_HISTORY: {
    cause:
      'The collector has no such device, no readings of it in the range, or too many channels to ask for at once.',
    hint: 'Compare --device, --from, --to and --channels with the page of the device.',
  },
  BACKTEST_OUTPUT: {
    cause: 'The rows of a backtest cannot be written.',
    hint: 'Check the path of --out and the disk.',
  },
  TRUST_AUTHORITY_INVALID: {
    cause:
      "The authority's certificate or key cannot be read, they do not belong together, or it is over.",
    hint: 'Check ca.cert_file and ca.key_file, or data_dir/ca: owner, rights, and that it was restored whole. See SECURITY, "The authority".',
  },
  TRUST_OFF: {
    cause: 'This collector has no authority: neither mqtt.tls nor http.tls nor ca is configured.',
    hint: 'Add `mqtt: {tls: {}}` to the configuration, see INSTALL; or list gateways with tokens under `gateways`.',
  },
  GATEWAY_REFUSED: {
    cause: 'The gateway is not in the state that this needs, or there is one of that name already.',
    hint: 'The message says which; `fms-collector gateway list` shows all of them.',
  },
  GATEWAY_NAME_INVALID: {
    cause: 'The name of a site or gateway cannot stand in a certificate or topic.',
    hint: 'Letters, digits, - and others, no / + #; site and gateway together at most 64 bytes with the / between.',
  },
  ENROL_INVALID: {
    cause: 'A request of enrolment is no JSON of the form that it needs, or too large.',
    hint: 'Use `fms-agent enroll` of the same version; see proto/enrolment.ts for the form.',
  },
  ENROL_KEY_REFUSED: {
    cause: 'The key is not ECDSA P-256, or the signature does not prove that the sender has it.',
    hint: 'Run `fms-agent enroll` again: it makes a key and proves it.',
  },
  ENROL_TOKEN_UNKNOWN: {
    cause:
      'There is no such token: it was never made, was replaced by a newer one, or is long over.',
    hint: 'Compare it with what was printed, or make another: `fms-collector gateway token SITE/NAME`.',
  },
  ENROL_TOKEN_EXPIRED: {
    cause: "The token's validity is over.",
    hint: 'Make another: `fms-collector gateway token SITE/NAME`.',
  },
  ENROL_TOKEN_USED: {
    cause:
      'The token was used already, with another key: somebody has a copy of it, or it was used for two gateways.',
    hint: 'See the audit log for who used it and from where. If that was not the gateway: `fms-collector gateway revoke SITE/NAME`, then `gateway token`.',
  },
  ENROL_CERTIFICATE_REFUSED: {
    cause: 'The certificate that was shown does not count, so it is not renewed.',
    hint: 'Enrol anew with a token: `fms-collector gateway token SITE/NAME`, then `fms-agent enroll` at the gateway.',
  },
  ENROL_CLONE: {
    cause:
      "Another install than the gateway's own asks for its next certificate while that one is connected.",
    hint: 'One of two machines is a copy: stop it, or give it a name of its own. New hardware: `fms-collector gateway replace`.',
  },
  ENROL_TOO_MANY: {
    cause: 'Too many attempts from one address, or too many requests that wait for an admin.',
    hint: 'Wait as long as the answer says; approve or reject what waits: `fms-collector gateway requests`.',
  },
  ENROL_NOT_FOUND: {
    cause: 'There is nothing at this path, or no such request any more.',
    hint: 'Requests end when they expire: ask again with `fms-agent enroll`.',
  },
  TRUST_AUTHORITY_CHANGED: {
    cause: 'The collector has another authority than the one that its gateways know.',
    hint: 'Restore data_dir/ca or ca.cert_file as they were; see SECURITY, "The authority". If they are lost, each gateway enrols anew with a token.',
  },
} as const;

export type CollectorErrorCode = keyof typeof collectorErrors;

/** Thrown or returned with a code; logged once, at the top. */
export class CollectorError extends Error {
  readonly code: CollectorErrorCode;
  readonly hint: string;
  constructor(code: CollectorErrorCode, detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
    this.name = 'CollectorError';
    this.code = code;
    this.hint = collectorErrors[code].hint;
  }
}
