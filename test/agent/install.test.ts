import t from 'tap';
import { installId, machineFingerprint } from '../../agent/install.ts';

function metaOf(values: Map<string, string>) {
  return {
    get: (key: string) => values.get(key),
    set: (key: string, value: string) => void values.set(key, value),
  };
}

t.test('the id belongs to the buffer and the machine together', async (t) => {
  const values = new Map<string, string>();
  const id = installId(metaOf(values), 'machine 1');
  t.match(id, /^[0-9a-f]{16}$/);
  t.equal(installId(metaOf(values), 'machine 1'), id, 'the same after a restart');
  t.not(installId(metaOf(new Map(values)), 'machine 2'), id, 'a cloned disk elsewhere');
  t.not(installId(metaOf(new Map()), 'machine 1'), id, 'a new buffer on the same machine');
});

t.test('the fingerprint', async (t) => {
  const root = `${t.testdir({
    etc: { 'machine-id': 'abc\n' },
    proc: { 'device-tree': { 'serial-number': '100000001\0' } },
    sys: {
      class: {
        net: {
          eth0: { address: '02:00:00:00:00:01\n', device: {} },
          docker0: { address: '02:00:00:00:00:02\n' },
        },
      },
    },
  })}/`;
  const fingerprint = machineFingerprint({}, root);
  t.match(fingerprint, /abc/);
  t.match(fingerprint, /100000001$/m);
  t.match(fingerprint, /02:00:00:00:00:01/);
  t.notMatch(fingerprint, /02:00:00:00:00:02/, 'virtual cards come and go');
  t.equal(machineFingerprint({ FMS_AGENT_MACHINE_ID: 'box 7' }, root), 'given box 7');
  t.equal(machineFingerprint({}, `${root}nothing/`), machineFingerprint({}, `${root}nothing/`));
  t.equal(machineFingerprint({}), machineFingerprint({}), 'of this machine');
});
