// Stores with one fault each, around a sound one: what the validator and the linearizability check must find.
// Invariant: each differs from the store that it wraps in the one thing that its name says.
import type {
  RangeRequest,
  RangeResponse,
  Store,
  WatchEvent,
  WatchHandle,
  WatchRequest,
  WatchSink,
} from '../../../src/store/contract.ts';

/** The same store, but for these methods. */
function altered(store: Store, changes: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, name) {
      const changed: unknown = Reflect.get(changes, name);
      if (changed !== undefined) return changed;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

type Tell = (events: readonly WatchEvent[], revision: number, sink: WatchSink) => 'more' | 'wait';

/** Every batch of events goes through `tell`, which is made anew for each watch. */
function telling(store: Store, makeTell: () => Tell): Store {
  return altered(store, {
    watch(request, sink) {
      const tell = makeTell();
      return store.watch(request, {
        ready: (revision) => sink.ready(revision),
        events: (events, revision) => tell(events, revision, sink),
        progress: (revision) => sink.progress(revision),
        ended: (end) => sink.ended(end),
      });
    },
  });
}

function lastRevision(events: readonly WatchEvent[]): number {
  return events.at(-1)?.entry.modRevision ?? 0;
}

function droppingAnEvent(store: Store): Store {
  return telling(store, () => {
    let count = 0;
    return (events, revision, sink) => {
      const kept = events.filter(() => (count += 1) !== 5);
      return kept.length === 0 ? 'more' : sink.events(kept, revision);
    };
  });
}

function splittingARevision(store: Store): Store {
  return telling(store, () => (events, revision, sink) => {
    const at = events.findIndex((event, i) => event.entry.modRevision === events[i + 1]?.entry.modRevision);
    if (at === -1) return sink.events(events, revision);
    const first = events.slice(0, at + 1);
    sink.events(first, lastRevision(first));
    return sink.events(events.slice(at + 1), revision);
  });
}

function reordering(store: Store): Store {
  return telling(store, () => {
    let held: { events: readonly WatchEvent[]; revision: number } | undefined;
    let batches = 0;
    return (events, revision, sink) => {
      batches += 1;
      if (batches === 1) {
        held = { events, revision };
        return 'more';
      }
      const answer = sink.events(events, revision);
      if (held !== undefined) sink.events(held.events, held.revision);
      held = undefined;
      return answer;
    };
  });
}

function deliveringTwice(store: Store): Store {
  return telling(store, () => {
    let batches = 0;
    return (events, revision, sink) => {
      batches += 1;
      const answer = sink.events(events, revision);
      return batches === 1 ? sink.events(events, revision) : answer;
    };
  });
}

/** Says ready while the watch is only being created: what is put meanwhile is missed. */
function readyTooEarly(store: Store): Store {
  let revision = 1;
  const noting = async <A extends { readonly revision: number }>(answer: Promise<A>): Promise<A> => {
    const noted = await answer;
    revision = Math.max(revision, noted.revision);
    return noted;
  };
  return altered(store, {
    put: (request, options) => noting(store.put(request, options)),
    txn: (request, options) => noting(store.txn(request, options)),
    watch(request: WatchRequest, sink: WatchSink): WatchHandle {
      let inner: WatchHandle | undefined;
      const promised = revision;
      queueMicrotask(() => sink.ready(promised));
      // Creating it takes as long as a write does.
      void store.put({ key: Uint8Array.of(1) }).then(() => {
        inner = store.watch(request, { ...sinkOf(sink), ready: () => undefined });
      });
      return {
        cancel: () => inner?.cancel(),
        resume: () => inner?.resume(),
        requestProgress: () => inner?.requestProgress(),
      };
    },
  });
}

function sinkOf(sink: WatchSink): WatchSink {
  return {
    ready: (revision) => sink.ready(revision),
    events: (events, revision) => sink.events(events, revision),
    progress: (revision) => sink.progress(revision),
    ended: (end) => sink.ended(end),
  };
}

function markingAhead(store: Store): Store {
  return telling(store, () => {
    let batches = 0;
    return (events, revision, sink) => {
      batches += 1;
      if (batches === 1) sink.progress(revision);
      return sink.events(events, revision);
    };
  });
}

/** Goes on from now where it was asked to go on from the past. */
function forgettingTheStart(store: Store): Store {
  return altered(store, {
    watch: (request, sink) => store.watch({ ...request, startRevision: undefined }, sink),
  });
}

/** Tells what is there, and not what was there before. */
function inventingThePast(store: Store): Store {
  return telling(
    store,
    () => (events, revision, sink) =>
      sink.events(
        events.map(({ type, entry }) => ({ type, entry, previous: type === 'put' ? entry : undefined })),
        revision,
      ),
  );
}

/** The validator must find what each does to watches. */
export const brokenWatches = {
  droppingAnEvent,
  splittingARevision,
  reordering,
  deliveringTwice,
  readyTooEarly,
  markingAhead,
  forgettingTheStart,
  inventingThePast,
};

/** Every third read is answered with what the one before it saw. */
function answeringStale(store: Store): Store {
  const seen = new Map<string, RangeResponse>();
  let reads = 0;
  return altered(store, {
    async range(request: RangeRequest): Promise<RangeResponse> {
      const name = Buffer.from(request.key).toString('hex');
      reads += 1;
      const known = seen.get(name);
      if (known !== undefined && reads % 3 === 0) return known;
      const answer = await store.range(request);
      seen.set(name, answer);
      return answer;
    },
  });
}

/** Compares first, and changes later: what is between them is overwritten. */
function comparingApart(store: Store): Store {
  return altered(store, {
    async txn(request, options) {
      const compared = await store.txn({ compare: request.compare });
      if (!compared.succeeded) return store.txn({ ...request, success: [] }, options);
      // Time for another one to compare the same.
      for (let i = 0; i < 3; i++) await store.txn({});
      return store.txn({ success: request.success }, options);
    },
  });
}

/** Says that every third put is done, and does it when somebody has read what was there before. */
function answeringEarly(store: Store): Store {
  let puts = 0;
  const owed: (() => Promise<unknown>)[] = [];
  return altered(store, {
    async put(request, options) {
      puts += 1;
      if (puts % 3 !== 0) return store.put(request, options);
      const { revision } = await store.range({ key: request.key, countOnly: true });
      owed.push(() => store.put(request, options));
      return { revision: revision + 1 };
    },
    async range(request, options) {
      const answer = await store.range(request, options);
      for (const pay of owed.splice(0)) await pay();
      return answer;
    },
  });
}

/** The linearizability check must find what each does to histories. */
export const brokenRegisters = { answeringStale, comparingApart, answeringEarly };

/** Takes a text where bytes belong, and what it is the base64 of, as encodings of messages do. */
export function bendingText(store: Store): Store {
  const bent = (part: unknown): Uint8Array | undefined =>
    typeof part === 'string' ? Buffer.from(part, 'base64') : (part as Uint8Array | undefined);
  return altered(store, {
    put: async (request, options) =>
      store.put({ ...request, key: bent(request?.key)!, value: bent(request?.value) }, options),
  });
}
