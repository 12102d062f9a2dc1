// Is a concurrent history linearizable: could each operation have taken place in one instant between its invocation
// and its return (Herlihy & Wing, Linearizability, 1990)? The search is Wing & Gong's (Testing and verifying concurrent
// objects, 1993), just in time and with memory for what failed (Lowe, Testing for linearizability, 2017).
// Invariant: what is tried next depends on (event, state of the object, operations that took place early) alone.
import {
  consistencyTester,
  explainHistory,
  MOST_DEAD_ENDS,
  SeenStates,
  type ConsistencyTester,
  type DeadEnd,
  type SequentialSpec,
  type Verdict,
} from './consistency.ts';
import { canonical } from './epochs.ts';
import { callsOf, type HistoryCall } from './history.ts';

/**
 * A tester of linearizability for the object that `spec` describes. Its cost grows with the length of a history, and
 * exponentially only with the number of operations that overlap (those that never return are spent as late and as
 * rarely as possible): 4 000 operations of 8 clients on a register take below a second, right or wrong.
 *
 * @example linearizability({ initial: 0, apply: (value, op) => 'write' in op ? { state: op.write, result: 'ok' } : { state: value, result: value } })
 */
export function linearizability<S, O, R>(spec: SequentialSpec<S, O, R>): ConsistencyTester<O, R> {
  return consistencyTester((events) => judge(spec, callsOf(events)));
}

function judge<S, O, R>(spec: SequentialSpec<S, O, R>, calls: readonly HistoryCall<O, R>[]): Verdict<O, R> {
  const parts = new Map<string, HistoryCall<O, R>[]>();
  for (const call of calls) {
    const part = String(spec.partition?.(call.operation) ?? '');
    const known = parts.get(part);
    if (known === undefined) parts.set(part, [call]);
    else known.push(call);
  }
  const object = new SeenStates(spec);
  const orders: (readonly HistoryCall<O, R>[])[] = [];
  let earliest: Failed<O, R> | undefined;
  for (const part of parts.values()) {
    const found = new Search(object, part).run();
    if (found.order !== undefined) {
      orders.push(found.order);
      continue;
    }
    const failed = smallestPrefix(object, part, found);
    if (failed.prefix < (earliest?.prefix ?? Infinity)) earliest = failed;
  }
  if (earliest === undefined) return { consistent: true, orders };
  const { calls: part, prefix, found } = earliest;
  const violation = explainHistory('linearizable', object, part, prefix, found.deadEnds);
  return { consistent: false, violation };
}

interface Failed<O, R> {
  readonly calls: readonly HistoryCall<O, R>[];
  readonly prefix: number;
  readonly found: Found<O, R>;
}

/**
 * The prefix before the latest return that the search of all came to has an order: the way to it. The prefix with that
 * return mostly has none. It may have one when an operation that is still open there returns something impossible
 * later; then, as every prefix of a linearizable history is linearizable, halving finds the first one that is not.
 */
function smallestPrefix<S, O, R>(
  object: SeenStates<S, O, R>,
  calls: readonly HistoryCall<O, R>[],
  all: Found<O, R>,
): Failed<O, R> {
  const ends = calls.flatMap(({ returnedAt = -1 }) => (returnedAt >= all.latest ? [returnedAt + 1] : []));
  ends.sort((a, b) => a - b);
  let least: Failed<O, R> = { calls, prefix: ends.at(-1) as number, found: all };
  for (let [low, high, middle] = [0, ends.length - 1, 0]; low <= high; middle = (low + high) >> 1) {
    const prefix = ends[middle] as number;
    const found = new Search(object, calls, prefix).run();
    if (found.order === undefined) {
      least = { calls, prefix, found };
      high = middle - 1;
    } else low = middle + 1;
  }
  return least;
}

/** One way through the history so far. */
interface Way {
  /** How many of the returns are passed. */
  readonly at: number;
  readonly state: number;
  /** What took place and has not returned yet, but will; sorted. */
  readonly early: readonly number[];
  /** What took place and never returns. */
  readonly spent: readonly number[];
  /** The operation that took place last, and the way before it. */
  readonly call: number;
  readonly before: Way | undefined;
}

/** A return: the operation must have taken place. */
interface Gate {
  readonly call: number;
  /** What may take place before it and returns at some time, the operation itself first. */
  readonly open: readonly number[];
  /** What may take place before it and never returns. */
  readonly lost: readonly number[];
}

interface Found<O, R> {
  readonly order?: readonly HistoryCall<O, R>[];
  /** Those at the latest return that the search came to. */
  readonly deadEnds: readonly DeadEnd<O, R>[];
  /** Which event that return is. */
  readonly latest: number;
}

/**
 * Depth first, among the ways that spend the fewest operations that never return: so a way is always known before those
 * that only spend more, and many lost operations do not multiply what is tried.
 */
class Search<S, O, R> {
  readonly #object: SeenStates<S, O, R>;
  readonly #calls: readonly HistoryCall<O, R>[];
  readonly #gates: readonly Gate[];
  /** Of two lost operations that are alike, the later one is tried only after the earlier one. */
  readonly #texts: readonly string[];
  readonly #results: readonly { readonly text: string }[];
  /** For each operation and state, the states after it. */
  readonly #known: (readonly number[])[][] = [];
  readonly #ways: Way[][] = [[{ at: 0, state: 0, early: [], spent: [], call: -1, before: undefined }]];
  /** For each return, state and set of what took place early: the sets of lost operations spent. */
  readonly #tried: Map<string, (readonly number[])[]>[];

