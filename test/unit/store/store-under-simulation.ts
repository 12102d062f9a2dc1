// Stores on a simulated clock, over backends that take their time, stall or fail.
// Invariant: whatever a backend does, its keyspace is the real one.
import { applyBatch } from '../../../src/store/apply.ts';
import type { Backend, BatchOutcome } from '../../../src/store/backend.ts';
import type { WatchEnd, WatchEvent, WatchSink } from '../../../src/store/contract.ts';
import { openLocalStore, type LocalStore, type StoreOptions } from '../../../src/store/local-store.ts';
import { MemoryKeyspace } from '../../../src/store/memory-keyspace.ts';
import type { Keyspace } from '../../../src/store/keyspace.ts';
import { createSimulation, type Simulation } from '../../../src/testing/index.ts';
import { text } from './naive-store.ts';

/** A backend in another thread, as seen from this one: batches arrive and answers come back after a while, in order. */
export class SlowBackend implements Backend {
  readonly engine = 'file';
  readonly durable: boolean;
  readonly maxBatches: number;
  readonly keyspace: Keyspace;
  /** Batches that were given to it. */
  batches = 0;
  /** While it is set, nothing is answered: it stalls, before or after it applied the batch. */
  stalled: 'before' | 'after' | undefined;
  #done: Promise<unknown> = Promise.resolve();
  readonly #simulation: Simulation;
  /** No pause, before or after it applies a batch, is as long. */
  longestMs: number;

  constructor(
    simulation: Simulation,
    { durable = false, maxBatches = 2, longestMs = 20, keyspace = new MemoryKeyspace() as Keyspace } = {},
  ) {
    this.#simulation = simulation;
    this.longestMs = longestMs;
    this.durable = durable;
    this.maxBatches = maxBatches;
    this.keyspace = keyspace;
  }

  run(commands: Parameters<Backend['run']>[0]): Promise<BatchOutcome> {
    this.batches += 1;
    const outcome = this.#done.then(async () => {
      await this.#pause();
      if (this.stalled === 'before') await new Promise(() => {});
      const applied = applyBatch(this.keyspace, commands);
      await this.#pause();
      if (this.stalled === 'after') await new Promise(() => {});
      return applied;
    });
    this.#done = outcome.catch(() => undefined);
    return outcome;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #pause(): Promise<void> {
    const { clock, random } = this.#simulation;
    return new Promise((resolve) => clock.setTimer(resolve, random.uint32() % this.longestMs));
  }
}

export interface Simulated {
  readonly simulation: Simulation;
  readonly store: LocalStore;
  readonly backend: SlowBackend;
}

export async function simulatedStore(
  seed: number,
  backendOptions: ConstructorParameters<typeof SlowBackend>[1] = {},
  options: StoreOptions = {},
): Promise<Simulated> {
  const simulation = createSimulation({ seed });
  const backend = new SlowBackend(simulation, backendOptions);
  const store = await reopen(simulation, backend, options);
  return { simulation, store, backend };
}

export function reopen(
  simulation: Simulation,
  backend: Backend,
  options: StoreOptions = {},
): Promise<LocalStore> {
  const { clock, random, log } = simulation;
  return simulation.settle(openLocalStore(backend, { clock, random, log }, options), 10_000);
}

/** A sink that writes down what it is told, in short: `put a=1@2`, `delete a@3`. */
export class Notes implements WatchSink {
  readyAt: number | undefined;
  readonly events_: { readonly event: WatchEvent; readonly upTo: number }[] = [];
  readonly progressed: number[] = [];
  readonly ends: WatchEnd[] = [];
  /** What `events` answers. */
  answer: 'more' | 'wait' = 'more';
  onEvents: () => void = () => {};

  ready(revision: number): void {
    if (this.readyAt !== undefined) throw new Error('ready twice');
    this.readyAt = revision;
  }

  events(events: readonly WatchEvent[], revision: number): 'more' | 'wait' {
    if (this.readyAt === undefined || this.ends.length > 0) throw new Error('events out of place');
    for (const event of events) this.events_.push({ event, upTo: revision });
    this.onEvents();
    return this.answer;
  }

  progress(revision: number): void {
    if (this.readyAt === undefined || this.ends.length > 0) throw new Error('progress out of place');
    this.progressed.push(revision);
  }

  ended(end: WatchEnd): void {
    this.ends.push(end);
  }

  get told(): string[] {
    return this.events_.map(({ event: { type, entry } }) => {
      const value = type === 'put' ? `=${text(entry.value)}` : '';
      return `${type} ${text(entry.key)}${value}@${entry.modRevision}`;
    });
  }
}
