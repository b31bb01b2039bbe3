/**
 * The first question of the Go client (and so of Grafana's plug-in), in the form that it reads: a Native block of the
 * protocol version that it names. The embedded engine writes Native as of version 0 only, so the answer says revision
 * 0, and the client reads all that follows as such.
 */

const QUESTION = 'SELECT displayName(), version(), revision(), timezone()';
const WITH_CUSTOM_SERIALIZATION = 54_454;
const DISPLAY_NAME = 'fms-collector';

export function isHello(sql: string): boolean {
  return sql.trim() === QUESTION;
}

export interface Engine {
  version: string;
  timeZone: string;
}

export function helloBlock({ version, timeZone }: Engine, protocolVersion: number): Buffer {
  const columns: [name: string, type: string, value: Buffer][] = [
    ['displayName()', 'String', textBytes(DISPLAY_NAME)],
    ['version()', 'String', textBytes(version)],
    ['revision()', 'UInt32', Buffer.alloc(4)],
    ['timezone()', 'String', textBytes(timeZone)],
  ];
  // Field 1: no overflows, field 2: bucket -1, end.
  const info = Buffer.from([1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0]);
  const hasFlags = protocolVersion >= WITH_CUSTOM_SERIALIZATION;
  return Buffer.concat([
    ...(protocolVersion > 0 ? [info] : []),
    Buffer.from([columns.length, 1]),
    ...columns.flatMap(([name, type, value]) => [
      textBytes(name),
      textBytes(type),
      ...(hasFlags ? [Buffer.from([0])] : []),
      value,
    ]),
  ]);
}

/** Length as a varint of one byte; longer texts are cut. */
function textBytes(text: string): Buffer {
  const bytes = Buffer.from(text).subarray(0, 127);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
