import t from 'tap';
import { ChannelStates, FIELDS, Field } from '../../../../collector/processor/validation/states.ts';

function nothing(): void {}

t.test('a full house: the channel unseen longest makes room', async (t) => {
  const states = new ChannelStates(3);
  const seen = (device: string, channel: string): number => {
    let isNew = false;
    const slot = states.slotOf(states.device(device), channel, () => {
      isNew = true;
    });
    const at = slot * FIELDS + Field.GOOD;
    t.equal(isNew, Number.isNaN(states.fields[at]), 'a new one has nothing of the one before');
    states.fields[at] = 1;
    return slot;
  };
  const a = seen('A', 'x');
  const b = seen('B', 'x');
  seen('C', 'x');
  t.equal(seen('A', 'x'), a);
  t.equal(seen('D', 'x'), b, 'B was unseen longest');
  t.equal(states.size, 3);
  t.equal(seen('A', 'x'), a, 'still known');
  const decoded = ChannelStates.decode(states.encode(), 3)!;
  t.same(decoded.encode(), states.encode());
  for (const each of [states, decoded]) {
    each.slotOf(each.device('E'), 'x', nothing);
    t.equal(each.device('A').channels.size, 1, 'the order outlives a restart');
    t.equal(each.device('C').channels.size, 0);
  }
});

t.test('one device with more channels than there is room for', async (t) => {
  const states = new ChannelStates(2);
  const device = states.device('A');
  for (const channel of ['x', 'y', 'z', 'x']) states.slotOf(device, channel, nothing);
  t.equal(states.size, 2);
  t.same([...states.device('A').channels.keys()], ['z', 'x']);
  const single = new ChannelStates(1);
  const only = single.device('A');
  for (const channel of ['x', 'y']) single.slotOf(only, channel, nothing);
  t.equal(single.device('A'), only, 'is not forgotten with its last channel');
});

t.test('many windows', async (t) => {
  const states = new ChannelStates();
  for (let i = 0; i < 50; i++) {
    const slot = states.slotOf(states.device(`D${i}`), 'x', nothing);
    const window = states.windowOf(slot);
    t.equal(states.windowOf(slot), window);
    states.windows[window * 100] = i;
    states.fields[slot * FIELDS + Field.WINDOW_COUNT] = 1;
  }
  const decoded = ChannelStates.decode(states.encode())!;
  const slot = decoded.slotOf(decoded.device('D49'), 'x', nothing);
  t.equal(decoded.sorted[decoded.windowOf(slot) * 100], 49);
  t.equal(decoded.windowOf(decoded.slotOf(decoded.device('new'), 'x', nothing)), 50);
});
