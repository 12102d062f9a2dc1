// The watch service of one member, as etcd has it, over a history that the test writes: created, history in parts, then
// what is new; in the order of its streams, after a while.
// Invariant: the history is the truth; what a member says is true, and may come late or never.
import type { RpcFailure, RpcStream, StreamHandlers } from '../../../src/store/etcd/transport.ts';
import type { Prng, Simulation } from '../../../src/testing/index.ts';
import { bytes } from './naive-store.ts';

export interface Commit {
  readonly revision: number;
  readonly keys: readonly string[];
}

const int = (value: number): object => ({ toNumber: () => value, toString: () => String(value) });

function event(key: string, revision: number): object {
  const kv = {
    key: bytes(key),
    value: bytes(String(revision)),
    create_revision: int(revision),
    mod_revision: int(revision),
    version: int(1),
    lease: int(0),
  };
  return { type: 0, kv, prev_kv: null };
}

interface Watcher {
  readonly id: number;
  /** Keys are one letter each: from this one, to before that one. */
  readonly from: string;
  readonly until: string;
  next: number;
}

export class History {
  readonly commits: Commit[] = [];
  floor = 0;
  readonly streams = new Set<WatchService>();

  get revision(): number {
    return this.commits.at(-1)?.revision ?? 1;
  }

  commit(keys: readonly string[]): void {
    this.commits.push({ revision: this.revision + 1, keys });
    for (const stream of this.streams) stream.wake();
  }
}

interface CreateRequest {
  readonly key: Uint8Array;
  readonly range_end: Uint8Array;
  readonly start_revision?: number;
  readonly watch_id: number;
}

/** The server's end of one stream. */
export class WatchService implements RpcStream {
  readonly #simulation: Simulation;
  readonly #dice: Prng;
  readonly #history: History;
  readonly #handlers: StreamHandlers;
  readonly #watchers = new Map<number, Watcher>();
  #state: 'open' | 'over' = 'open';
  /** When the last thing said arrives: what is said later arrives later. */
  #arrivesAt = 0;

  constructor(simulation: Simulation, dice: Prng, history: History, handlers: StreamHandlers) {
    this.#simulation = simulation;
    this.#dice = dice;
    this.#history = history;
    this.#handlers = handlers;
    history.streams.add(this);
  }

  send(message: object): void {
    this.#later(() =>
      this.#heard(message as { create_request?: CreateRequest; cancel_request?: { watch_id: number } }),
    );
  }

  cancel(): void {
    this.#state = 'over';
    this.#history.streams.delete(this);
  }

  /** The link is gone: nothing that is under way arrives. */
  break(failure: RpcFailure): void {
    if (this.#state === 'over') return;
    this.cancel();
    this.#handlers.ended(failure);
  }

  wake(): void {
    this.#later(() => this.#serve());
  }

  #later(fn: () => void): void {
    this.#simulation.clock.setTimer(() => this.#state === 'open' && fn(), this.#dice.uint32() % 30);
  }

  #say(message: object): void {
    const { clock } = this.#simulation;
    this.#arrivesAt = Math.max(this.#arrivesAt, clock.now() + (this.#dice.uint32() % 30));
    clock.setTimer(
      () => this.#state === 'open' && this.#handlers.message(message),
      this.#arrivesAt - clock.now(),
    );
  }

  #response(id: number, more: object): object {
    return {
      header: { revision: int(this.#history.revision) },
      watch_id: int(id),
      created: false,
      canceled: false,
      compact_revision: int(0),
      cancel_reason: '',
      fragment: false,
      events: [],
      ...more,
    };
  }

  #heard({
    create_request: create,
    cancel_request: gone,
  }: {
    create_request?: CreateRequest;
    cancel_request?: { watch_id: number };
  }): void {
    if (gone !== undefined && this.#watchers.delete(gone.watch_id))
      this.#say(this.#response(gone.watch_id, { canceled: true }));
    if (create === undefined) return;
    const { watch_id: id, start_revision: start = this.#history.revision + 1 } = create;
    const letter = (of: Uint8Array): string => (of[0] === 0 ? '' : String.fromCharCode(of[0] ?? 0));
    const until = letter(create.range_end);
    this.#watchers.set(id, { id, from: letter(create.key), until: until === '' ? '~' : until, next: start });
    this.#say(this.#response(id, { created: true }));
    this.wake();
  }

  #serve(): void {
    for (const watcher of this.#watchers.values()) {
      if (watcher.next < this.#history.floor) {
        this.#watchers.delete(watcher.id);
        this.#say(this.#response(watcher.id, { canceled: true, compact_revision: int(this.#history.floor) }));
        continue;
      }
      const commits = this.#history.commits.filter(({ revision }) => revision >= watcher.next);
      if (commits.length === 0) continue;
      watcher.next = Math.max(watcher.next, this.#history.revision + 1);
      const events = commits.flatMap(({ revision, keys }) =>
        keys.filter((key) => key >= watcher.from && key < watcher.until).map((key) => event(key, revision)),
      );
      this.#sayInParts(watcher.id, events);
    }
  }

  #sayInParts(id: number, events: readonly object[]): void {
    for (let at = 0; at < events.length;) {
      const size = 1 + (this.#dice.uint32() % 4);
      const part = events.slice(at, at + size);
      at += size;
      this.#say(this.#response(id, { events: part, fragment: at < events.length }));
    }
  }
}
