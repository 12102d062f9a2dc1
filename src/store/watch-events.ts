// A watch as an iterable, for `for await`: over any store, with a bounded buffer.
// Invariant: yields the batches that the watch was told, each once and in order; ends the watch when the loop ends.
import { HoldfastError } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import type { Revision, Store, WatchEnd, WatchEvent, WatchHandle, WatchRequest } from './contract.ts';

/** All changes of whole revisions up to `revision` since the batch before; none when it is a sign of life only. */
export interface WatchBatch {
  readonly revision: Revision;
  readonly events: readonly WatchEvent[];
}

export interface WatchEventsOptions {
  /** Ends the loop, which throws its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Follows a range of a store: `for await (const { revision, events } of watchEvents(store, { key, end }))`. The first
 * batch is empty: it tells the revision after which nothing is missed. A loop that is slow makes the store wait, and
 * then reads from history; it never makes memory grow. To go on later, watch from the last batch's `revision + 1`.
 *
 * @throws HoldfastError `compacted`, with the floor as `revision`, when history that is needed is gone; what else ends
 *   the watch; the signal's reason
 */
export async function* watchEvents(
  store: Pick<Store, 'watch'>,
  request: WatchRequest,
  { signal }: WatchEventsOptions = {},
): AsyncGenerator<WatchBatch, void, undefined> {
  signal?.throwIfAborted();
  const batches: WatchBatch[] = [];
  let held = 0;
  let full = false;
  let end: WatchEnd | undefined;
  let news = Promise.withResolvers<void>();
  const take = (batch: WatchBatch): void => {
    batches.push(batch);
    held += batch.events.length;
    news.resolve();
  };
  const handle: WatchHandle = store.watch(request, {
    // Of a watch on the past all is still to be told, of one on the future too.
    ready: (revision) => take({ revision: (request.startRevision ?? revision + 1) - 1, events: [] }),
    events: (events, revision) => {
      take({ revision, events });
      full = held >= limits.maxHeldEvents;
      return full ? 'wait' : 'more';
    },
    progress: (revision) => take({ revision, events: [] }),
    ended: (reason) => {
      end = reason;
      news.resolve();
    },
  });
  const abort = (): void => handle.cancel();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    for (;;) {
      for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
        held -= batch.events.length;
        yield batch;
        signal?.throwIfAborted();
      }
      if (end !== undefined) throw signal?.aborted === true ? signal.reason : errorOf(end);
      news = Promise.withResolvers<void>();
      if (full) {
        full = false;
        handle.resume();
      }
      // `resume` may have brought more already.
      if (batches.length === 0 && end === undefined) await news.promise;
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    handle.cancel();
  }
}

function errorOf(end: WatchEnd): HoldfastError {
  if (end.reason === 'failed') return end.error;
  if (end.reason === 'cancelled') return new HoldfastError('the watch was cancelled', { code: 'cancelled' });
  return new HoldfastError(
    `changes below revision ${end.floor} are compacted; read the range again, and watch from there`,
    { code: 'compacted', revision: end.floor },
  );
}
