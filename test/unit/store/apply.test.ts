// The evaluator against the naive store, and the rules that are easy to get wrong, one by one.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { apply, applyBatch } from '../../../src/store/apply.ts';
import { checkTxn } from '../../../src/store/txn-checks.ts';
import { isRefusal, type Command, type Outcome } from '../../../src/store/commands.ts';
import type { Comparison, KeyRange, Operation } from '../../../src/store/contract.ts';
import type { Change, Keyspace } from '../../../src/store/keyspace.ts';
import { MemoryKeyspace } from '../../../src/store/memory-keyspace.ts';
import { bytes, NaiveStore, text } from './naive-store.ts';

const aKey = fc.constantFrom('a', 'b', 'bb', 'c').map(bytes);
const aRange: fc.Arbitrary<KeyRange> = fc.record(
  { key: aKey, end: fc.constantFrom('', '', 'b', 'bc', 'z').map(bytes) },
  { requiredKeys: ['key'] },
);
const aLease = fc.constantFrom(undefined, '7', '-8');
const relation = fc.constantFrom('equal' as const, 'notEqual' as const, 'greater' as const, 'less' as const);
const aValue = fc.constantFrom('', 'x', 'xy', 'y').map(bytes);

const aComparison: fc.Arbitrary<Comparison> = fc.oneof(
  fc
    .tuple(
      aRange,
      relation,
      fc.constantFrom('version' as const, 'createRevision' as const, 'modRevision' as const),
      fc.nat(4),
    )
    .map(([range, is, target, operand]) => ({ ...range, relation: is, target, operand })),
  fc
    .tuple(aRange, relation, aValue)
    .map(([range, is, operand]) => ({ ...range, relation: is, target: 'value' as const, operand })),
  fc
    .tuple(aRange, relation, fc.constantFrom('0', '7', '-8'))
    .map(([range, is, operand]) => ({ ...range, relation: is, target: 'lease' as const, operand })),
);
const rarely = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
const flag = fc.constantFrom(undefined, undefined, true);
const aPut: fc.Arbitrary<Operation> = fc
  .record({ key: aKey, value: aValue, lease: aLease, ignoreValue: flag, ignoreLease: flag, previous: flag })
  .map(({ value, lease, ...put }) => ({
    type: 'put' as const,
    ...put,
    value: put.ignoreValue ? undefined : value,
    lease: put.ignoreLease ? undefined : lease,
  }));
const aDelete: fc.Arbitrary<Operation> = fc
  .tuple(aRange, flag)
  .map(([range, previous]) => ({ type: 'delete' as const, ...range, previous }));
const aRead: fc.Arbitrary<Operation> = fc
  .record({
    range: aRange,
    revision: rarely(fc.integer({ min: -1, max: 9 })),
    limit: fc.constantFrom(undefined, 0, 1, 1, 2),
    sort: fc.option(
      fc.record({
        by: fc.constantFrom(
          'key' as const,
          'version' as const,
          'createRevision' as const,
          'modRevision' as const,
          'value' as const,
        ),
        descending: fc.boolean(),
      }),
      { nil: undefined },
    ),
    keysOnly: flag,
    countOnly: flag,
    minModRevision: rarely(fc.nat(4)),
    maxCreateRevision: rarely(fc.nat(6)),
  })
  .map(({ range, ...rest }) => ({ type: 'range' as const, ...range, ...rest }));

const { operation } = fc.letrec<{ operation: Operation; txn: Operation }>((tie) => ({
  operation: fc.oneof(
    { weight: 4, arbitrary: aPut },
    { weight: 2, arbitrary: aDelete },
    { weight: 2, arbitrary: aRead },
    { weight: 2, arbitrary: tie('txn') },
  ),
  txn: fc
    .record({
      compare: fc.array(aComparison, { maxLength: 2 }),
      success: fc.array(tie('operation'), { maxLength: 3, depthIdentifier: 'txn' }),
      failure: fc.array(tie('operation'), { maxLength: 2, depthIdentifier: 'txn' }),
    })
    .map((txn) => ({ type: 'txn' as const, ...txn })),
}));

function allowed(candidate: Operation): boolean {
  if (candidate.type !== 'txn') return true;
  try {
    checkTxn(candidate);
    return true;
  } catch {
    return false;
  }
}

