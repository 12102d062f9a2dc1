// A store on the simulated network, which outlives the hubs that use it: writes overtake each other on their way to it.
// Invariant: what it answered, it did; what a hub did not hear the answer of before it was killed may have been done all the same.
import { openMemoryStore } from '../../src/store/memory-store.ts';
import type { RangeRequest, Store, TxnRequest } from '../../src/store/contract.ts';
import { decodeText, utf8Encoder } from '../../src/protocol/text.ts';
import type { Host, Simulation } from '../../src/testing/index.ts';
import { Dice } from './dice.ts';

const range = (prefix: string): RangeRequest => ({
  key: utf8Encoder.encode(`${prefix}/`),
  end: utf8Encoder.encode(`${prefix}0`),
});

export class Database {
  readonly #sim: Simulation;
  readonly #dice: Dice;
  readonly #longestMs: number;
  readonly #broken: (what: string) => void;
  #store: Store | undefined;
  /** Durable calls that it has on record. */
  calls = 0;
  /** What it knows of each node. */
  readonly nodes = new Map<string, { readonly totalTasksExecuted: number; readonly ageMs: number }>();
  /** Of the records of calls that were written, this share is confirmed and forgotten. */
  readonly #forgets: number;

  constructor(
    sim: Simulation,
    { longestMs, forgets }: { longestMs: number; forgets: number },
    broken: (what: string) => void,
  ) {
    this.#sim = sim;
    this.#dice = new Dice(sim.seed, 'database');
    this.#longestMs = longestMs;
    this.#forgets = forgets;
    this.#broken = broken;
  }

  async open(): Promise<void> {
    const { clock, random, log } = this.#sim;
    this.#store = await this.#sim.settle(openMemoryStore({ clock, random, log }), 1_000);
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }

  /** As a hub on this host sees it. */
  from(host: Host): Store {
    const offered = {
      range: (request: RangeRequest) => this.#reach(host, (store) => store.range(request)),
      txn: (request: TxnRequest) =>
        this.#reach(host, async (store) => {
          const isLost = isCall(request) && this.#dice.chance(this.#forgets);
          const answer = await store.txn(isLost ? { ...request, success: [] } : request);
          await this.#look(store);
          return answer;
        }),
    };
    // What hubs do not use they need not find.
    return offered as Partial<Store> as Store;
  }

  /** There and back: the way there is the network's, the answer is read by the host, if it lives and runs. */
  async #reach<T>(host: Host, operate: (store: Store) => Promise<T>): Promise<T> {
    const store = this.#store;
    if (store === undefined) throw new Error('the database is not open');
    const [thereMs, backMs] = [this.#dice.scale(1, this.#longestMs), this.#dice.scale(1, this.#longestMs)];
    await new Promise<void>((resolve) => void this.#sim.clock.setTimer(resolve, thereMs));
    const answer = await operate(store);
    await new Promise<void>((resolve) => void host.clock.setTimer(resolve, backMs));
    return answer;
  }

  /** After each write: what nodes did is not forgotten. */
  async #look(store: Store): Promise<void> {
    this.calls = (await store.range({ ...range('/holdfast/calls'), countOnly: true })).count;
    for (const { key, value } of (await store.range(range('/holdfast/nodes'))).entries) {
      const [id, text] = [key, value].map((bytes) => decodeText(bytes, 0, bytes.length)) as [string, string];
      const record = JSON.parse(text) as { totalTasksExecuted: number; ageMs: number };
      const before = this.nodes.get(id);
      if (before !== undefined && record.totalTasksExecuted < before.totalTasksExecuted)
        this.#broken(
          `${id} had executed ${before.totalTasksExecuted} calls, and now ${record.totalTasksExecuted}`,
        );
      if (before !== undefined && record.ageMs < before.ageMs)
        this.#broken(`${id} had been known for ${before.ageMs} ms, and now for ${record.ageMs} ms`);
      this.nodes.set(id, record);
    }
  }
}

function isCall({ success = [] }: TxnRequest): boolean {
  return success.some(
    (operation) =>
      operation.type === 'put' &&
      decodeText(operation.key, 0, operation.key.length).startsWith('/holdfast/calls/'),
  );
}
