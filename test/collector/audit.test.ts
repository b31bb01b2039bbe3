/** The audit log of a whole collector: its commands, killed processes, a lost log, and a hand in the store. */

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import t from 'tap';
import { auditHead, exportAudit, verifyAudit } from '../../collector/commands/audit.ts';
import { openChdbStore } from '../../collector/store/chdb.ts';
import { CollectorProcess, fmsCollector } from '../support/collector-process.ts';

interface Item {
  number: number;
  action: string;
  who: string;
}

const TIMEOUT = { timeout: 900_000 };

t.test(
  'what is done is in the chain, whatever is killed, and shows when changed',
  TIMEOUT,
  async (t) => {
    const collector = new CollectorProcess(t);
    const { configFile: config } = collector;
    /** As the command line does it, within this process. */
    const run = async (
      command: (
        options: { config: string; url: string },
        output: Pick<Console, 'log' | 'error'>,
      ) => Promise<number>,
    ): Promise<{ code: number; output: string }> => {
      const lines: string[] = [];
      const say = (line: string): void => void lines.push(line);
      const code = await command({ config, url: collector.base }, { log: say, error: say });
      return { code, output: lines.join('\n') };
    };
    const verify = (more: { anchor?: string; after?: string; json?: boolean } = {}) =>
      run((options, output) => verifyAudit({ ...options, ...more }, {}, output));
    const fetched = async (more: { out?: string; from?: string }) => {
      let text = '';
      const stdout = new Writable({
        write(chunk: Buffer, _encoding, done) {
          text += chunk.toString();
          done();
        },
      });
      const asked = { format: 'jsonl', ...more };
      const answer = await run((options, output) =>
        exportAudit({ ...options, ...asked }, {}, output, stdout),
      );
      return { ...answer, text };
    };
    const items = async (): Promise<Item[]> =>
      (await collector.get<{ items: Item[] }>('/api/v1/audit?limit=1000')).items;
    const stored = (count: number) =>
      collector.until(`${count} entries are stored`, async () => (await items()).length >= count);
    const numbersIn = (text: string): number[] =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as Item).number);

    await collector.start();
    t.match(await fetched({}), { code: 0 });
    await stored(1);
    const first = (await items()).length;
    const out = join(collector.folder, 'audit.jsonl');
    t.match(await fetched({ out }), { code: 0, output: '', text: '' });
    t.same(
      numbersIn(readFileSync(out, 'utf8')).slice(0, first),
      Array.from({ length: first }, (_, i) => i + 1),
    );
    t.match(await fetched({ out }), { code: 1, output: /EEXIST/ });
    t.match(await fetched({ from: 'yesterday' }), { code: 2 });
    const count = first + 1;
    await stored(count);
    t.match(await verify(), {
      code: 0,
      output: new RegExp(`whole: ${count} entries, 1 to ${count}`),
    });
    const head = await run((options, output) => auditHead(options, {}, output));
    t.match(head, { code: 0, output: new RegExp(`^${count}:[0-9a-f]{64}$`) });
    const anchor = head.output;
    t.match(await verify({ anchor }), { code: 0 });
    t.match(await verify({ anchor: anchor.replace(/.$/, 'x') }), { code: 2 });
    t.match(await verify({ anchor: `${count}:${'0'.repeat(64)}` }), { code: 1, output: /another/ });
    t.match(await verify({ anchor: `99${anchor}` }), { code: 1, output: /not there/ });

    // Between the append and what the processor makes of it, or after: nobody knows.
    await Promise.all([1, 2, 3].map(() => fetched({})));
    await collector.stop('SIGKILL');
    await collector.start();
    await stored(count + 3);
    t.match(await verify({ anchor }), { code: 0, output: /whole: / });
    const before = (await items()).length;
    await collector.stop();

    for (const name of readdirSync(collector.dataDir))
      if (name.startsWith('log.sqlite')) rmSync(join(collector.dataDir, name));
    await collector.start();
    await fetched({});
    await stored(before + 2);
    const continued = (await items()).find(({ number }) => number === before + 1);
    t.match(continued, { action: 'audit.chain_continued', who: 'collector' });
    t.match(await verify({ anchor }), { code: 0, output: /whole: / });
    await collector.stop();
    t.match(collector.output, /head of the audit log/);

    const store = await openChdbStore({ path: join(collector.dataDir, 'store') });
    const limits = { timeoutMs: 120_000, maxMemoryBytes: 2 ** 30 };
    const change = `ALTER TABLE audit UPDATE who = 'nobody' WHERE number = 2 SETTINGS mutations_sync = 1`;
    await store.execute(change, {}, limits);
    await store.close();
    await collector.start();
    const verdict = await fmsCollector(
      t,
      'audit',
      'verify',
      '--config',
      config,
      '--url',
      collector.base,
    );
    t.match(verdict, { code: 1, output: /BROKEN: entry 2 is not what was hashed/ });
    t.match(await verify({ after: '2' }), { code: 0 });
    const json = await verify({ json: true });
    t.match(JSON.parse(json.output), { ok: false, broken_at: 2, reason: 'changed' });
  },
);
