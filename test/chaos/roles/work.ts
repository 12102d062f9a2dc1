// The functions that nodes of these tests offer, and the counters that prove how often each was executed.
// Invariant: a key is counted before anything else happens, so an execution can never go unnoticed.
import { withCall } from '../../../src/index.ts';

export type WorkEvent =
  | { readonly event: 'started'; readonly key: string; readonly node: string; readonly timeLeftMs: number }
  | { readonly event: 'aborted'; readonly key: string; readonly node: string };

export function createWork(node: string, tell: (event: WorkEvent) => void = () => undefined) {
  const counts = new Map<string, number>();
  const held = new Map<string, () => void>();
  const released = new Set<string>();
  /** Keys in the order in which their calls started. */
  const order: string[] = [];
  let produced = 0;

  function count(key: string): void {
    counts.set(key, (counts.get(key) ?? 0) + 1);
    order.push(key);
  }

  const functions = {
    add: (a: number, b: number): number => a + b,
    who: (): string => node,
    mark(key: string): string {
      count(key);
      return key;
    },
    /** Runs until it is released; tells when it starts and when its signal is aborted. */
    hold: withCall(async (call, key: string): Promise<string> => {
      count(key);
      call.signal.addEventListener('abort', () => tell({ event: 'aborted', key, node }), { once: true });
      tell({ event: 'started', key, node, timeLeftMs: call.timeLeftMs });
      if (!released.has(key)) await new Promise<void>((release) => held.set(key, release));
      return `${key} from ${node}`;
    }),
    failLater: withCall(async (call, key: string, message: string): Promise<never> => {
      count(key);
      tell({ event: 'started', key, node, timeLeftMs: call.timeLeftMs });
      if (!released.has(key)) await new Promise<void>((release) => held.set(key, release));
      throw new RangeError(message);
    }),
    fail(key: string, message: string): never {
      count(key);
      throw new RangeError(message);
    },
    /** Numbers from 0, each with `padBytes` of padding. */
    async *items(
      key: string,
      total: number,
      padBytes = 0,
    ): AsyncGenerator<{ i: number; pad: string }, string> {
      count(key);
      const pad = 'x'.repeat(padBytes);
      for (let i = 0; i < total; i++) {
        produced += 1;
        yield { i, pad };
      }
      return 'end';
    },
    weigh(key: string, bytes: Uint8Array): { length: number; sum: number } {
      count(key);
      let sum = 0;
      for (let i = 0; i < bytes.length; i += 4_096) sum += bytes[i] ?? 0;
      return { length: bytes.length, sum };
    },
    grow: (bytes: number): Uint8Array => new Uint8Array(bytes).fill(7),
    echo: (value: unknown): unknown => value,
  };

  return {
    functions,
    counts: (): Record<string, number> => Object.fromEntries(counts),
    countOf: (key: string): number => counts.get(key) ?? 0,
    order: (): readonly string[] => order,
    produced: (): number => produced,
    release(key: string): void {
      released.add(key);
      held.get(key)?.();
    },
    releaseAll(): void {
      for (const [key, release] of held) {
        released.add(key);
        release();
      }
    },
  };
}
