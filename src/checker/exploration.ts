// The exhaustive search: every global state once, in the order of the frontier.
// Invariant: the predecessors of a state lead back to the first one; breadth first, on the shortest way.
import { AlikeProperties } from './alike-properties.ts';
import type { CheckOptions, CheckResult, Progress, Search } from './options.ts';
import { Composition } from './composition.ts';
import { Edges } from './edges.ts';
import {
  endOf,
  explain,
  failedIn,
  notReached,
  unexpectedIn,
  type PathStep,
  type Violation,
} from './explain.ts';
import { pathTo, trappedState, type Explored } from './explored.ts';
import { BreadthFirst, DepthFirst, NONE, type Frontier } from './frontier.ts';
import { livenessOf, type Lasso } from './liveness.ts';
import type { Move } from './part.ts';
import { SleepSets } from './partial-order.ts';
import { needsAll, StateProperties } from './properties.ts';
import { SLICE, type Sliced } from './slices.ts';
import { IntList, StateSet } from './states.ts';
import type { SystemDefinition } from './system.ts';
import { StateView } from './view.ts';

/** The system, reduced by its symmetry unless that is not wanted. */
function compositionFor(definition: SystemDefinition, options: CheckOptions): Composition {
  const composition = new Composition(definition, options.symmetry !== false);
  // Where several states stand for one orbit, a run that repeats need not be seen to repeat.
  const isPartial = composition.orbits?.isPartial === true && livenessOf(options).length > 0;
  return isPartial ? new Composition(definition, false) : composition;
}

export class Exploration implements Search {
  readonly #composition: Composition;
  readonly #set: StateSet;
  readonly #parents = new IntList();
  readonly #properties: StateProperties;
  readonly #alike: AlikeProperties | undefined;
  readonly #options: CheckOptions;
  readonly #edges: Edges | undefined;
  readonly #judging: Sliced<void>;
  /** How many of the properties that only a complete search can judge hold for certain. */
  #judged = 0;
  readonly #sleep: SleepSets | undefined;
  readonly #maxStates: number;
  readonly #frontier: Frontier;
  readonly #view: StateView;
  readonly #current: Int32Array;
  #phase: Progress['phase'] = 'exploring';
  #generated = 0;
  #index = 0;
  #progressed = false;
  #violation: Violation | undefined;

