// All that one watch told its owner, in the order in which it did.
// Invariant: nothing is left out or put in order; judging is the validator's part.
import { expect } from 'vitest';
import type {
  Revision,
  Store,
  WatchEnd,
  WatchEvent,
  WatchHandle,
  WatchRequest,
  WatchSink,
} from '../../../src/store/contract.ts';
import { text } from './under-test.ts';

export type Told =
  | { readonly type: 'ready'; readonly revision: Revision }
  | { readonly type: 'events'; readonly events: readonly WatchEvent[]; readonly revision: Revision }
  | { readonly type: 'progress'; readonly revision: Revision }
  | { readonly type: 'ended'; readonly end: WatchEnd };

const PATIENCE_MS = 10_000;

export class WatchRecord implements WatchSink {
  readonly told: Told[] = [];
  readonly request: WatchRequest;
  /** What `events` answers; a test sets it. */
  answer: 'more' | 'wait' = 'more';
  #waiters: (() => void)[] = [];

  constructor(request: WatchRequest) {
    this.request = request;
  }

  ready(revision: Revision): void {
    this.#tell({ type: 'ready', revision });
  }

  events(events: readonly WatchEvent[], revision: Revision): 'more' | 'wait' {
    this.#tell({ type: 'events', events, revision });
    return this.answer;
  }

  progress(revision: Revision): void {
    this.#tell({ type: 'progress', revision });
  }

  ended(end: WatchEnd): void {
    this.#tell({ type: 'ended', end });
  }

  get changes(): readonly WatchEvent[] {
    return this.told.flatMap((one) => (one.type === 'events' ? one.events : []));
  }

  /** `put a=1@2` and `delete a@3`, in order. */
  get lines(): string[] {
    return this.changes.map(({ type, entry }) => {
      const value = type === 'put' ? `=${text(entry.value)}` : '';
      return `${type} ${text(entry.key)}${value}@${entry.modRevision}`;
    });
  }

  get readyAt(): Revision | undefined {
    return this.told.find((one) => one.type === 'ready')?.revision;
  }

  get end(): WatchEnd | undefined {
    return this.told.find((one) => one.type === 'ended')?.end;
  }

  /** The newest revision up to which it told all, by events or bookmarks. */
  get seen(): Revision {
    return Math.max(
      0,
      ...this.told.map((one) => (one.type === 'events' || one.type === 'progress' ? one.revision : 0)),
    );
  }

  /** Resolves as soon as it is true of what was told. */
  async until(what: string, isTrue: (record: this) => boolean): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${what}: not within ${PATIENCE_MS} ms; told: ${this.#summary()}`)),
        PATIENCE_MS,
      );
    });
    try {
      while (!isTrue(this)) {
        const next = new Promise<void>((resolve) => this.#waiters.push(resolve));
        await Promise.race([next, late]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  untilReady(): Promise<void> {
    return this.until('the watch is ready', ({ readyAt }) => readyAt !== undefined);
  }

  untilSeen(revision: Revision): Promise<void> {
    return this.until(`the watch has told revision ${revision}`, ({ seen }) => seen >= revision);
  }

  untilEnded(): Promise<void> {
    return this.until('the watch has ended', ({ end }) => end !== undefined);
  }

  #tell(one: Told): void {
    this.told.push(one);
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  #summary(): string {
    const all = this.told.map((one) => {
      if (one.type === 'ended') return `ended ${one.end.reason}`;
      return one.type === 'events'
        ? `${one.events.length} events @${one.revision}`
        : `${one.type} ${one.revision}`;
    });
    return all.length > 12 ? `${all.slice(0, 6).join(', ')} … ${all.slice(-6).join(', ')}` : all.join(', ');
  }
}

export interface Watching {
  readonly record: WatchRecord;
  readonly handle: WatchHandle;
}

/** Begins a watch; it may not be ready yet. */
export function begin(store: Store, request: WatchRequest): Watching {
  const record = new WatchRecord(request);
  return { record, handle: store.watch(request, record) };
}

/** Begins a watch and waits until it is ready. */
export async function watching(store: Store, request: WatchRequest): Promise<Watching> {
  const one = begin(store, request);
  await one.record.untilReady();
  return one;
}

/** Asks for a bookmark until one says that all up to `revision` was told. */
export async function caughtUp({ record, handle }: Watching, revision: Revision): Promise<void> {
  handle.requestProgress();
  await record.until(`a bookmark of revision ${revision}`, ({ told }) =>
    told.some((one) => one.type === 'progress' && one.revision >= revision),
  );
  expect(record.end, 'a watch that was asked for a bookmark has not ended').toBe(undefined);
}
