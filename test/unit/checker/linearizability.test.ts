// Histories that are linearizable, histories that are not, and random ones compared with every order there is.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  linearizability,
  sequentialConsistency,
  type HistoryCall,
  type HistoryEvent,
  type SequentialSpec,
} from '../../../src/checker/index.ts';
import { callsOf } from '../../../src/checker/history.ts';
import {
  bag,
  hasOrder,
  inProcessOrder,
  inRealTime,
  queue,
  register,
  registerHistory,
  store,
  type QueueOp,
  type RegisterOp,
  type StoreOp,
} from './objects.ts';

const judge = (lines: string) => linearizability(register).check(registerHistory(lines));

describe('a history of a register', () => {
  it('is linearizable when a read overlaps a write and sees either value', () => {
    for (const seen of [0, 1])
      expect(judge(`a: write 1\n b: read\n b → ${seen}\n a → ok`).consistent).toBe(true);
  });

  it('is not linearizable when a read that began after a write returned does not see it', () => {
    const verdict = judge('a: write 1\n a → ok\n b: read\n b → 0');
    expect(verdict).toMatchObject({ consistent: false, violation: { prefix: 4 } });
  });

  it('is not linearizable when a later read sees an older value than an earlier one', () => {
    // Both reads overlap the write, so each alone could see either value.
    const inverted = 'w: write 1\n a: read\n a → 1\n b: read\n b → 0\n w → ok\n c: write 2\n c → ok';
    const verdict = judge(inverted);
    expect(verdict.consistent).toBe(false);
    if (!verdict.consistent)
      expect(verdict.violation.text.split('\n')).toEqual([
        'not linearizable: the first 5 events have no order, because of event 4, b: read → 0',
        'these cannot be ordered (from event to event):',
        '  0–…  w: write 1, open',
        '  3–4  b: read → 0',
        'after w: write 1 the state is 1: b: read would return 1, not 0',
      ]);
    // The other way round there is an order.
    expect(judge(inverted.replace('a → 1', 'a → 0').replace('b → 0', 'b → 1')).consistent).toBe(true);
  });

  it('may see a write that never returned, at any time, and need not', () => {
    const late = (...seen: number[]) =>
      judge(`w: write 1\n${seen.map((value) => `a: read\n a → ${value}`).join('\n')}`).consistent;
    expect(late(0, 0, 1, 1)).toBe(true);
    expect(late(0, 0)).toBe(true);
    expect(late(0, 1, 0)).toBe(false);
  });

  it('does not see a write that failed', () => {
    expect(judge('w: write 1\n w failed\n a: read\n a → 0').consistent).toBe(true);
    expect(judge('w: write 1\n w failed\n a: read\n a → 1').consistent).toBe(false);
  });

  it('gives the order that it found, in which every result is right', () => {
    const verdict = judge('a: write 1\n b: write 2\n c: read\n c → 1\n d: read\n d → 2\n a → ok\n b → ok');
    const order = verdict.consistent
      ? verdict.orders.map((calls) => calls.map(({ process }) => process))
      : [];
    expect(order).toEqual([['a', 'c', 'b', 'd']]);
  });

  it('is refused when a process asks twice or gets what it did not ask for', () => {
    expect(() => judge('a: read\n a: read')).toThrow(
      /event 1: process a invokes "read" while its operation of event 0/,
    );
    expect(() => judge('a → ok')).toThrow(/event 0: process a has a return but no open operation/);
    expect(() => judge('a: read\n a → 0\n a failed')).toThrow(/event 2: process a has a fail/);
  });
});