  constructor(definition: SystemDefinition, options: CheckOptions) {
    this.#options = options;
    this.#composition = compositionFor(definition, options);
    const { orbits } = this.#composition;
    this.#alike = orbits === undefined ? undefined : new AlikeProperties(orbits, options);
    this.#properties = new StateProperties(definition, options);
    this.#set = new StateSet(this.#composition.width);
    this.#edges = needsAll(options).length > 0 ? new Edges() : undefined;
    const {
      mode = 'breadth-first',
      partialOrder = false,
      maxDepth = Infinity,
      maxStates = 10_000_000,
    } = options;
    this.#maxStates = maxStates;
    this.#frontier = mode === 'depth-first' ? new DepthFirst(maxDepth) : new BreadthFirst(maxDepth);
    const ordered = partialOrder && mode === 'breadth-first' && this.#edges === undefined;
    this.#sleep = ordered ? SleepSets.for(this.#composition) : undefined;
    this.#current = new Int32Array(this.#composition.width);
    this.#view = new StateView(this.#composition, new Int32Array(this.#composition.width));
    this.#judging = this.#judgeAll();
    const first = this.#composition.begin();
    this.#composition.orbits?.represent(first);
    if (this.#composition.unexpected !== undefined)
      throw new Error('an actor gets an unexpected event while the system starts');
    this.#set.add(first);
    this.#parents.push(-1);
    this.#frontier.found(0);
    this.#view.state.set(first);
    this.#judge(0);
  }

  run(states = Infinity): 'running' | 'finished' {
    for (let left = states; left > 0 && this.#phase === 'exploring'; left--) this.#exploreNext();
    for (let left = states; left > 0 && this.#phase === 'judging'; left -= SLICE)
      if (this.#judging.next().done === true) this.#phase = 'finished';
    return this.#phase === 'finished' ? 'finished' : 'running';
  }

  progress(): Progress {
    return {
      phase: this.#phase,
      states: this.#set.size,
      generated: this.#generated,
      depth: this.#frontier.depth,
      queued: this.#frontier.queued,
      memoryBytes:
        this.#set.bytes +
        this.#parents.bytes +
        this.#frontier.bytes +
        (this.#edges?.bytes ?? 0) +
        (this.#sleep?.bytes ?? 0) +
        this.#composition.bytes,
      largest: this.#composition.largest,
    };
  }

  result(): CheckResult {
    const counts = { states: this.#set.size, generated: this.#generated, depth: this.#frontier.depth };
    if (this.#violation !== undefined) return { ...counts, complete: false, violation: this.#violation };
    const complete = this.#phase === 'finished' && !this.#frontier.cut && this.#frontier.queued === 0;
    if (complete) return { ...counts, complete };
    const { unreached } = this.#properties;
    const unjudged = needsAll(this.#options).slice(this.#judged);
    const full = this.#set.size > this.#maxStates;
    const bound = full ? 'maxStates' : this.#frontier.cut ? 'maxDepth' : undefined;
    return {
      ...counts,
      complete,
      ...(bound === undefined ? {} : { bound }),
      ...(unreached.length === 0 ? {} : { unreached }),
      ...(unjudged.length === 0 ? {} : { unjudged }),
    };
  }

  #exploreNext(): void {
    if (this.#violation !== undefined || this.#set.size > this.#maxStates) {
      this.#phase = 'finished';
      return;
    }
    this.#index = this.#frontier.next();
    if (this.#index === NONE) {
      this.#phase = this.#frontier.cut ? 'finished' : 'judging';
      return;
    }
    this.#set.read(this.#index, this.#current);
    this.#expand(this.#index);
  }

  #expand(index: number): void {
    this.#progressed = false;
    this.#edges?.open(index);
    this.#sleep?.enter(index, this.#current, this.#set.size);
    try {
      this.#composition.eachMove(this.#current, this.#make);
      this.#sleep?.leave();
      if (this.#progressed || !this.#properties.asksForDeadlocks || this.#violation !== undefined) return;
      if (this.#sleep?.areAsleep === true) this.#composition.eachMove(this.#current, this.#awake);
      if (this.#progressed) return;
      this.#view.state.set(this.#current);
      if (this.#properties.isOwed(this.#view))
        this.#fail('deadlock', 'something is owed, and nothing can happen', index);
    } catch (cause) {
      throw failedIn(this.#composition, this.#pathTo(index), cause);
    }
  }

  readonly #make = (move: Move, part: number): void => {
    if (this.#violation !== undefined || this.#sleep?.isAsleep(move, part) === true) return;
    const next = this.#view.state;
    next.set(this.#current);
    if (this.#sleep === undefined) this.#composition.run(next, move);
    else this.#sleep.run(next, move, part);
    this.#generated++;
    if (this.#composition.unexpected !== undefined) return this.#failUnexpected(this.#index);
    const turned = this.#composition.orbits?.represent(next) ?? false;
    const { size } = this.#set;
    const found = this.#set.add(next);
    if (found === size) {
      this.#parents.push(this.#index);
      this.#frontier.found(found);
      this.#judge(found);
    } else if (this.#frontier.foundAgain(found)) {
      this.#parents.set(found, this.#index);
    }
    // A state that became another one of its own orbit has changed.
    if (!move.fault && (found !== this.#index || turned)) this.#progressed = true;
    this.#sleep?.made(move, part, found, found === size, turned);
    this.#edges?.add(this.#index, found, move, part, turned);
  };

  #violatedBy(index: number): string | undefined {
    try {
      return this.#properties.violatedBy(this.#view);
    } catch (cause) {
      throw failedIn(this.#composition, this.#pathTo(index), cause);
    }
  }

  /** A move that sleeps leads to a state that is reached otherwise, but it is a way on from here too. */
  readonly #awake = (move: Move, part: number): void => {
    if (move.fault || this.#progressed || this.#sleep?.isAsleep(move, part) !== true) return;
    const next = this.#view.state;
    next.set(this.#current);
    this.#composition.run(next, move);
    if (next.some((local, i) => local !== this.#current[i])) this.#progressed = true;
  };

  /** Judges the state in the view. */
  #judge(index: number): void {
    this.#alike?.compareSome(this.#view, index);
    const violated = this.#violatedBy(index);
    if (violated === undefined) return;
    this.#alike?.compare(this.#view);
    this.#fail('always', violated, index);
  }

  /** Judges what only a complete search can, one property after another, until one is violated. */
  *#judgeAll(): Sliced<void> {
    const [unreached] = this.#properties.unreached;
    if (unreached !== undefined) {
      this.#violation = notReached(unreached, this.#set.size);
      return;
    }
    const [composition, set, parents] = [this.#composition, this.#set, this.#parents];
    const explored: Explored = { composition, set, parents, edges: this.#edges ?? new Edges() };
    for (const [name, goal] of Object.entries(this.#options.alwaysPossible ?? {})) {
      const trapped = yield* trappedState(explored, name, goal);
      if (trapped !== undefined) return this.#fail('alwaysPossible', name, trapped);
      this.#judged++;
    }
    for (const { kind, name, find } of livenessOf(this.#options)) {
      const lasso = yield* find(explored);
      if (lasso !== undefined) return yield* this.#failLasso(kind, name, lasso, explored.edges);
      this.#judged++;
    }
  }

  #failUnexpected(index: number): void {
    const property = unexpectedIn(this.#composition);
    const path = [...this.#pathTo(index), 'unexpected'] as const;
    this.#violation = explain(this.#composition, 'unexpected', property, path);
  }

  #fail(kind: Violation['kind'], property: string, index: number): void {
    this.#violation = explain(this.#composition, kind, property, this.#pathTo(index));
  }

  *#failLasso(
    kind: Violation['kind'],
    property: string,
    { stem, cycle }: Lasso,
    { classes }: Edges,
  ): Sliced<void> {
    const path: PathStep[] = stem.map((index) => ({ state: this.#stateAt(index) }));
    for (const { state, kind: made } of yield* cycle(endOf(this.#composition, path)))
      path.push({ state, exact: true, by: (move, part) => classes.of(move, part) === made });
    this.#violation = explain(this.#composition, kind, property, path, stem.length);
  }

  #pathTo(last: number): PathStep[] {
    return pathTo(this.#parents, last).map((index) => ({ state: this.#stateAt(index) }));
  }

  #stateAt(index: number): Int32Array {
    const state = new Int32Array(this.#composition.width);
    this.#set.read(index, state);
    return state;
  }
}