  /** Events from `until` on count as not there. */
  constructor(object: SeenStates<S, O, R>, calls: readonly HistoryCall<O, R>[], until = Infinity) {
    this.#object = object;
    this.#calls = calls.filter((call) => call.invokedAt < until);
    this.#gates = gatesOf(this.#calls, until);
    this.#tried = this.#gates.map(() => new Map());
    this.#texts = this.#calls.map(({ operation }) => canonical(operation, 'an operation'));
    this.#results = this.#calls.map(({ result }) => ({ text: canonical(result, 'a result') }));
  }

  run(): Found<O, R> {
    let deadEnds: DeadEnd<O, R>[] = [];
    let latest = 0;
    for (let spent = 0; spent < this.#ways.length; spent++) {
      for (let way = this.#ways[spent]?.pop(); way !== undefined; way = this.#ways[spent]?.pop()) {
        const { at, early } = this.#passed(way);
        const gate = this.#gates[at];
        if (gate === undefined) return { order: this.#order(way), deadEnds, latest: Infinity };
        if (!this.#isNew(at, way, early)) continue;
        if (at > latest) deadEnds = [];
        latest = Math.max(latest, at);
        if (at === latest && deadEnds.length < MOST_DEAD_ENDS) deadEnds.push(this.#deadEnd(way, gate));
        this.#extend(at, early, way, gate);
      }
    }
    return { deadEnds, latest: this.#returnedAt(latest) };
  }

  /** Passes the returns of what took place early. */
  #passed({ at, early }: Way): { at: number; early: readonly number[] } {
    for (;;) {
      const call = this.#gates[at]?.call;
      if (call === undefined || !early.includes(call)) return { at, early };
      early = early.filter((one) => one !== call);
      at++;
    }
  }

  /** False when the same was tried with no more of the lost operations spent. */
  #isNew(at: number, { state, spent }: Way, early: readonly number[]): boolean {
    const tried = this.#tried[at] as Map<string, (readonly number[])[]>;
    const key = `${state} ${early.join()}`;
    const before = tried.get(key);
    if (before === undefined) tried.set(key, [spent]);
    else if (before.some((less) => less.every((call) => spent.includes(call)))) return false;
    else before.push(spent);
    return true;
  }

  #extend(at: number, early: readonly number[], way: Way, { open, lost }: Gate): void {
    const once = new Set<string>();
    for (const call of lost) {
      const text = this.#texts[call] as string;
      if (way.spent.includes(call) || once.has(text)) continue;
      once.add(text);
      for (const state of this.#after(way, call, undefined))
        this.#push({ at, state, early, spent: [...way.spent, call], call, before: way });
    }
    // The last one pushed is tried first: what must return now.
    for (let i = open.length - 1; i >= 0; i--) {
      const call = open[i] as number;
      if (early.includes(call)) continue;
      for (const state of this.#after(way, call, this.#results[call]))
        this.#push({ at, state, early: withCall(early, call), spent: way.spent, call, before: way });
    }
  }

  #after({ state }: Way, call: number, expected: { readonly text: string } | undefined): readonly number[] {
    const known = (this.#known[call] ??= []);
    return (known[state] ??= this.#object.after(
      state,
      (this.#calls[call] as HistoryCall<O, R>).operation,
      expected,
    ));
  }

  #push(way: Way): void {
    (this.#ways[way.spent.length] ??= []).push(way);
  }

  #returnedAt(gate: number): number {
    return this.#calls[(this.#gates[gate] as Gate).call]?.returnedAt ?? Infinity;
  }

  #order(last: Way): readonly HistoryCall<O, R>[] {
    const order: HistoryCall<O, R>[] = [];
    for (let way: Way | undefined = last; way?.before !== undefined; way = way.before)
      order.push(this.#calls[way.call] as HistoryCall<O, R>);
    return order.reverse();
  }

  #deadEnd(way: Way, gate: Gate): DeadEnd<O, R> {
    return {
      order: () => this.#order(way),
      state: way.state,
      call: this.#calls[gate.call] as HistoryCall<O, R>,
    };
  }
}

function withCall(early: readonly number[], call: number): readonly number[] {
  const place = early.findIndex((one) => one > call);
  return place === -1 ? [...early, call] : early.toSpliced(place, 0, call);
}

function gatesOf(calls: readonly HistoryCall[], until: number): Gate[] {
  const end = (call: number) => {
    const { returnedAt = until } = calls[call] as HistoryCall;
    return Math.min(returnedAt, until);
  };
  const returns = calls.map((_, call) => call).filter((call) => end(call) < until);
  let open: number[] = [];
  const lost: number[] = [];
  let invoked = 0;
  return returns
    .sort((a, b) => end(a) - end(b))
    .map((call) => {
      for (; invoked < calls.length && (calls[invoked] as HistoryCall).invokedAt < end(call); invoked++)
        (end(invoked) < until ? open : lost).push(invoked);
      open = open.filter((one) => one !== call);
      return { call, open: [call, ...open], lost: [...lost] };
    });
}