describe('other objects', () => {
  const queued = (first: number, second: number): HistoryEvent<QueueOp, number | null>[] => [
    { type: 'invoke', process: 'p', operation: { add: 1 } },
    { type: 'return', process: 'p', result: null },
    { type: 'invoke', process: 'p', operation: { add: 2 } },
    { type: 'invoke', process: 'c', operation: 'take' },
    { type: 'return', process: 'c', result: first },
    { type: 'return', process: 'p', result: null },
    { type: 'invoke', process: 'c', operation: 'take' },
    { type: 'return', process: 'c', result: second },
  ];

  it('a queue gives in the order in which it got, a bag in any', () => {
    expect(linearizability(queue).check(queued(1, 2)).consistent).toBe(true);
    expect(linearizability(queue).check(queued(2, 1)).consistent).toBe(false);
    expect(linearizability(bag).check(queued(2, 1)).consistent).toBe(true);
    expect(linearizability(bag).check(queued(2, 2)).consistent).toBe(false);
  });

  it('a store is judged key by key, and the earliest violation counts', () => {
    const get = (key: string, result: number): HistoryEvent<StoreOp, number | 'ok' | 'no'>[] => [
      { type: 'invoke', process: 'a', operation: { key } },
      { type: 'return', process: 'a', result },
    ];
    const put: HistoryEvent<StoreOp, number | 'ok' | 'no'>[] = [
      { type: 'invoke', process: 'a', operation: { key: 'x', put: 1, expect: 0 } },
      { type: 'return', process: 'a', result: 'ok' },
    ];
    const tester = linearizability(store);
    expect(tester.check([...put, ...get('x', 1), ...get('y', 0)])).toMatchObject({ consistent: true });
    expect(tester.check([...put, ...get('y', 2), ...get('x', 0)])).toMatchObject({
      consistent: false,
      violation: { prefix: 4 },
    });
  });
});

/** Histories of `spec` with results that are right half of the time, and operations that never return. */
function histories<S, O, R>(spec: SequentialSpec<S, O, R>, operations: readonly O[], results: readonly R[]) {
  const step = fc.record({
    process: fc.integer({ min: 0, max: 3 }),
    operation: fc.constantFrom(...operations),
    result: fc.constantFrom(...results),
    lucky: fc.boolean(),
  });
  return fc.array(step, { maxLength: 14 }).map((steps) => {
    const open = new Map<number, R>();
    let state = spec.initial;
    return steps.map(({ process, operation, result, lucky }): HistoryEvent<O, R> => {
      const right = open.get(process);
      if (right !== undefined) {
        open.delete(process);
        return { type: 'return', process, result: lucky ? right : result };
      }
      const [outcome] = [spec.apply(state, operation)].flat() as { state: S; result: R }[];
      if (outcome !== undefined) state = outcome.state;
      open.set(process, outcome?.result ?? result);
      return { type: 'invoke', process, operation };
    });
  });
}

/** The verdicts found, so that a test can see that it tried both kinds. */
function compare<S, O, R>(spec: SequentialSpec<S, O, R>, operations: readonly O[], results: readonly R[]) {
  const verdicts = new Map<boolean, number>();
  const linearizable = linearizability(spec);
  const sequential = sequentialConsistency(spec);
  const oracle = (
    events: readonly HistoryEvent<O, R>[],
    order: (a: HistoryCall, b: HistoryCall) => boolean,
  ) => hasOrder(spec, callsOf(events), order);
  fc.assert(
    fc.property(histories(spec, operations, results), (events) => {
      const verdict = linearizable.check(events);
      expect(verdict.consistent).toBe(oracle(events, inRealTime));
      expect(sequential.check(events).consistent).toBe(oracle(events, inProcessOrder));
      if (!verdict.consistent) {
        const { prefix } = verdict.violation;
        expect(oracle(events.slice(0, prefix), inRealTime)).toBe(false);
        expect(oracle(events.slice(0, prefix - 1), inRealTime)).toBe(true);
      }
      verdicts.set(verdict.consistent, (verdicts.get(verdict.consistent) ?? 0) + 1);
    }),
    { numRuns: 600, seed: 3 },
  );
  return Math.min(verdicts.get(true) ?? 0, verdicts.get(false) ?? 0);
}

