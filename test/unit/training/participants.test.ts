// Who is asked: as many as wanted, the same ones each time, everyone equally often.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseParticipants, type Choice } from '../../../src/training/participants.ts';

const ids = (count: number): string[] => Array.from({ length: count }, (_, k) => `n${k}`);
const choose = (choice: Partial<Choice>): string[] =>
  chooseParticipants({ seed: 1, round: 1, epoch: 1, candidates: ids(100), ...choice });

test.each([
  [{}, 100],
  [{ fraction: 0.1 }, 10],
  [{ fraction: 0.29 }, 29],
  [{ fraction: 0.001 }, 1],
  [{ fraction: 0.1, minNodes: 20 }, 20],
  [{ fraction: 0.5, maxNodes: 7 }, 7],
  [{ maxNodes: 3 }, 3],
  [{ candidates: ids(3), minNodes: 5 }, 3],
  [{ candidates: ids(8), fraction: 0.5 }, 4],
  [{ candidates: [] }, 0],
])('with %o are asked: %d', (choice, count) => {
  expect(choose(choice)).toHaveLength(count);
});

const aChoice = fc.record({
  seed: fc.maxSafeInteger(),
  round: fc.integer({ min: 1, max: 1e6 }),
  epoch: fc.nat(1e6),
  candidates: fc.uniqueArray(fc.string(), { maxLength: 30 }),
  fraction: fc.double({ min: 0.01, max: 1, noNaN: true }),
});

test('the order in which candidates are named changes nothing; who is chosen is a candidate, once, in order', () => {
  fc.assert(
    fc.property(aChoice, (choice) => {
      const chosen = chooseParticipants(choice);
      expect(chooseParticipants({ ...choice, candidates: choice.candidates.toReversed() })).toEqual(chosen);
      expect(new Set(chosen).size).toBe(chosen.length);
      expect(choice.candidates).toEqual(expect.arrayContaining(chosen));
      expect(chosen.toSorted()).toEqual(chosen);
    }),
  );
});

test('a candidate more takes one place at most', () => {
  fc.assert(
    fc.property(aChoice, fc.string(), (choice, joiner) => {
      const { candidates } = choice;
      fc.pre(!candidates.includes(joiner));
      const count = { fraction: 1, maxNodes: 5 };
      const before = chooseParticipants({ ...choice, ...count });
      const after = chooseParticipants({ ...choice, ...count, candidates: [...candidates, joiner] });
      expect(before.filter((node) => !after.includes(node)).length).toBeLessThanOrEqual(1);
    }),
  );
});

test('another seed, round or epoch chooses others', () => {
  const ten = { fraction: 0.1 };
  const one = choose(ten).join();
  const others = [{ seed: 2 }, { seed: 2 ** 32 + 1 }, { seed: -1 }, { round: 2 }, { epoch: 2 }];
  for (const other of others) expect(choose({ ...ten, ...other }).join()).not.toBe(one);
});

type Chooser = (choice: Choice) => string[];

/** χ² of how often each of 20 nodes is among 5, and of how often the pairs are, over 4 000 rounds. */
function unevenness(chooser: Chooser): { ofNodes: number; ofPairs: number } {
  const nodes = ids(20);
  const rounds = 4_000;
  const single = new Map<string, number>();
  const pairs = new Map<string, number>();
  for (let round = 1; round <= rounds; round += 1) {
    const chosen = chooser({ seed: 42, round, epoch: round % 3, candidates: nodes, fraction: 0.25 });
    for (const [at, node] of chosen.entries()) {
      single.set(node, (single.get(node) ?? 0) + 1);
      for (const other of chosen.slice(at + 1))
        pairs.set(`${node} ${other}`, (pairs.get(`${node} ${other}`) ?? 0) + 1);
    }
  }
  const chi = (counts: Map<string, number>, kinds: number, total: number): number => {
    const expected = total / kinds;
    const seen = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    return seen + (kinds - counts.size) * expected;
  };
  return { ofNodes: chi(single, 20, rounds * 5), ofPairs: chi(pairs, 190, rounds * 10) };
}

test('everyone, and every pair, is asked equally often', () => {
  const { ofNodes, ofPairs } = unevenness(chooseParticipants);
  // 99.9th percentiles of χ² with 19 and with 189 degrees of freedom.
  expect(ofNodes).toBeLessThan(43.8);
  expect(ofPairs).toBeLessThan(255);
});

test('who always asks the first ones, or neighbours, is noticed', () => {
  const count = ({ candidates, fraction = 1 }: Choice): number => Math.round(candidates.length * fraction);
  const first: Chooser = (choice) => choice.candidates.slice(0, count(choice));
  const neighbours: Chooser = (choice) =>
    Array.from(
      { length: count(choice) },
      (_, k) => choice.candidates[(choice.round + k) % choice.candidates.length] ?? '',
    );
  expect(unevenness(first).ofNodes).toBeGreaterThan(43.8);
  expect(unevenness(neighbours).ofPairs).toBeGreaterThan(255);
});
