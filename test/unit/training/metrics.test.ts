// The history of a run: what is averaged, what is kept, and what it looks like in files.
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { noLog, openStore } from '../../../src/index.ts';
import { limits } from '../../../src/protocol/limits.ts';
import { roundKey, type RoundRecord } from '../../../src/protocol/training-records.ts';
import type { Store } from '../../../src/store/contract.ts';
import {
  averageMetrics,
  readRounds,
  recordRound,
  roundsCsv,
  roundsJson,
} from '../../../src/training/metrics.ts';

const round = (number: number, more: Partial<RoundRecord> = {}): RoundRecord => ({
  round: number,
  epoch: number,
  abandoned: 0,
  asked: 4,
  answered: 3,
  refused: 0,
  late: 1,
  lost: 0,
  durationMs: 12.5,
  samples: 1_800,
  participants: ['n1', 'n2', 'n3'],
  model: 'ab'.repeat(32),
  metrics: { loss: 1 / number },
  evaluation: {},
  ...more,
});

async function memory(): Promise<Store> {
  const store = await openStore('memory:', { log: noLog() });
  onTestFinished(() => store.close());
  return store;
}

const commit = (store: Store, record: RoundRecord, run = 'r'): Promise<unknown> =>
  store.txn({ success: recordRound(run, record) });

async function read(store: Store, from = 1, log = noLog()): Promise<RoundRecord[]> {
  const records: RoundRecord[] = [];
  for await (const record of readRounds(store, 'r', { log, from })) records.push(record);
  return records;
}

test('rounds are read back in order, over many pages, from any of them on', async () => {
  const store = await memory();
  for (let number = 1; number <= 450; number += 1) await commit(store, round(number));
  await commit(store, round(9), 'r2');
  expect(await read(store)).toEqual(Array.from({ length: 450 }, (_, at) => round(at + 1)));
  expect((await read(store, 200)).map((record) => record.round)).toEqual(
    Array.from({ length: 251 }, (_, at) => at + 200),
  );
  expect(await read(store, 451)).toEqual([]);
});

test('a run that goes on from an older checkpoint forgets what came after it', async () => {
  const store = await memory();
  for (const number of [1, 2, 3, 4]) await commit(store, round(number));
  await commit(store, round(2, { epoch: 9 }));
  expect((await read(store)).map(({ round: number, epoch }) => [number, epoch])).toEqual([
    [1, 1],
    [2, 9],
  ]);
});

test('no more rounds are kept than limits allow', async () => {
  const store = await memory();
  const most = limits.maxKeptRounds;
  for (const number of [1, 2, 3, most]) await commit(store, round(number));
  expect((await read(store)).map((record) => record.round)).toEqual([1, 2, 3, most]);
  await commit(store, round(most + 1));
  expect((await read(store)).map((record) => record.round)).toEqual([2, 3, most, most + 1]);
  await commit(store, round(most + 3));
  expect((await read(store)).map((record) => record.round)).toEqual([most, most + 1, most + 3]);
});

test('a record that cannot be read is left out, and said', async () => {
  const store = await memory();
  for (const number of [1, 2, 3]) await commit(store, round(number));
  await store.put({
    key: new TextEncoder().encode(roundKey('r', 2)),
    value: new TextEncoder().encode('{"round":2}'),
  });
  const warned: string[] = [];
  const log = { ...noLog(), warn: (_: object, message: string) => void warned.push(message) };
  const records = await read(store, 1, log);
  expect(records.map((record) => record.round)).toEqual([1, 3]);
  expect(warned).toEqual([expect.stringMatching(/rounds\/0000000002 cannot be read/)]);
});

test('a round whose model was measured as NaN is in the history all the same', async () => {
  const store = await memory();
  const evaluation = { loss: Number.NaN, accuracy: 0.1, perplexity: Infinity };
  await commit(store, round(1, { evaluation }));
  expect(await read(store)).toEqual([round(1, { evaluation: { accuracy: 0.1 } })]);
});