describe('random histories agree with every order there is', () => {
  const numbers = [0, 1, 2];

  it('of a register, smallest prefix included', () => {
    const operations: RegisterOp[] = ['read', 'read', { write: 1 }, { write: 2 }];
    expect(compare(register, operations, [...numbers, 'ok'])).toBeGreaterThan(100);
  });

  it('of one key of a store with compare-and-set', () => {
    const operations: StoreOp[] = [{ key: 'x' }, { key: 'x', put: 1 }, { key: 'x', put: 2, expect: 1 }];
    expect(compare(store, operations, [...numbers, 'ok', 'no'])).toBeGreaterThan(100);
  });

  it('of a queue, and of a bag that may give any of its items', () => {
    const operations: QueueOp[] = ['take', { add: 1 }, { add: 2 }];
    expect(compare(queue, operations, [1, 2, null])).toBeGreaterThan(100);
    expect(compare(bag, operations, [1, 2, null])).toBeGreaterThan(100);
  });
});

describe('sequential consistency', () => {
  it('lets a process see what is long out of date, which linearizability does not', () => {
    const stale = registerHistory('a: write 1\n a → ok\n b: read\n b → 0');
    expect(sequentialConsistency(register).check(stale).consistent).toBe(true);
    expect(linearizability(register).check(stale).consistent).toBe(false);
  });

  it('does not let two processes see two writes in different orders', () => {
    const [one, two] = ['b: read\n b → 1\n b: read\n b → 2\n', 'c: read\n c → 2\n c: read\n c → 1\n'];
    const writes = 'v: write 1\n w: write 2\n';
    const verdict = sequentialConsistency(register).check(registerHistory(writes + one + two));
    expect(verdict.consistent).toBe(false);
    if (!verdict.consistent) expect(verdict.violation.text).toMatch(/^not sequentially consistent: no order/);
    expect(
      sequentialConsistency(register).check(registerHistory(writes + one + one.replaceAll('b', 'c')))
        .consistent,
    ).toBe(true);
  });
});

/** `count` operations of 8 clients on a register that is right; every operation overlaps several others. */
function longHistory(count: number): HistoryEvent<RegisterOp, number | 'ok'>[] {
  const random = fc.sample(fc.integer({ min: 0, max: 999 }), { numRuns: count * 4, seed: 7 });
  const open = new Map<number, { operation: RegisterOp; result?: number | 'ok' }>();
  const events: HistoryEvent<RegisterOp, number | 'ok'>[] = [];
  let [value, invoked] = [0, 0];
  for (let i = 0; invoked < count || open.size > 0; i++) {
    const dice = random[i % random.length] as number;
    const process = (dice + i) % 8;
    const call = open.get(process);
    if (call === undefined) {
      if (invoked === count) continue;
      const operation: RegisterOp = dice % 2 === 0 ? 'read' : { write: dice % 5 };
      open.set(process, { operation });
      events.push({ type: 'invoke', process, operation });
      invoked++;
    } else if (call.result === undefined) {
      // The instant in which it takes place, somewhere between invocation and return.
      if (call.operation !== 'read') value = call.operation.write;
      call.result = call.operation === 'read' ? value : 'ok';
    } else {
      events.push({ type: 'return', process, result: call.result });
      open.delete(process);
    }
  }
  return events;
}

describe('long histories', () => {
  it('of 4 000 operations of 8 clients are judged, right or wrong', () => {
    const events = longHistory(4_000);
    expect(linearizability(register).check(events).consistent).toBe(true);
    // One read late in the history returns what nobody wrote.
    const at = events.findLastIndex((event) => event.type === 'return' && event.result !== 'ok');
    const broken = events.with(at, { ...events[at], result: 7 } as (typeof events)[number]);
    expect(linearizability(register).check(broken)).toMatchObject({
      consistent: false,
      violation: { prefix: at + 1 },
    });
  });

  it('with 24 writes that never return are judged, because those that are not needed are not tried in vain', () => {
    const lost = Array.from({ length: 24 }, (_, i) => `lost${i}: write ${i % 4}`).join('\n');
    const reads = [1, 3, 2, 1, 0, 3].map((value) => `a: read\n a → ${value}`).join('\n');
    expect(judge(`${lost}\n${reads}`).consistent).toBe(true);
    expect(judge(`${lost}\n${reads}\n a: read\n a → 9`)).toMatchObject({ consistent: false });
  });
});
