// Is a concurrent history sequentially consistent: is there one order of all operations that explains the results and
// keeps the order of each process (Lamport, How to make a multiprocessor computer, 1979)? Real time does not matter.
// Invariant: what can follow depends on (how far each process is, state of the object) alone.
import { canonical } from './epochs.ts';
import {
  consistencyTester,
  explainHistory,
  SeenStates,
  type ConsistencyTester,
  type SequentialSpec,
  type Verdict,
} from './consistency.ts';
import { callsOf, type HistoryCall } from './history.ts';

/**
 * A tester of sequential consistency. Weaker than `linearizability`, which to prefer when in doubt: a process may see
 * what is long out of date. It is not local, so `partition` is not used, and not closed under prefixes, so that a
 * violation always names the whole history. Meant for short histories: the search is exponential in the number of processes.
 */
export function sequentialConsistency<S, O, R>(spec: SequentialSpec<S, O, R>): ConsistencyTester<O, R> {
  return consistencyTester((events) => judge(spec, callsOf(events), events.length));
}

/** One way through the history so far. */
interface Way<O, R> {
  /** How many operations of each process took place. */
  readonly done: readonly number[];
  readonly state: number;
  readonly length: number;
  /** The operation that took place last, and the way before it. */
  readonly call: HistoryCall<O, R> | undefined;
  readonly before: Way<O, R> | undefined;
}

function judge<S, O, R>(
  spec: SequentialSpec<S, O, R>,
  calls: readonly HistoryCall<O, R>[],
  length: number,
): Verdict<O, R> {
  const object = new SeenStates(spec);
  const lanes = [...Map.groupBy(calls, ({ process }) => process).values()];
  const root = { done: lanes.map(() => 0), state: 0, length: 0, call: undefined, before: undefined };
  const ways: Way<O, R>[] = [root];
  const seen = new Set<string>();
  let farthest: Way<O, R> = root;
  const upcoming = ({ done }: Way<O, R>) => lanes.map((lane, i) => lane[done[i] as number]);
  // The last operation of a process need not take place when it never returned.
  const owed = (way: Way<O, R>) => upcoming(way).filter((call) => call?.returnedAt !== undefined);
  for (let way = ways.pop(); way !== undefined; way = ways.pop()) {
    const key = `${way.done.join()} ${way.state}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (owed(way).length === 0) return { consistent: true, orders: [orderOf(way)] };
    if (way.length > farthest.length) farthest = way;
    ways.push(...waysOn(object, way, upcoming(way)));
  }
  const [call] = owed(farthest);
  const { state } = farthest;
  const deadEnds = call === undefined ? [] : [{ order: () => orderOf(farthest), state, call }];
  const violation = explainHistory('sequentially consistent', object, calls, length, deadEnds);
  return { consistent: false, violation };
}

function waysOn<S, O, R>(
  object: SeenStates<S, O, R>,
  way: Way<O, R>,
  upcoming: readonly (HistoryCall<O, R> | undefined)[],
): Way<O, R>[] {
  return upcoming.flatMap((call, lane) => {
    if (call === undefined) return [];
    const expected = call.returnedAt === undefined ? undefined : { text: canonical(call.result) };
    const done = way.done.with(lane, (way.done[lane] as number) + 1);
    return object
      .after(way.state, call.operation, expected)
      .map((state): Way<O, R> => ({ done, state, length: way.length + 1, call, before: way }));
  });
}

function orderOf<O, R>(last: Way<O, R>): HistoryCall<O, R>[] {
  const order: HistoryCall<O, R>[] = [];
  for (let way: Way<O, R> | undefined = last; way !== undefined; way = way.before)
    if (way.call !== undefined) order.push(way.call);
  return order.reverse();
}
