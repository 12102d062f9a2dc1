// What is asked of a system and what a search answers.
// Invariant: `complete` is true only when every state was seen and every property was judged on all of them.
import type { Violation } from './explain.ts';
import type { View } from './view.ts';

/**
 * What is asked of a state. It must depend on the view alone: it is judged once for each combination of local states
 * that it asked the view for, so what it does not ask for costs nothing.
 */
export type Predicate = (view: View) => boolean;
export type Predicates = Readonly<Record<string, Predicate>>;

/** Whenever `from` holds, `to` holds then or later. */
export interface LeadsTo {
  readonly from: Predicate;
  readonly to: Predicate;
}

/**
 * The liveness properties (`eventually`, `alwaysEventually`, `leadsTo`) hold on every *fair* run. A run is fair when
 * - each move that is no fault and stays possible for ever is made in the end (weak fairness of each delay, each
 *   message, each awaited answer, each choice of a model, each action; moves are told apart by actor and label), and
 * - each actor and each channel that can always make some move which is no fault makes one in the end.
 * Faults may happen, but nobody may count on them; by default they also come to an end.
 */
export interface CheckOptions {
  /** Must hold in every state. */
  readonly always?: Predicates;
  /** Must hold in some reachable state. A violation only after a complete search; until then `unreached` lists it. */
  readonly sometimes?: Predicates;
  /** Must hold at some time on every fair run. */
  readonly eventually?: Predicates;
  /** Must hold again and again on every fair run. */
  readonly alwaysEventually?: Predicates;
  /** On every fair run, whenever `from` holds, `to` holds then or later. */
  readonly leadsTo?: Readonly<Record<string, LeadsTo>>;
  /**
   * Whether a counterexample to liveness may hold faults in the part that repeats for ever. 'end': no, faults only
   * before it. 'recur': yes, so a network that loses every message for ever is a counterexample. @default 'end'
   */
  readonly faults?: 'end' | 'recur';
  /** From every state, a state where it holds can be reached without faults: there is no trap. */
  readonly alwaysPossible?: Predicates;
  /**
   * Where something is owed, something other than a fault must be able to change the state. `true`: something is
   * owed as long as a machine actor runs and is not done. @default false: not checked
   */
  readonly noDeadlock?: boolean | Predicate;
  /**
   * 'breadth-first': every state, counterexamples have the fewest steps. 'depth-first': every state, far violations
   * are met early and take more steps. 'simulation': random walks; never complete. @default 'breadth-first'
   */
  readonly mode?: 'breadth-first' | 'depth-first' | 'simulation';
  /**
   * True: of steps that can be made in any order with the same result, makes one order only (sleep sets). Every state
   * is still seen, at its least depth, and so is every deadlock, in fewer steps (`generated`). It takes memory for one
   * level of states and, where steps are as cheap as in most systems, more time than it saves. Only breadth first,
   * without properties that need all edges (`alwaysPossible` and liveness), and with up to 31 actors and channels;
   * elsewhere it changes nothing. @default false
   */
  readonly partialOrder?: boolean;
  /**
   * False: looks at every state for itself, though the system says that some actors are alike. With liveness properties
   * that is so too where names can be exchanged in more than 120 ways; else, since fairness tells alike actors apart,
   * what repeats is looked at with all names. @default true
   */
  readonly symmetry?: boolean;
  /** The search stops, incomplete, beyond so many states. @default 10 000 000 */
  readonly maxStates?: number;
  /** States farther away are not explored. @default Infinity; in a simulation, steps of a walk: 1000 */
  readonly maxDepth?: number;
  /** Simulation: decides all random choices; the next walk has the next seed. A whole number. @default 1 */
  readonly seed?: number;
  /** Simulation: number of walks. @default 1000 */
  readonly walks?: number;
}

export interface CheckResult {
  /** Distinct states. */
  readonly states: number;
  /** States generated, those found again included. */
  readonly generated: number;
  /** Steps to the farthest state. */
  readonly depth: number;
  /** Every state was seen. False after a violation or when a bound was reached. */
  readonly complete: boolean;
  readonly violation?: Violation;
  /** The bound that kept states back, if one did. */
  readonly bound?: 'maxStates' | 'maxDepth';
  /** Simulation: the seed of the walk that met the violation, else that of the first one. */
  readonly seed?: number;
  /** Simulation: walks that were begun. */
  readonly walks?: number;
  /** After an incomplete search: `sometimes` properties that held nowhere so far. */
  readonly unreached?: readonly string[];
  /** After an incomplete search: properties that only a complete one can judge, and that were not judged yet. */
  readonly unjudged?: readonly string[];
}

export interface Progress {
  readonly phase: 'exploring' | 'judging' | 'finished';
  /** Distinct states. */
  readonly states: number;
  /** States generated, those found again included. */
  readonly generated: number;
  /** Steps from the first state to where the search is. */
  readonly depth: number;
  /** States that wait to be explored; in a simulation, walks. */
  readonly queued: number;
  /** Bytes of all states, edges and tables, with an estimate for local states. */
  readonly memoryBytes: number;
  /** The actor or channel with the most local states so far. */
  readonly largest: { readonly part: string; readonly localStates: number };
}

export interface Search {
  /**
   * Explores up to so many states more, or looks at about as many again for a property that needs all of them.
   *
   * @param states @default Infinity: to the end, judgements included
   * @throws Error that names the actor and the state when the system cannot be explored, or the property that threw
   */
  run(states?: number): 'running' | 'finished';
  progress(): Progress;
  /** What was found so far. */
  result(): CheckResult;
}
