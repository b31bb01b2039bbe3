import fc from 'fast-check';
import t from 'tap';
import type { RegisterFormat } from '../../simulators/registers.ts';
import { encodeRegisters, registerTypes, wordCount } from '../../simulators/registers.ts';

const plain: RegisterFormat = {
  type: 'uint16',
  bit: 0,
  length: 4,
  byteOrder: 'big',
  wordOrder: 'big',
  scale: 1,
  offset: 0,
};

/** Examples worked out by hand from IEEE 754 and two's complement. */
t.test('known values', async (t) => {
  const cases: [Partial<RegisterFormat>, number | boolean | string, number[], unknown][] = [
    [{ type: 'int16' }, -2, [0xfffe], -2],
    [{ type: 'int16', scale: 0.1 }, 23.5, [235], 23.5],
    [{ type: 'int16' }, 40_000, [0x7fff], 32_767],
    [{ type: 'uint16', byteOrder: 'little' }, 0x1234, [0x3412], 0x1234],
    [{ type: 'uint16' }, -5, [0], 0],
    [{ type: 'int32' }, 0x12345678, [0x1234, 0x5678], 0x12345678],
    [{ type: 'int32', wordOrder: 'little' }, 0x12345678, [0x5678, 0x1234], 0x12345678],
    [{ type: 'uint32', byteOrder: 'little' }, 0x12345678, [0x3412, 0x7856], 0x12345678],
    [{ type: 'float32' }, 1.5, [0x3fc0, 0], 1.5],
    [{ type: 'float32' }, 7.07, [0x40e2, 0x3d71], 7.07],
    [{ type: 'float32', scale: 10, offset: 1 }, 16, [0x3fc0, 0], 16],
    [{ type: 'float64' }, 1.5, [0x3ff8, 0, 0, 0], 1.5],
    [{ type: 'int64' }, -1, [0xffff, 0xffff, 0xffff, 0xffff], -1],
    [{ type: 'uint64', wordOrder: 'little' }, 2 ** 40 + 7, [7, 0, 0x100, 0], 2 ** 40 + 7],
    [{ type: 'bool', bit: 3 }, true, [8], true],
    [{ type: 'bool', bit: 3 }, false, [0], false],
    [{ type: 'string' }, 'FMS', [0x464d, 0x5300, 0, 0], 'FMS'],
    [{ type: 'string', byteOrder: 'little', wordOrder: 'little' }, 'AB', [0x4241, 0, 0, 0], 'AB'],
  ];
  for (const [format, value, words, held] of cases) {
    const encoded = encodeRegisters(value, { ...plain, ...format });
    t.same(encoded, { words, value: held }, JSON.stringify({ ...format, value }));
  }
});

t.test(
  'what is said to be held is what the registers hold, for any value and format',
  async (t) => {
    fc.assert(
      fc.property(
        fc.constantFrom(...registerTypes),
        fc.constantFrom('big', 'little'),
        fc.constantFrom('big', 'little'),
        fc.constantFrom(1, 0.1, 0.01, 5),
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        (type, byteOrder, wordOrder, scale, value) => {
          const format: RegisterFormat = { ...plain, type, byteOrder, wordOrder, scale };
          const encoded = encodeRegisters(value, format);
          if (encoded.words.length !== wordCount(format)) throw new Error('length');
          if (encoded.words.some((w) => w < 0 || w > 0xffff || !Number.isInteger(w)))
            throw new Error('not registers');
          if (typeof encoded.value !== 'number') return;
          if (type === 'float64' && scale !== 1) {
            // A double scaled and scaled back is not the same double.
            if (Math.abs(encoded.value - value) > 1e-12 * Math.abs(value) + 1e-300)
              throw new Error('far off');
            return;
          }
          const again = encodeRegisters(encoded.value, format);
          if (again.words.join() !== encoded.words.join()) throw new Error(`${value} is not held`);
        },
      ),
      { numRuns: 2_000 },
    );
    t.pass('2,000 values');
  },
);
