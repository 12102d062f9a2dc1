// The functions that a node offers.
// Invariant: a function gets its arguments as they were sent; one made by `withCall` gets the call's facts before them.
import { HoldfastError } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import { isName } from '../protocol/messages.ts';
import { badName } from './outcome.ts';

/** What a running function may know of its call. */
export interface CallFacts {
  /** Aborted when the caller cancels, goes away, or the deadline passes. */
  readonly signal: AbortSignal;
  /** The caller's id. */
  readonly client: string;
  /** Number of the attempt, unique for the client's instance. */
  readonly attempt: number;
  /** Milliseconds left until the deadline. */
  readonly timeLeftMs: number;
}

// Functions of users take what they take; the wire decides at run time.
// oxlint-disable-next-line typescript/no-explicit-any
export type NodeFunction = (...args: any[]) => unknown;
export type NodeFunctions = Readonly<Record<string, NodeFunction>>;

/** Known to every copy of this package in a process: a node and the module of its functions may each have their own. */
const WANTS_CALL = Symbol.for('holdfast.withCall');

/**
 * Marks a function that wants to know its call: `withCall((call, path) => read(path, { signal: call.signal }))` is called
 * by clients as `fn(path)`.
 */
export function withCall<A extends unknown[], R>(fn: (call: CallFacts, ...args: A) => R): (...args: A) => R {
  Object.defineProperty(fn, WANTS_CALL, { value: true });
  return fn as unknown as (...args: A) => R;
}

export function takesCall(fn: NodeFunction): boolean {
  return Object.hasOwn(fn, WANTS_CALL);
}

/** @throws HoldfastError `invalid_option` for names and values that cannot be offered */
export function checkFunctions(functions: NodeFunctions): ReadonlyMap<string, NodeFunction> {
  const entries = Object.entries(functions);
  if (entries.length > limits.maxFunctionsPerNode) {
    throw new HoldfastError(
      `a node offers at most ${limits.maxFunctionsPerNode} functions, not ${entries.length}`,
      {
        code: 'invalid_option',
      },
    );
  }
  for (const [name, fn] of entries) {
    if (typeof fn !== 'function') {
      throw new HoldfastError(`functions.${name} is ${typeof fn}; it must be a function`, {
        code: 'invalid_option',
      });
    }
    if (!isName(name)) throw badName('a function name', name);
  }
  return new Map(entries);
}
