/** What every log keeps to, on a real Kafka. What is Kafka's own is in kafka-own.test.ts. */

import { createHash } from 'node:crypto';
import t from 'tap';
import { openKafkaLog } from '../../../collector/log/kafka.ts';
import { logContract } from '../../contracts/log.ts';
import { kafkaMissing } from '../../support/kafka/cache.ts';
import { kafkaForTests } from '../../support/kafka.ts';
import { silentLogger } from '../../support/silent-logger.ts';

t.test('contract', { skip: kafkaMissing() }, async (t) => {
  const kafka = await kafkaForTests(t);
  logContract(t, {
    open: (folder, over) => {
      // Topics of its own for each folder.
      const prefix = createHash('sha256').update(folder).digest('hex').slice(0, 12);
      return openKafkaLog({ ...over, kafka: kafka.config(prefix), log: silentLogger });
    },
    capabilities: {
      byteCap: 'sizes are estimates, offsets have holes: see kafka-own.test.ts',
      exactTrim: true,
      exclusive: 'many processes share the log; who may write what is fenced',
      clock: 'times are those of the brokers',
    },
  });
});
