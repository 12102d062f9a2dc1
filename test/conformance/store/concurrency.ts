// Clients at once: each operation takes place in one instant between its call and its answer.
// Invariant: the histories are judged by the checker's tester, not by this suite.
import { expect, test } from 'vitest';
import type { Store } from '../../../src/store/contract.ts';
import { linearizability, Prng, recordHistory, type HistoryEvent } from '../../../src/testing/index.ts';
import { bytes, key, openStore, put, text, type StoreUnderTest } from './under-test.ts';

export type RegisterOperation =
  | { readonly type: 'read'; readonly key: string }
  | { readonly type: 'write'; readonly key: string; readonly value: string }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'swap'; readonly key: string; readonly from: string; readonly to: string };

/** What was read (`''`: nothing), or whether it was done. */
export type RegisterResult = string;

/** Keys as registers; a swap is a transaction that compares the value. */
const registers = linearizability<string, RegisterOperation, RegisterResult>({
  initial: '',
  partition: (operation) => operation.key,
  apply: (value, operation) => {
    switch (operation.type) {
      case 'read':
        return { state: value, result: value };
      case 'write':
        return { state: operation.value, result: 'done' };
      case 'delete':
        return { state: '', result: value === '' ? 'nothing' : 'done' };
      case 'swap':
        return value === operation.from && value !== ''
          ? { state: operation.to, result: 'done' }
          : { state: value, result: 'not done' };
    }
  },
});

async function perform(store: Store, operation: RegisterOperation): Promise<RegisterResult> {
  switch (operation.type) {
    case 'read': {
      const { entries } = await store.range(key(operation.key));
      return text(entries[0]?.value);
    }
    case 'write':
      await store.put(put(operation.key, operation.value));
      return 'done';
    case 'delete':
      return (await store.delete(key(operation.key))).deleted === 1 ? 'done' : 'nothing';
    case 'swap': {
      const { succeeded } = await store.txn({
        compare: [
          { ...key(operation.key), target: 'value', relation: 'equal', operand: bytes(operation.from) },
        ],
        success: [put(operation.key, operation.to)],
      });
      return succeeded ? 'done' : 'not done';
    }
  }
}

/** Clients with their own dice on a few keys; each swaps from what it read last. */
export async function recordRegisters(
  store: Store,
  {
    seed,
    clients = 5,
    operations = 40,
    keys = 2,
  }: { seed: number; clients?: number; operations?: number; keys?: number },
): Promise<readonly HistoryEvent<RegisterOperation, RegisterResult>[]> {
  const history = recordHistory<RegisterOperation, RegisterResult>();
  const client = async (number: number): Promise<void> => {
    const dice = new Prng(seed * 100 + number);
    const roll = (sides: number): number => dice.uint32() % sides;
    const read = new Map<string, string>();
    for (let i = 0; i < operations; i++) {
      const name = `r${roll(keys)}`;
      const value = `${number}.${i}`;
      const operation: RegisterOperation = [
        { type: 'read', key: name } as const,
        { type: 'read', key: name } as const,
        { type: 'write', key: name, value } as const,
        { type: 'swap', key: name, from: read.get(name) ?? 'nothing', to: value } as const,
        { type: 'swap', key: name, from: read.get(name) ?? 'nothing', to: value } as const,
        { type: 'delete', key: name } as const,
      ][roll(6)] as RegisterOperation;
      const result = await history.run(number, operation, () => perform(store, operation));
      if (operation.type === 'read' && result !== '') read.set(name, result);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
  return history.events;
}

/** Undefined when the history is linearizable, else what is wrong with it. */
export function notLinearizable(
  events: readonly HistoryEvent<RegisterOperation, RegisterResult>[],
): string | undefined {
  const verdict = registers.check(events);
  return verdict.consistent ? undefined : verdict.violation.text;
}

export function describeConcurrency(under: StoreUnderTest): void {
  test('reads, writes, deletions and compare-and-swap of several clients are linearizable', async () => {
    const store = await openStore(under);
    for (const seed of [1, 2]) {
      const events = await recordRegisters(store, { seed });
      expect(events.filter(({ type }) => type === 'return').length).toBe(200);
      expect(notLinearizable(events)).toBe(undefined);
      await store.delete({ key: bytes('r'), end: bytes('s') });
    }
  });

  test('a counter that eight clients raise by compare-and-swap loses nothing', async () => {
    const store = await openStore(under);
    await store.put(put('n', '0'));
    const revisions: number[] = [];
    const raise = async (): Promise<void> => {
      const entry = (await store.range(key('n'))).entries[0];
      const { succeeded, revision } = await store.txn({
        compare: [
          { ...key('n'), target: 'modRevision', relation: 'equal', operand: entry?.modRevision ?? 0 },
        ],
        success: [put('n', String(Number(text(entry?.value)) + 1))],
      });
      if (!succeeded) return raise();
      revisions.push(revision);
    };
    const client = async (): Promise<void> => {
      for (let i = 0; i < 8; i++) await raise();
    };
    await Promise.all(Array.from({ length: 8 }, client));
    expect(text((await store.range(key('n'))).entries[0]?.value)).toBe('64');
    expect(new Set(revisions).size).toBe(64);
    expect(Math.max(...revisions)).toBe(66);
  });
}
