// Holders that want one lock on a store for ever, and what they took for their time with it.
// Invariant: the times of all are of one clock; who stopped is written down in the turn in which it did.
import { onTestFinished } from 'vitest';
import { createNodeClock } from '../../../src/adapters/node-clock.ts';
import type { Store } from '../../../src/store/contract.ts';
import { holdLease, type HeldLease } from '../../../src/store/hold-lease.ts';
import { get, key, put } from '../../conformance/store/under-test.ts';
import { eventually } from '../eventually.ts';

const clock = createNodeClock();

/** One time that the lock was held, by one clock for all. */
export interface Tenure {
  readonly holder: string;
  readonly from: number;
  /** When the holder stopped: told to, or by the fence, whichever came first. Undefined: it holds. */
  until: number | undefined;
  lostAt: number | undefined;
}

/** A holder that wants the lock for ever, and begins anew whenever it lost its lease. */
class Contender {
  readonly name: string;
  readonly #store: Store;
  readonly #tenures: Tenure[];
  readonly #ttlSeconds: number;
  #lease: HeldLease | undefined;
  #state: 'running' | 'stopped' = 'running';

  constructor(name: string, store: Store, ttlSeconds: number, tenures: Tenure[]) {
    this.name = name;
    this.#ttlSeconds = ttlSeconds;
    this.#store = store;
    this.#tenures = tenures;
    void this.#run();
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    await this.#lease?.release();
  }

  async #run(): Promise<void> {
    while (this.#state === 'running') {
      try {
        const lease = await holdLease(this.#store, { ttlSeconds: this.#ttlSeconds, clock });
        this.#lease = lease;
        await this.#contend(lease);
        await lease.release();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  async #contend(lease: HeldLease): Promise<void> {
    while (lease.isHeld() && this.#state === 'running') {
      const { succeeded } = await this.#store.txn(
        {
          compare: [{ ...key('lock'), target: 'createRevision', relation: 'equal', operand: 0 }],
          success: [put('lock', this.name, { lease: lease.id })],
          failure: [get('lock')],
        },
        { signal: lease.lost, applyTimeoutMs: 500 },
      );
      if (succeeded && lease.isHeld()) return this.#hold(lease);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #hold(lease: HeldLease): Promise<void> {
    const tenure: Tenure = { holder: this.name, from: clock.now(), until: undefined, lostAt: undefined };
    this.#tenures.push(tenure);
    return new Promise((resolve) => {
      lease.lost.addEventListener('abort', () => {
        tenure.lostAt = clock.now();
        tenure.until = Math.min(tenure.lostAt, lease.heldUntil);
        resolve();
      });
    });
  }
}

export interface Contest {
  readonly tenures: Tenure[];
  holder(): Promise<Tenure>;
  /** Waits until somebody else has it. */
  change(from: Tenure): Promise<Tenure>;
}

export function contest(stores: Readonly<Record<string, Store>>, ttlSeconds = 1): Contest {
  const tenures: Tenure[] = [];
  const contenders = Object.entries(stores).map(
    ([name, store]) => new Contender(name, store, ttlSeconds, tenures),
  );
  onTestFinished(async () => void (await Promise.all(contenders.map((one) => one.stop()))));
  return {
    tenures,
    holder: () =>
      eventually('somebody holds the lock', () => tenures.find(({ until }) => until === undefined)),
    change: (from) =>
      eventually('the lock goes to another', () =>
        tenures.find(({ holder, from: at }) => at > from.from && holder !== from.holder),
      ),
  };
}

export function faultsOf(tenures: readonly Tenure[]): string[] {
  return tenures.flatMap((one, i) => {
    const next = tenures[i + 1];
    if (next === undefined) return [];
    const faults: string[] = [];
    if (one.until === undefined || one.until > next.from)
      faults.push(`${one.holder} held it until ${one.until}, ${next.holder} from ${next.from} on`);
    if (one.lostAt === undefined || one.lostAt > next.from)
      faults.push(`${one.holder} knew at ${one.lostAt}, after ${next.holder} had it at ${next.from}`);
    return faults;
  });
}
