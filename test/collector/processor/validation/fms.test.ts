/** The built-in profile of FMS devices says what the design promises. */

import t from 'tap';
import { Treatment } from '../../../../collector/findings.ts';
import { compile } from '../../../../collector/processor/validation/compile.ts';
import { GatewayValidation } from '../../../../collector/processor/validation/validation.ts';
import { loadConfiguration } from '../../../../collector/profiles/load.ts';
import type { Value } from '../../../../proto/model.ts';
import { Quality } from '../../../../proto/model.ts';
import { chunkOf, judge, verdictsOf } from '../../../support/validation.ts';
import { reading, T0 } from '../../../support/wire.ts';

t.test('nulls, -1 and ranges of sensors and motors', async (t) => {
  const loaded = loadConfiguration({ profilesDir: undefined, retentionMs: 365 * 86_400_000 });
  // As it comes out of the log.
  const config = compile(JSON.parse(JSON.stringify(loaded)));
  const ask = (channel: string, values: Value[]): unknown => {
    const columns = chunkOf(
      values.map((value, i) =>
        reading(channel, value, {
          timeMs: T0 - 20_000 + i * 10_000,
          quality: value === null ? Quality.NULL : Quality.GOOD,
        }),
      ),
    );
    const judgement = judge(new GatewayValidation('demo'), config, columns);
    t.same(judgement.quarantined, []);
    return verdictsOf(judgement).get(values.length);
  };
  const filled = (finding: string, value: number): object => ({
    findings: [finding],
    treatment: Treatment.FILLED,
    value,
  });
  t.same(ask('sensor1', [21.5, null]), filled('null_value', 21.5));
  t.same(ask('sensor3', [100.5, -1]), filled('sentinel', 100.5));
  t.same(ask('motor2', [1_400, null]), filled('null_value', 0));
  t.same(ask('motor2', [1_400, -1]), filled('sentinel', 0));
  t.match(ask('motor3', [1_801]), { findings: ['out_of_range'], treatment: Treatment.FLAGGED });
  t.equal(ask('sensor2', [0, 100]), undefined);
  t.equal(ask('isFail', [false, true]), undefined);
  t.equal(ask('isFail', [0, 1]), undefined, 'as a number');
  t.match(ask('isFail', ['broken']), { findings: ['wrong_type'] });
});
