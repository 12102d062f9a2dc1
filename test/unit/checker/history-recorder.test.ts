// Histories of real concurrent runs: a counter with and without a lost update, and operations that end in errors.
import { describe, expect, it } from 'vitest';
import { linearizability, recordHistory, type HistoryRecorder } from '../../../src/checker/index.ts';
import { register, type RegisterOp, type RegisterResult } from './objects.ts';

/** `add` returns the count before. */
const counter = linearizability<number, 'add', number>({
  initial: 0,
  apply: (count) => ({ state: count + 1, result: count }),
});

/** Reads, waits for a turn or two as a database would, then writes. */
function unlocked() {
  let count = 0;
  return async (turns: number): Promise<number> => {
    const before = count;
    for (let i = 0; i < turns; i++) await Promise.resolve();
    count = before + 1;
    return before;
  };
}

function locked() {
  const add = unlocked();
  let last: Promise<unknown> = Promise.resolve();
  return (turns: number): Promise<number> => {
    const mine = last.then(() => add(turns));
    last = mine;
    return mine;
  };
}

async function runOf(add: (turns: number) => Promise<number>): Promise<HistoryRecorder<'add', number>> {
  const recorder = recordHistory<'add', number>();
  const clients = [1, 2, 3].map(async (turns) => {
    for (let i = 0; i < 20; i++) await recorder.run(`client ${turns}`, 'add', () => add(turns));
  });
  await Promise.all(clients);
  return recorder;
}

describe('a recorded run', () => {
  it('of a counter behind a lock is linearizable', async () => {
    const { events } = await runOf(locked());
    expect(events).toHaveLength(120);
    expect(counter.check(events).consistent).toBe(true);
  });

  it('of a counter that loses updates is not, and the operations that overlap are named', async () => {
    const { events } = await runOf(unlocked());
    const verdict = counter.check(events);
    expect(verdict.consistent).toBe(false);
    if (verdict.consistent) return;
    expect(verdict.violation.text).toMatch(/^not linearizable: the first \d+ events have no order/);
    expect(new Set(verdict.violation.calls.map(({ process }) => process)).size).toBeGreaterThan(1);
    expect(counter.check(events.slice(0, verdict.violation.prefix - 1)).consistent).toBe(true);
  });
});

describe('an operation that ends in an error', () => {
  const failing = async (options: Parameters<typeof recordHistory>[0], seen: number) => {
    const recorder = recordHistory<RegisterOp, RegisterResult>(options);
    const lost = recorder.run('a', { write: 1 }, () => Promise.reject(new Error('connection lost')));
    await expect(lost).rejects.toThrow('connection lost');
    await recorder.run('a', 'read', () => seen);
    return recorder.events;
  };
  const isConsistent = async (...given: Parameters<typeof failing>) =>
    linearizability(register).check(await failing(...given)).consistent;

  it('may have taken place or not', async () => {
    expect(await isConsistent({}, 0)).toBe(true);
    expect(await isConsistent({}, 1)).toBe(true);
    expect(await isConsistent({}, 2)).toBe(false);
  });

  it('did not take place when the error says so', async () => {
    expect(await isConsistent({ isFailure: () => true }, 0)).toBe(true);
    expect(await isConsistent({ isFailure: () => true }, 1)).toBe(false);
  });

  it('lets its client go on under another name', async () => {
    expect((await failing({}, 0)).map(({ type, process }) => `${process} ${type}`)).toEqual([
      'a invoke',
      'a#2 invoke',
      'a#2 return',
    ]);
  });
});
