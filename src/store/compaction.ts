// Forgets old history by policy: so many revisions are kept, or so much time, or what both ask for.
// Invariant: nothing is forgotten that either bound still keeps, and what holds now is never forgotten.
import type { Clock, Log, Timer } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { Revision, Store } from './contract.ts';

export interface CompactionPolicy {
  /** Newest revisions that are kept. @default any number */
  readonly revisions?: number | undefined;
  /** What was overwritten less than this ago is kept, in milliseconds. @default no time */
  readonly ageMs?: number | undefined;
}

export interface CompactionOptions extends CompactionPolicy {
  readonly clock: Clock;
  readonly log: Log;
}

/** Looks are a tenth of the age apart, as etcd's; at least and at most this, in milliseconds. */
const SHORTEST_MS = 100;
const LONGEST_MS = 60_000;

/**
 * Compacts the store from time to time, until the returned function is called. An age counts from when this process saw
 * the revision: after a restart it takes as long until something is forgotten.
 *
 * @throws HoldfastError `invalid_option`
 */
export function startCompaction(store: Store, options: CompactionOptions): () => void {
  const { clock, log, revisions, ageMs } = options;
  check('revisions', revisions);
  check('ageMs', ageMs);
  if (revisions === undefined && ageMs === undefined) return () => {};
  const intervalMs = Math.max(SHORTEST_MS, Math.min(LONGEST_MS, (ageMs ?? Infinity) / 10));
  /** When which revision was the newest, the oldest first. */
  const seen: { readonly at: number; readonly revision: Revision }[] = [];
  let phase: 'running' | 'stopped' = 'running';
  let timer: Timer;

  const look = async (): Promise<void> => {
    const { revision, compactRevision } = await store.status();
    const at = clock.now();
    if (ageMs !== undefined && seen.at(-1)?.revision !== revision) seen.push({ at, revision });
    const byAge = ageMs === undefined ? Infinity : ageBound(seen, at - ageMs);
    const byCount = revisions === undefined ? Infinity : revision - revisions;
    const floor = Math.min(byAge, byCount, revision);
    if (floor > Math.max(compactRevision, 1)) await store.compact(floor);
  };
  const tick = (): void => {
    void look()
      .catch((error: unknown) => {
        // Somebody else compacted further meanwhile: all the better.
        if (error instanceof HoldfastError && (error.code === 'compacted' || error.code === 'stopped'))
          return;
        log.warn({ error }, 'the store could not be compacted; history grows until it can');
      })
      .finally(() => {
        if (phase === 'running') timer = clock.setTimer(tick, intervalMs);
      });
  };
  timer = clock.setTimer(tick, 0);
  return () => {
    phase = 'stopped';
    clock.clearTimer(timer);
  };
}

/** The newest revision that was already overwritten, if it ever is, at `before`: the one that the next one followed by then. */
function ageBound(seen: { readonly at: number; readonly revision: Revision }[], before: number): Revision {
  while (seen.length > 1 && (seen[1]?.at ?? Infinity) <= before) seen.shift();
  const [oldest] = seen;
  return oldest !== undefined && oldest.at <= before ? oldest.revision : 0;
}

function check(name: string, value: number | undefined): void {
  if (value === undefined || (Number.isFinite(value) && value > 0)) return;
  throw new HoldfastError(`compaction ${name} is ${value}; give a number above 0`, {
    code: 'invalid_option',
  });
}
