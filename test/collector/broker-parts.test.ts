import fc from 'fast-check';
import mqttPacket from 'mqtt-packet';
import t from 'tap';
import { Conflicts } from '../../collector/broker/conflicts.ts';
import {
  CONNECT_BYTES_MAX,
  FrameScanner,
  OTHER_BYTES_MAX,
  PUBLISH_BYTES_MAX,
} from '../../collector/broker/frames.ts';
import type { Intake } from '../../collector/broker/intake.ts';
import { ownCopy } from '../../collector/broker/own_copy.ts';
import { CollectorError } from '../../collector/errors.ts';
import type { IdentityConflictValue } from '../../collector/types.ts';
import { connectPacket, publishPacket } from '../support/broker.ts';

const CONNECT = mqttPacket.generate(connectPacket());

t.test('frames: any cut of valid packets passes, and partial bytes are counted', async (t) => {
  const packet = fc.oneof(
    fc
      .nat({ max: 70_000 })
      .map((length) => mqttPacket.generate(publishPacket('a/b', Buffer.alloc(length)))),
    fc.constant(mqttPacket.generate({ cmd: 'pingreq' })),
    fc.constant(
      mqttPacket.generate({
        cmd: 'subscribe',
        messageId: 1,
        subscriptions: [{ topic: 'x', qos: 1 }],
      }),
    ),
  );
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 5 }), fc.array(fc.nat()), (packets, cuts) => {
      const all = Buffer.concat([CONNECT, ...packets]);
      const ends: number[] = [];
      for (const { length } of [CONNECT, ...packets]) ends.push((ends.at(-1) ?? 0) + length);
      const scanner = new FrameScanner();
      scanner.admit();
      let at = 0;
      for (const cut of [...cuts.map((cut) => cut % all.length), all.length].sort(
        (a, b) => a - b,
      )) {
        if (scanner.scan(all.subarray(at, cut)) !== undefined) return false;
        at = Math.max(at, cut);
        const complete = ends.filter((end) => end <= at).at(-1) ?? 0;
        if (scanner.partialBytes !== at - complete) return false;
      }
      return true;
    }),
  );
  t.pass('all cuts');
});

t.test('frames: limits by type and standing', async (t) => {
  const announce = (admitted: boolean, ...bytes: number[]) => {
    const scanner = new FrameScanner();
    if (admitted) {
      scanner.scan(CONNECT);
      scanner.admit();
    }
    return scanner.scan(Buffer.from(bytes));
  };
  const lengthBytes = (length: number): number[] =>
    length < 128 ? [length] : [(length % 128) | 0x80, ...lengthBytes(Math.floor(length / 128))];
  const announced = (admitted: boolean, type: number, length: number) =>
    announce(admitted, type, ...lengthBytes(length));
  t.equal(announced(false, 0x10, CONNECT_BYTES_MAX), undefined);
  t.equal(announced(false, 0x10, CONNECT_BYTES_MAX + 1), 'packet_too_large');
  t.equal(announced(true, 0x32, PUBLISH_BYTES_MAX), undefined);
  t.equal(announced(true, 0x32, PUBLISH_BYTES_MAX + 1), 'packet_too_large');
  t.equal(announced(true, 0x82, OTHER_BYTES_MAX), undefined);
  t.equal(announced(true, 0x82, OTHER_BYTES_MAX + 1), 'packet_too_large');
  for (const type of [0x00, 0x20, 0x50, 0x62, 0x70, 0x90, 0xb0, 0xd0, 0xf0, 0x10])
    t.equal(announce(true, type), 'protocol', `type ${type.toString(16)}`);
  for (const type of [0x00, 0x30, 0x82, 0xc0]) t.equal(announce(false, type), 'protocol');
  t.equal(announce(false, 0x10, 0xff, 0xff, 0xff, 0xff), 'protocol', 'a length without end');

  const waiting = new FrameScanner();
  waiting.scan(CONNECT);
  const early = Buffer.from([0x32, ...lengthBytes(CONNECT_BYTES_MAX + 1)]);
  t.equal(waiting.scan(early), 'packet_too_large', 'long publishes only once let in');
});

t.test('conflicts: one record a minute and gateway, the others counted', async (t) => {
  const values: IdentityConflictValue[] = [];
  let failing = false;
  const intake: Pick<Intake, 'append'> = {
    append: (_gateway, _kind, value, settled) => {
      if (failing) {
        settled(new CollectorError('LOG_UNAVAILABLE', 'test'));
        return;
      }
      values.push(JSON.parse(Buffer.from(value).toString()));
      settled(undefined);
    },
  };
  let now = 0;
  const conflicts = new Conflicts(intake, () => now);
  const gateway = { site: 's', gateway: 'g' };
  for (let attempt = 0; attempt < 100; attempt++) conflicts.note(gateway, 'clone', 'rightful');
  t.same(values, [{ installId: 'clone', holder: 'rightful', unrecorded: 0 }]);
  conflicts.note({ site: 's', gateway: 'other' }, 'x', 'y');
  t.equal(values.length, 2, 'each gateway has its own');
  now = 60_000;
  failing = true;
  conflicts.note(gateway, 'clone', 'rightful');
  failing = false;
  conflicts.note(gateway, 'clone', 'rightful');
  t.equal(values.length, 3, 'what could not be recorded is recorded at the next attempt');
  t.same(values[2], { installId: 'clone', holder: 'rightful', unrecorded: 100 });
});

t.test('what is kept for long keeps nothing else alive', async (t) => {
  for (const bytes of ['', 'wörd', Buffer.from('payload').subarray(3), new Uint8Array([1, 2])]) {
    const copy = ownCopy(bytes);
    t.ok(copy.equals(Buffer.from(bytes as string)));
    t.equal(copy.buffer.byteLength, copy.length);
  }
});
