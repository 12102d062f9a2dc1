// What every keyspace must do, against a model that keeps all changes in one list and looks everything up in it.
// Invariant: the model shares no code with any keyspace.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KeyRange, KeyValue } from '../../../src/store/contract.ts';
import type { Change, Keyspace, LeaseRecord } from '../../../src/store/keyspace.ts';

const text = new TextEncoder();
const bytes = (key: string): Uint8Array => text.encode(key);
const name = (key: Uint8Array): string => new TextDecoder().decode(key);

class Model {
  changes: Change[] = [];
  leases = new Map<string, LeaseRecord>();
  floor = -1;

  copy(): Model {
    const copy = new Model();
    copy.changes = [...this.changes];
    copy.leases = new Map(this.leases);
    copy.floor = this.floor;
    return copy;
  }

  get revision(): number {
    return this.changes.at(-1)?.entry.modRevision ?? 1;
  }

  at(key: string, revision: number): KeyValue | undefined {
    const last = this.changes.findLast(
      ({ entry }) => name(entry.key) === key && entry.modRevision <= revision,
    );
    return last?.type === 'put' ? last.entry : undefined;
  }

  scan(range: KeyRange, revision: number): KeyValue[] {
    const keys = [...new Set(this.changes.map(({ entry }) => name(entry.key)))].sort();
    return keys.filter((key) => within(range, key)).flatMap((key) => this.at(key, revision) ?? []);
  }

  history(range: KeyRange, from: number, to: number): Change[] {
    return this.changes
      .filter(
        ({ entry: { key, modRevision } }) =>
          modRevision >= from && modRevision <= to && within(range, name(key)),
      )
      .map((change) =>
        change.entry.modRevision <= this.floor ? { ...change, previous: undefined } : change,
      );
  }
}

function within({ key, end }: KeyRange, candidate: string): boolean {
  if (end === undefined) return candidate === name(key);
  return candidate >= name(key) && (end.length === 0 || candidate < name(end));
}

const aKey = fc.constantFrom('a', 'b', 'bb', 'c', 'd');
const aRange: fc.Arbitrary<KeyRange> = fc.oneof(
  aKey.map((key) => ({ key: bytes(key) })),
  fc
    .tuple(aKey, fc.constantFrom('', 'b', 'bc', 'e'))
    .map(([key, end]) => ({ key: bytes(key), end: bytes(end) })),
);
const aChange = fc.record({
  key: aKey,
  value: fc.option(fc.string({ maxLength: 3 })),
  lease: fc.constantFrom(undefined, '7', '8'),
});
const aStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('write' as const),
      changes: fc.uniqueArray(aChange, { selector: ({ key }) => key, minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('compact' as const), back: fc.nat(6) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('lease' as const),
      id: fc.constantFrom('7', '8', '9'),
      remainingMs: fc.nat(9_000),
    }),
  },
);
const aTransaction = fc.record({ steps: fc.array(aStep, { maxLength: 5 }), commit: fc.boolean() });
type Step = typeof aStep extends fc.Arbitrary<infer S> ? S : never;

function takeStep(keyspace: Keyspace, model: Model, step: Step): void {
  if (step.type === 'compact') {
    const floor = model.revision - step.back;
    if (floor <= model.floor || floor < 1) return;
    keyspace.compact(floor);
    model.floor = floor;
  } else if (step.type === 'lease') {
    const record = { id: step.id, grantedSeconds: 9, remainingMs: step.remainingMs };
    if (step.remainingMs < 100) {
      keyspace.deleteLease(step.id);
      model.leases.delete(step.id);
    } else {
      keyspace.putLease(record);
      model.leases.set(step.id, record);
    }
  } else {
    const revision = model.revision + 1;
    let sub = 0;
    for (const { key, value, lease } of step.changes) {
      const previous = keyspace.get(bytes(key));
      if (value === null && previous === undefined) continue;
      const entry: KeyValue =
        value === null
          ? { key: bytes(key), value: bytes(''), createRevision: 0, modRevision: revision, version: 0 }
          : {
              key: bytes(key),
              value: bytes(value),
              createRevision: previous?.createRevision ?? revision,
              modRevision: revision,
              version: (previous?.version ?? 0) + 1,
              lease,
            };
      const change: Change = { type: value === null ? 'delete' : 'put', sub: sub++, entry, previous };
      keyspace.write(revision, [change]);
      model.changes.push(change);
    }
  }
}