type Apply = (keyspace: Keyspace, command: Command, changes: Change[]) => Outcome;

/** Both get the same operations; each answer, each state and each change must be the same. */
function agreement(evaluate: Apply) {
  return fc.property(fc.array(operation.filter(allowed), { maxLength: 12 }), (operations) => {
    const keyspace = new MemoryKeyspace();
    const naive = new NaiveStore();
    keyspace.begin();
    for (const id of ['7', '-8']) {
      evaluate(keyspace, { type: 'grant', id, ttlSeconds: 5 }, []);
      naive.leases.add(id);
    }
    for (const next of operations) {
      const changes: Change[] = [];
      const before = naive.states.at(-1)!;
      const outcome = evaluate(keyspace, next, changes);
      const expected = naive.apply(next);
      expect(isRefusal(outcome) ? outcome.refused : { type: next.type, ...outcome }).toEqual(expected);
      expect(keyspace.revision).toBe(naive.revision);
      expectChanges(changes, before, naive);
    }
    for (let revision = 1; revision <= naive.revision; revision++) {
      const held = [
        ...keyspace.scan({ key: bytes('a'), end: bytes('') }, revision, {
          keysOnly: false,
          descending: false,
        }),
      ];
      expect(new Map(held.map((entry) => [text(entry.key), entry]))).toEqual(naive.states[revision]);
    }
  });
}

/** The changes lead from the state before to the state after. */
function expectChanges(
  changes: readonly Change[],
  before: NaiveStore['states'][number],
  naive: NaiveStore,
): void {
  const state = new Map(before);
  for (const [index, { type, sub, entry, previous }] of changes.entries()) {
    expect(sub).toBe(index);
    expect(entry.modRevision).toBe(naive.revision);
    expect(previous).toEqual(state.get(text(entry.key)));
    if (type === 'put') state.set(text(entry.key), entry);
    else state.delete(text(entry.key));
  }
  expect(state).toEqual(naive.states.at(-1));
}

describe('evaluator', () => {
  test('answers, changes and states are those of the naive store', () => {
    fc.assert(agreement(apply), { numRuns: 1_000 });
  });

  test('the comparison notices a revision for nothing, a missing earlier value and a limit that is off by one', () => {
    const wrong: Record<string, (outcome: Outcome) => Outcome> = {
      revision: (outcome) =>
        'deleted' in outcome && outcome.deleted === 0
          ? { ...outcome, revision: outcome.revision + 1 }
          : outcome,
      previous: (outcome) =>
        'previous' in outcome && !('deleted' in outcome) ? { ...outcome, previous: undefined } : outcome,
      limit: (outcome) =>
        'more' in outcome && outcome.more ? { ...outcome, entries: outcome.entries.slice(0, -1) } : outcome,
    };
    for (const [what, twist] of Object.entries(wrong)) {
      const broken: Apply = (keyspace, command, changes) => twist(apply(keyspace, command, changes));
      expect(fc.check(agreement(broken), { numRuns: 2_000 }).failed, what).toBe(true);
    }
  });
});

/** Runs commands one after another and answers the last outcome. */
function run(...commands: Command[]): Outcome {
  return runOn(new MemoryKeyspace(), ...commands);
}

function runOn(keyspace: Keyspace, ...commands: Command[]): Outcome {
  return commands.map((command) => applyBatch(keyspace, [command]).outcomes[0]!).at(-1)!;
}

const put = (key: string, value = '', lease?: string): Command => ({
  type: 'put',
  key: bytes(key),
  value: bytes(value),
  lease,
});
const get = (key: string, revision?: number): Command => ({ type: 'range', key: bytes(key), revision });
const del = (key: string): Command => ({ type: 'delete', key: bytes(key) });

