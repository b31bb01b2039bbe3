import t from 'tap';
import { EpochAccount, isSettled, placeOf } from '../../../collector/processor/epoch.ts';
import { GatewayBook } from '../../../collector/processor/gateway.ts';
import {
  CORRECTIONS_PER_GATEWAY_MAX,
  DAMAGED_RANGES_MAX,
  EPOCHS_PER_GATEWAY_MAX,
  GAP_REASONS_MAX,
  LABELLED_RANGES_MAX,
  OPEN_GAPS_MAX,
  RELEASABLE_RANGES_MAX,
  REMEMBERED_CHUNKS_MAX,
} from '../../../collector/processor/limits.ts';
import type { Interval } from '../../../collector/processor/ranges.ts';
import { EPOCH } from '../../support/wire.ts';

function single(seq: number): Interval {
  return { from: seq, to: seq };
}

/** Of counts; that of the sums must be 0 with it. */
function balanceOf(account: EpochAccount): number {
  if (account.sumBalance !== 0n) return Number.NaN;
  const gaps = Object.values(account.gaps).reduce((sum, count) => sum + count, 0);
  return account.stored + account.quarantined + gaps + account.inFlight - account.lastSeq;
}

t.test('more open gaps than are kept: the smallest are closed and counted', async (t) => {
  const account = new EpochAccount(EPOCH, 1, 0);
  const extra = 10;
  // Holes of 2 between single readings, and one large hole first.
  account.take({ from: 1_000, to: 1_000 }, 1);
  for (let i = 1; i < OPEN_GAPS_MAX + extra; i++) {
    const seq = 1_000 + 3 * i;
    account.take({ from: seq, to: seq }, 1);
  }
  t.same(account.gaps, { too_many_gaps: 2 * extra });
  t.equal(balanceOf(account), 0);
  t.same(account.unseen(1, 999), [{ from: 1, to: 999 }], 'the large one is still open');
  const again = EpochAccount.decode(EPOCH, account.encode(false));
  t.same(again.gaps, account.gaps);
  t.ok(account.encode(false).length < 20_000, `${account.encode(false).length} bytes`);
});

t.test('more damaged ranges than are kept: the smallest are quarantined for good', async (t) => {
  const account = new EpochAccount(EPOCH, 1, 0);
  account.announce(10_000);
  const ranges = DAMAGED_RANGES_MAX + 5;
  for (let i = 0; i < ranges; i++) account.damage(1 + 3 * i, 1 + 3 * i);
  t.equal(account.quarantined, ranges);
  t.equal(balanceOf(account), 0);
  let open = 0;
  for (let i = 0; i < ranges; i++) open += account.unseen(1 + 3 * i, 1 + 3 * i).length;
  t.equal(open, DAMAGED_RANGES_MAX);
});

t.test('more labelled ranges or reasons than are kept', async (t) => {
  const account = new EpochAccount(EPOCH, 1, 0);
  for (let i = 0; i < LABELLED_RANGES_MAX + 7; i++) account.declare(1 + 2 * i, 1 + 2 * i, 'a');
  t.same(account.gaps, { a: LABELLED_RANGES_MAX + 7 }, 'the count stays');
  t.equal(balanceOf(account), 0);
  const many = new EpochAccount(EPOCH, 1, 0);
  for (let i = 1; i <= 40; i++) many.declare(i, i, `reason ${i}`);
  t.equal(Object.keys(many.gaps).length, GAP_REASONS_MAX + 1);
  t.equal(many.gaps.other, 40 - GAP_REASONS_MAX);
  t.equal(balanceOf(many), 0);
});

t.test('sums beside the counts, over damage, repair, closing and release', async (t) => {
  const account = new EpochAccount(EPOCH, 1, 0);
  account.announce(100);
  account.damage(11, 13);
  t.equal(account.quarantinedSum, 36n);
  account.take({ from: 1, to: 10 }, 8, [{ from: 2, to: 3 }, single(7)]);
  t.match(account, { stored: 5, quarantined: 5 + 3, storedSum: 1n + 4n + 5n + 6n + 8n });
  t.equal(account.quarantinedSum, 2n + 3n + 7n + 9n + 10n + 36n);
  account.take({ from: 12, to: 12 }, 1);
  t.equal(account.quarantinedSum, 2n + 3n + 7n + 9n + 10n + 11n + 13n);
  t.equal(account.release(9), false, 'a reject is no reading');
  t.equal(account.release(4), false, 'stored already');
  t.equal(account.release(3), true);
  t.equal(account.release(3), false, 'once');
  t.match(account, { stored: 7, quarantined: 6, storedSum: 24n + 12n + 3n });
  t.equal(balanceOf(account), 0);
  const again = EpochAccount.decode(EPOCH, account.encode(false));
  t.equal(again.storedSum, account.storedSum);
  t.equal(again.quarantinedSum, account.quarantinedSum);
  t.equal(again.release(7), true, 'outlives the processor');
  t.equal(balanceOf(again), 0);
});

