// What a run keeps in the store, as it is written down.
import { expect, test } from 'vitest';
import {
  budgetKey,
  budgetRecord,
  checkpointKey,
  piecesPrefix,
  roundKey,
  roundRecord,
  roundsPrefix,
  type BudgetRecord,
  type RoundRecord,
} from '../../../src/protocol/training-records.ts';

test('all of a run stands under its id, which is one segment', () => {
  const run = 'digits/2 %';
  expect([
    checkpointKey(run),
    piecesPrefix(run),
    budgetKey(run),
    roundsPrefix(run),
    roundKey(run, 7),
  ]).toEqual([
    '/holdfast/training/digits%2F2%20%25/checkpoint',
    '/holdfast/training/digits%2F2%20%25/checkpoint/',
    '/holdfast/training/digits%2F2%20%25/budget',
    '/holdfast/training/digits%2F2%20%25/rounds/',
    '/holdfast/training/digits%2F2%20%25/rounds/0000000007',
  ]);
});

test('rounds are in order as text', () => {
  const keys = [1, 2, 10, 99, 100, 1_000_000].map((round) => roundKey('r', round));
  expect(keys.toSorted()).toEqual(keys);
});

test('a record is read as it was written; what is none is refused', () => {
  const round: RoundRecord = {
    round: 1,
    epoch: 2,
    abandoned: 1,
    asked: 4,
    answered: 3,
    refused: 1,
    late: 0,
    lost: 0,
    durationMs: 12.5,
    samples: 1_800,
    participants: ['n1', 'n2', 'n3'],
    model: 'ab'.repeat(32),
    metrics: { loss: 0.25 },
    evaluation: {},
  };
  const budget: BudgetRecord = { consumedMs: 120_000.5, state: 'paused' };
  expect(roundRecord.parse(JSON.parse(JSON.stringify(round)))).toEqual(round);
  expect(budgetRecord.parse(JSON.parse(JSON.stringify(budget)))).toEqual(budget);
  expect(roundRecord.safeParse({ ...round, round: 0 }).success).toBe(false);
  expect(roundRecord.safeParse({ ...round, model: 'unknown' }).success).toBe(false);
  expect(budgetRecord.safeParse({ ...budget, consumedMs: -1 }).success).toBe(false);
});
