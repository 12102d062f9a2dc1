// Objects as they are when used by one process at a time, and a slow judge of histories to compare with.
// Invariant: the slow judge tries every order there is and shares no code with the tester.
import type {
  HistoryCall,
  HistoryEvent,
  SequentialResult,
  SequentialSpec,
} from '../../../src/checker/index.ts';

export type RegisterOp = { readonly write: number } | 'read';
export type RegisterResult = number | 'ok';

export const register: SequentialSpec<number, RegisterOp, RegisterResult> = {
  initial: 0,
  apply: (value, op) => (op === 'read' ? { state: value, result: value } : { state: op.write, result: 'ok' }),
  inWords: (op) => (op === 'read' ? 'read' : `write ${op.write}`),
};

export interface StoreOp {
  readonly key: string;
  readonly put?: number;
  /** With `put`: only when the value is this one. */
  readonly expect?: number;
}

/** A key-value store with put, get and compare-and-set. */
export const store: SequentialSpec<number, StoreOp, number | 'ok' | 'no'> = {
  initial: 0,
  apply(value, { put, expect }) {
    if (put === undefined) return { state: value, result: value };
    if (expect !== undefined && expect !== value) return { state: value, result: 'no' };
    return { state: put, result: 'ok' };
  },
  partition: ({ key }) => key,
};

export type QueueOp = { readonly add: number } | 'take';

/** First in, first out; `take` of an empty one returns null. */
export const queue: SequentialSpec<readonly number[], QueueOp, number | null> = {
  initial: [],
  apply: (items, op) =>
    op === 'take'
      ? { state: items.slice(1), result: items[0] ?? null }
      : { state: [...items, op.add], result: null },
};

/** Any of what is in the bag may be taken. */
export const bag: SequentialSpec<readonly number[], QueueOp, number | null> = {
  initial: [],
  apply(items, op) {
    if (op !== 'take') return { state: [...items, op.add].toSorted((a, b) => a - b), result: null };
    if (items.length === 0) return { state: items, result: null };
    return items.map((item, i) => ({ state: items.toSpliced(i, 1), result: item }));
  },
};

/** `a: write 1` invokes, `a → ok` returns, `a failed` fails; one a line. */
export function written<O, R>(
  lines: string,
  op: (words: string) => O,
  result: (words: string) => R,
): HistoryEvent<O, R>[] {
  return lines
    .trim()
    .split('\n')
    .map((line): HistoryEvent<O, R> => {
      const [, process = '', sign, words = ''] = /^\s*(\w+)\s*(:|→|failed)\s*(.*)$/.exec(line) ?? [];
      if (sign === ':') return { type: 'invoke', process, operation: op(words) };
      return sign === '→' ? { type: 'return', process, result: result(words) } : { type: 'fail', process };
    });
}

export const registerHistory = (lines: string) =>
  written<RegisterOp, RegisterResult>(
    lines,
    (words) => (words === 'read' ? 'read' : { write: Number(words.slice('write '.length)) }),
    (words) => (words === 'ok' ? 'ok' : Number(words)),
  );

const outcomes = <S, O, R>(spec: SequentialSpec<S, O, R>, state: S, operation: O) =>
  [spec.apply(state, operation)].flat() as SequentialResult<S, R>[];

/** Tries all orders, of all calls that returned and of any of the others. */
export function hasOrder<S, O, R>(
  spec: SequentialSpec<S, O, R>,
  calls: readonly HistoryCall<O, R>[],
  mayFollow: (earlier: HistoryCall<O, R>, later: HistoryCall<O, R>) => boolean,
  state: S = spec.initial,
): boolean {
  if (calls.every(({ returnedAt }) => returnedAt === undefined)) return true;
  return calls.some((first) => {
    const rest = calls.filter((call) => call !== first);
    if (!rest.every((later) => mayFollow(first, later))) return false;
    return outcomes(spec, state, first.operation).some(
      (outcome) =>
        (first.returnedAt === undefined || JSON.stringify(outcome.result) === JSON.stringify(first.result)) &&
        hasOrder(spec, rest, mayFollow, outcome.state),
    );
  });
}

/** Real time: what returned before another was invoked comes first. */
export const inRealTime = (earlier: HistoryCall, later: HistoryCall): boolean =>
  (later.returnedAt ?? Infinity) > earlier.invokedAt;

/** Only the order of each process counts. */
export const inProcessOrder = (earlier: HistoryCall, later: HistoryCall): boolean =>
  earlier.process !== later.process || earlier.invokedAt < later.invokedAt;