t.test('sums wrap at 2^64 and stay exact', async (t) => {
  const account = new EpochAccount(EPOCH, 1, 0);
  const last = 2 ** 53 - 2;
  account.take({ from: 1, to: last }, last - 1, [single(5)]);
  const sum = (BigInt(last) * BigInt(last + 1)) / 2n;
  t.equal(account.storedSum, BigInt.asUintN(64, sum - 5n - BigInt(last)));
  t.equal(account.quarantinedSum, 5n + BigInt(last));
  t.equal(balanceOf(account), 0);
});

t.test('more releasable ranges than are kept: the smallest stay in quarantine', async (t) => {
  const account = new EpochAccount(EPOCH, 1, 0);
  const count = RELEASABLE_RANGES_MAX + 3;
  const ruled = Array.from({ length: count }, (_, i) => 2 * i + 1);
  account.take({ from: 1, to: 2 * count }, 2 * count, ruled.map(single));
  let released = 0;
  for (const seq of ruled) released += account.release(seq) ? 1 : 0;
  t.equal(released, RELEASABLE_RANGES_MAX);
  t.equal(balanceOf(account), 0);
});

t.test('remembers the newest chunks', async (t) => {
  const account = new EpochAccount(EPOCH, 1, 0);
  const header = { count: 1, firstMs: 0, lastMs: 0, bytes: new Uint8Array(0) };
  for (let i = 1; i <= REMEMBERED_CHUNKS_MAX + 1; i++) {
    account.remember({ ...header, firstSeq: i, crc32c: 1000 + i });
  }
  t.equal(account.rememberedCrc(1, 1), undefined);
  t.equal(account.rememberedCrc(2, 1), 1002);
  t.equal(account.rememberedCrc(2, 2), undefined);
});

t.test('settled epochs are short, and open again when something of them comes', async (t) => {
  const book = new GatewayBook('demo/gw1');
  const account = book.account(EPOCH, 5);
  book.rank(account);
  account.take({ from: 1, to: 1_000_000 }, 999_999);
  account.repeat(3);
  book.settle(account);
  const changes = new Map<string, Uint8Array | null>();
  book.takeChanges(changes);
  const bytes = changes.get(`demo/gw1|${EPOCH}`);
  t.ok(bytes && isSettled(bytes) && placeOf(bytes) === 1);
  t.ok(bytes && bytes.length < 200, `${bytes?.length} bytes`);
  const later = new GatewayBook('demo/gw1');
  later.restore(changes.get('demo/gw1')!);
  later.restorePart(EPOCH, bytes!);
  t.equal(later.open.size, 0);
  t.same(later.account(EPOCH, 99).unseen(999_999, 1_000_001), [{ from: 1_000_001, to: 1_000_001 }]);
  t.match(later.account(EPOCH, 99), {
    stored: 999_999,
    quarantined: 1,
    duplicates: 3,
    openedMs: 5,
  });
});

t.test('more epochs than are remembered: the oldest is given up', async (t) => {
  const book = new GatewayBook('demo/gw1');
  const name = (i: number): string => i.toString(16).padStart(16, '0');
  for (let i = 1; i <= EPOCHS_PER_GATEWAY_MAX; i++) {
    const account = book.account(name(i), i);
    if (i % 2 === 0) book.settle(account);
  }
  t.equal(book.forgetOldest(), undefined);
  book.takeChanges(new Map());
  book.account(name(EPOCHS_PER_GATEWAY_MAX + 1), 0);
  t.equal(book.forgetOldest()?.epoch, name(1));
  t.equal(book.forgetOldest(), undefined);
  const changes = new Map<string, Uint8Array | null>();
  book.takeChanges(changes);
  t.equal(changes.get(`demo/gw1|${name(1)}`), null);
});

t.test('corrections of the clock are state', async (t) => {
  const book = new GatewayBook('demo/gw1');
  book.remember([{ boot: 'b', offsetMs: 5 }]);
  book.takeChanges(new Map());
  book.remember([{ boot: 'b', offsetMs: 5 }]);
  const same = new Map<string, Uint8Array | null>();
  book.takeChanges(same);
  t.equal(same.size, 0, 'nothing new');
  book.remember([
    { boot: 'b', offsetMs: 6 },
    { boot: 'c', offsetMs: 7 },
  ]);
  const changes = new Map<string, Uint8Array | null>();
  book.takeChanges(changes);
  const later = new GatewayBook('demo/gw1');
  later.restore(changes.get('demo/gw1')!);
  t.equal(later.offsetOf('b'), 6);
  t.equal(later.offsetOf('c'), 7);
  for (let i = 0; i < CORRECTIONS_PER_GATEWAY_MAX; i++) {
    later.remember([{ boot: `boot ${i}`, offsetMs: i }]);
  }
  t.equal(later.offsetOf('c'), undefined, 'bounded');
});

t.test('state of another version is refused', async (t) => {
  t.throws(() => EpochAccount.decode(EPOCH, Buffer.from([9, 0, 0, 0, 0, 0])), {
    code: 'PROCESSOR_STATE_VERSION',
  });
});