test('a metric is averaged over the samples of those that report it', () => {
  expect(
    averageMetrics([
      { node: 'b', samples: 3, metrics: { loss: 1, accuracy: 0.5 } },
      { node: 'a', samples: 1, metrics: { loss: 5 } },
      { node: 'c', samples: 6, metrics: {} },
    ]),
  ).toEqual({ accuracy: 0.5, loss: 2 });
  expect(averageMetrics([])).toEqual({});
});

const aMetric = fc.double({ noNaN: true, noDefaultInfinity: true });
const metrics = fc.dictionary(fc.string(), aMetric, { maxKeys: 4 });
const reports = fc.uniqueArray(
  fc.record({ node: fc.string(), samples: fc.integer({ min: 1, max: 2 ** 40 }), metrics }),
  { selector: ({ node }) => node, minLength: 1, maxLength: 8 },
);

test('averages are finite and free of order', () => {
  fc.assert(
    fc.property(reports, (given) => {
      const average = averageMetrics(given);
      expect(averageMetrics(given.toReversed())).toEqual(average);
      for (const value of Object.values(average)) expect(Number.isFinite(value)).toBe(true);
    }),
  );
});

/** Reads CSV by the grammar of RFC 4180. */
function parseCsv(text: string): string[][] {
  const lines: string[][] = [];
  for (let at = 0; at < text.length;) {
    const line: string[] = [];
    for (;;) {
      let value = '';
      if (text[at] === '"') {
        for (at += 1; text[at] !== '"' || text[at + 1] === '"'; at += text[at] === '"' ? 2 : 1)
          value += text[at];
        at += 1;
      } else for (; !',\r'.includes(text[at] ?? ','); at += 1) value += text[at];
      line.push(value);
      if (text[at] !== ',') break;
      at += 1;
    }
    expect(text.slice(at, at + 2)).toBe('\r\n');
    at += 2;
    lines.push(line);
  }
  return lines;
}

const someRounds = fc
  .array(
    fc.record({ metrics, evaluation: metrics, durationMs: fc.double({ min: 0, max: 1e9, noNaN: true }) }),
    {
      maxLength: 5,
    },
  )
  .map((all) => all.map((one, at) => round(at + 1, one)));

test('CSV and JSON say every number as it is', () => {
  fc.assert(
    fc.property(someRounds, (records) => {
      expect(JSON.parse(roundsJson(records))).toEqual(JSON.parse(JSON.stringify(records)));
      const [head = [], ...lines] = parseCsv(roundsCsv(records));
      expect(new Set(head).size).toBe(head.length);
      expect(lines).toHaveLength(records.length);
      for (const [at, record] of records.entries()) {
        const value = (name: string): string => lines[at]?.[head.indexOf(name)] ?? '';
        expect(Number(value('durationMs'))).toBe(record.durationMs);
        for (const group of ['metrics', 'evaluation'] as const)
          for (const [name, number] of Object.entries(record[group]))
            expect(Number(value(`${group}.${name}`))).toBe(number + 0);
      }
    }),
  );
});

test('CSV and JSON look like this', () => {
  const records = [
    round(1, { metrics: { loss: 2.25 } }),
    round(2, { metrics: { loss: 1e-7 }, evaluation: { 'accuracy, "top 1"': 0.5 } }),
  ];
  expect(roundsCsv(records)).toBe(
    'round,epoch,abandoned,asked,answered,refused,late,lost,durationMs,samples,model,metrics.loss,"evaluation.accuracy, ""top 1"""\r\n' +
      `1,1,0,4,3,0,1,0,12.5,1800,${'ab'.repeat(32)},2.25,\r\n` +
      `2,2,0,4,3,0,1,0,12.5,1800,${'ab'.repeat(32)},1e-7,0.5\r\n`,
  );
  expect(roundsJson([])).toBe('[]\n');
  expect(roundsJson(records).split('\n')).toEqual([
    '[',
    `${JSON.stringify(records[0])},`,
    JSON.stringify(records[1]),
    ']',
    '',
  ]);
});