function compare(keyspace: Keyspace, model: Model, range: KeyRange, back: number, limit: number): void {
  expect(keyspace.revision).toBe(model.revision);
  expect(keyspace.compactRevision).toBe(model.floor);
  const at = Math.max(model.revision - back, model.floor, 1);
  const there = model.scan(range, at);
  expect([...keyspace.scan(range, at, { keysOnly: false, descending: false })]).toEqual(there);
  expect([...keyspace.scan(range, at, { keysOnly: false, descending: true })]).toEqual(there.toReversed());
  expect([...keyspace.scan(range, undefined, { keysOnly: true, descending: false })]).toEqual(
    model.scan(range, model.revision).map((entry) => ({ ...entry, value: bytes('') })),
  );
  expect(keyspace.count(range, at)).toBe(there.length);
  expect(keyspace.count(range)).toBe(model.scan(range, model.revision).length);
  expect(keyspace.get(range.key, at)).toEqual(model.at(name(range.key), at));
  const page = { changes: limit, bytes: 8 };
  const { changes, through } = keyspace.history(range, at, model.revision, page);
  expect(changes).toEqual(model.history(range, at, through));
  // It goes on, and stops early only when it has enough.
  expect(through).toBeGreaterThanOrEqual(at);
  const bytesRead = changes.reduce((sum, { entry }) => sum + entry.key.length + entry.value.length, 0);
  if (through < model.revision) expect(changes.length >= limit || bytesRead >= page.bytes).toBe(true);
  for (const id of ['7', '8', '9']) {
    expect(keyspace.lease(id)).toEqual(model.leases.get(id));
    const held = model.scan({ key: bytes('a'), end: bytes('') }, model.revision);
    expect(keyspace.keysOf(id)).toEqual(held.filter(({ lease }) => lease === id).map(({ key }) => key));
  }
  expect(new Set(keyspace.leases().map(({ id }) => id))).toEqual(new Set(model.leases.keys()));
}

/** Runs the same transactions on both and compares all that can be read, in the transaction and after it. */
function sameAsModel(
  keyspace: Keyspace,
  transactions: readonly { steps: Step[]; commit: boolean }[],
  range: KeyRange,
  back: number,
  limit: number,
): void {
  let model = new Model();
  for (const { steps, commit } of transactions) {
    const before = model.copy();
    keyspace.begin();
    for (const step of steps) takeStep(keyspace, model, step);
    compareNewest(keyspace, model, range);
    if (commit) keyspace.commit();
    else {
      keyspace.rollback();
      model = before;
    }
    compare(keyspace, model, range, back, limit);
  }
}

function compareNewest(keyspace: Keyspace, model: Model, range: KeyRange): void {
  expect(keyspace.revision).toBe(model.revision);
  expect([...keyspace.scan(range, undefined, { keysOnly: false, descending: false })]).toEqual(
    model.scan(range, model.revision),
  );
}

export function keyspaceBehaves(open: () => Keyspace, runs: number): void {
  test('reads, history, leases and roll-backs are those of a list of changes', () => {
    fc.assert(
      fc.property(
        fc.array(aTransaction, { maxLength: 8 }),
        aRange,
        fc.nat(6),
        fc.integer({ min: 1, max: 5 }),
        (transactions, range, back, limit) => {
          const keyspace = open();
          try {
            sameAsModel(keyspace, transactions, range, back, limit);
          } finally {
            keyspace.close();
          }
        },
      ),
      { numRuns: runs },
    );
  });
}

/** Whether the property above notices what is wrong with a keyspace. */
export function fails(open: () => Keyspace): boolean {
  const property = fc.property(
    fc.array(aTransaction, { maxLength: 8 }),
    aRange,
    fc.nat(6),
    fc.integer({ min: 1, max: 5 }),
    (transactions, range, back, limit) => sameAsModel(open(), transactions, range, back, limit),
  );
  return fc.check(property, { numRuns: 2_000 }).failed;
}