describe('rules of the store', () => {
  test('a fresh store is at revision 1 and has compacted nothing', () => {
    expect(run({ type: 'status' })).toEqual({
      revision: 1,
      compactRevision: -1,
      sizeBytes: 0,
    });
  });

  test('a key that comes back after its deletion begins again at version 1', () => {
    const outcome = run(put('a'), put('a'), del('a'), put('a'), get('a'));
    expect(outcome).toMatchObject({ entries: [{ version: 1, createRevision: 5, modRevision: 5 }] });
  });

  test('below the floor reads are refused with the floor, at the floor they are not', () => {
    const keyspace = new MemoryKeyspace();
    runOn(keyspace, put('a', '1'), put('a', '2'), put('a', '3'), { type: 'compact', revision: 3 });
    expect(runOn(keyspace, get('a', 2))).toMatchObject({ refused: 'compacted', limit: 3 });
    expect(runOn(keyspace, get('a', 3))).toMatchObject({ entries: [{ value: bytes('2') }] });
    expect(runOn(keyspace, get('a', 5))).toMatchObject({ refused: 'future_revision', limit: 4 });
    expect(runOn(keyspace, { type: 'compact', revision: 3 })).toMatchObject({ refused: 'compacted' });
    expect(runOn(keyspace, { type: 'compact', revision: 5 })).toMatchObject({ refused: 'future_revision' });
    expect(runOn(keyspace, { type: 'history', key: bytes('a'), from: 2 })).toMatchObject({
      refused: 'compacted',
      limit: 3,
    });
  });

  test('a deletion at the floor is still in the history; one before it is not there to be told', () => {
    const keyspace = new MemoryKeyspace();
    runOn(keyspace, put('a'), put('b'), del('a'), put('c'), { type: 'compact', revision: 4 });
    const all = { key: bytes('a'), end: bytes('') };
    expect(runOn(keyspace, { type: 'history', ...all, from: 4 })).toMatchObject({
      changes: [
        { type: 'delete', entry: { key: bytes('a'), modRevision: 4 }, previous: undefined },
        { type: 'put' },
      ],
    });
    runOn(keyspace, { type: 'compact', revision: 5 });
    expect(runOn(keyspace, { type: 'history', key: bytes('a'), from: 5 })).toMatchObject({ changes: [] });
  });

  test('a lease and its keys go at one revision; a key that moved to another lease stays', () => {
    const keyspace = new MemoryKeyspace();
    for (const id of ['7', '8']) runOn(keyspace, { type: 'grant', id, ttlSeconds: 5 });
    runOn(keyspace, put('b', '', '7'), put('a', '', '7'), put('c', '', '7'), put('c', '', '8'));
    const { changes, outcomes } = applyBatch(keyspace, [{ type: 'revoke', id: '7' }]);
    expect(changes.map(({ type, sub, entry }) => [type, sub, text(entry.key), entry.modRevision])).toEqual([
      ['delete', 0, 'a', 6],
      ['delete', 1, 'b', 6],
    ]);
    expect(outcomes).toEqual([{ revision: 6 }]);
    expect(runOn(keyspace, { type: 'revoke', id: '7' })).toMatchObject({ refused: 'lease_not_found' });
    expect(runOn(keyspace, put('x', '', '7'))).toMatchObject({ refused: 'lease_not_found' });
    expect(runOn(keyspace, { type: 'leaseKeys', id: '8' })).toMatchObject({ keys: [bytes('c')] });
    // Nothing hangs on it: no revision.
    runOn(keyspace, del('c'));
    expect(runOn(keyspace, { type: 'revoke', id: '8' })).toEqual({ revision: 7 });
  });

  test('commands that came together are committed together, and history is read after all of them', () => {
    const keyspace = new MemoryKeyspace();
    const { changes, outcomes } = applyBatch(keyspace, [
      { type: 'history', key: bytes('a'), end: bytes(''), from: 2 },
      put('a'),
      put('b'),
    ]);
    expect(changes.map(({ entry }) => entry.modRevision)).toEqual([2, 3]);
    expect(outcomes[0]).toMatchObject({ revision: 3, through: 3, changes });
  });

  test('a commit that fails leaves nothing of the batch behind, and reads are answered', () => {
    class Full extends MemoryKeyspace {
      override commit(): void {
        throw new Error('disk full');
      }
    }
    const keyspace = new Full();
    const { changes, outcomes } = applyBatch(keyspace, [
      put('a'),
      { type: 'grant', id: '7', ttlSeconds: 1 },
      get('a'),
    ]);
    expect(outcomes).toEqual([
      expect.objectContaining({ refused: 'store_failed', message: expect.stringContaining('disk full') }),
      expect.objectContaining({ refused: 'store_failed' }),
      { revision: 1, entries: [], more: false, count: 0 },
    ]);
    expect([changes, keyspace.revision, keyspace.leases()]).toEqual([[], 1, []]);
  });
});
