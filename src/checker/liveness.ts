// Liveness: is there a fair run on which a property never comes true? If so, it is a lasso: a stem and a cycle.
// Invariant: the judgement goes by strongly connected components, so a state that is revisited hides nothing.
import type { CheckOptions } from './options.ts';
import { FAULT, type Edges } from './edges.ts';
import { marksOf, pathTo, type Explored } from './explored.ts';
import { eachComponent, ENTRY, OUTSIDE, regionFrom, type Region } from './region.ts';
import { SLICE, type Sliced } from './slices.ts';
import { turnsInside, unfold } from './unfolding.ts';

/** A step of the cycle: the state that it leads to, and the fairness class of its move. */
export interface CycleStep {
  readonly state: Int32Array;
  readonly kind: number;
}

export interface Lasso {
  /** States from the first one to the one where the cycle begins. */
  readonly stem: readonly number[];
  /**
   * Back to `from`, the state that the stem led to or one that it stands for. Empty: the run stays there, since nothing
   * more has to happen.
   */
  readonly cycle: (from: Int32Array) => Sliced<readonly CycleStep[]>;
}

export interface LivenessProperty {
  readonly kind: 'eventually' | 'alwaysEventually' | 'leadsTo';
  readonly name: string;
  find(explored: Explored): Sliced<Lasso | undefined>;
}

/** The liveness properties among `options`, in their order. */
export function livenessOf(options: CheckOptions): LivenessProperty[] {
  const { eventually = {}, alwaysEventually = {}, leadsTo = {}, faults = 'end', maxStates } = options;
  const find = (explored: Explored, region: Region) =>
    new FairSearch(explored, region, faults, maxStates).run();
  return [
    ...Object.entries(eventually).map(([name, predicate]): LivenessProperty => ({
      kind: 'eventually',
      name,
      *find(explored) {
        const over = yield* marksOf(explored, 'eventually', name, predicate);
        return yield* find(explored, yield* regionFrom(explored, [0], over));
      },
    })),
    ...Object.entries(alwaysEventually).map(([name, predicate]): LivenessProperty => ({
      kind: 'alwaysEventually',
      name,
      *find(explored) {
        const over = yield* marksOf(explored, 'alwaysEventually', name, predicate);
        return yield* find(explored, yield* regionFrom(explored, over.keys(), over));
      },
    })),
    ...Object.entries(leadsTo).map(([name, { from, to }]): LivenessProperty => ({
      kind: 'leadsTo',
      name,
      *find(explored) {
        const begun = yield* marksOf(explored, 'leadsTo', name, from);
        const over = yield* marksOf(explored, 'leadsTo', name, to);
        return yield* find(explored, yield* regionFrom(explored, marked(begun), over));
      },
    })),
  ];
}

function* marked(marks: Uint8Array): Generator<number> {
  for (let state = 0; state < marks.length; state++) if (marks[state] === 1) yield state;
}

class FairSearch {
  readonly #explored: Explored;
  readonly #faults: 'end' | 'recur';
  readonly #maxStates: number | undefined;
  readonly #edges: Edges;
  readonly #region: Region;
  readonly #component: Int32Array;
  readonly #rank: Int32Array;
  readonly #follows: (edge: number) => boolean;
  /** What must be fair: each class of moves and, behind them, each part. */
  readonly #classes: number;
  readonly #stamp: Int32Array;
  #round = 0;

  constructor(explored: Explored, region: Region, faults: 'end' | 'recur', maxStates?: number) {
    this.#faults = faults;
    this.#maxStates = maxStates;
    this.#explored = explored;
    this.#edges = explored.edges;
    this.#region = region;
    this.#component = new Int32Array(region.before.length);
    this.#rank = new Int32Array(region.before.length);
    region.order.forEach((state, rank) => void (this.#rank[state] = rank));
    this.#follows = faults === 'recur' ? () => true : (edge) => this.#edges.kind(edge) !== FAULT;
    this.#classes = explored.edges.classes.parts.length;
    this.#stamp = new Int32Array(this.#classes + explored.composition.parts.length);
  }

  *run(): Sliced<Lasso | undefined> {
    const isReduced = this.#explored.composition.orbits !== undefined;
    let best: number | undefined;
    for (const one of eachComponent(this.#edges, this.#region, this.#follows, this.#component)) {
      if (one === undefined) {
        yield;
        continue;
      }
      const { members, number } = one;
      let first = members[0] as number;
      for (const state of members)
        if ((this.#rank[state] as number) < (this.#rank[first] as number)) first = state;
      if (best !== undefined && (this.#rank[best] as number) < (this.#rank[first] as number)) continue;
      const isInside = (edge: number): boolean =>
        this.#component[this.#edges.target(edge)] === number && this.#inRegion(edge) && this.#follows(edge);
      const isFair =
        isReduced && turnsInside(this.#edges, members, isInside)
          ? yield* (yield* this.#unfolded(this.#stateAt(first), number)).#isFairAsAWhole()
          : yield* this.#isFair(members, number);
      if (isFair) best = first;
    }
    if (best === undefined) return undefined;
    const home = best;
    const number = this.#component[home] as number;
    return {
      stem: this.#stemTo(home),
      cycle: isReduced ? (from) => this.#unfoldedCycle(from, number) : () => this.#cycleThrough(home),
    };
  }

  /** The search in one component as it is when alike actors are told apart. Its first state is `from`. */
  *#unfolded(from: Int32Array, number: number): Sliced<FairSearch> {
    const isMember = (state: number): boolean =>
      this.#component[state] === number && this.#region.before[state] !== OUTSIDE;
    const follows = (kind: number): boolean => this.#faults === 'recur' || kind !== FAULT;
    const { composition, parents } = this.#explored;
    const { set, edges } = yield* unfold(this.#explored, from, isMember, follows, this.#maxStates);
    const region = {
      before: new Int32Array(set.size).fill(ENTRY),
      order: Int32Array.from({ length: set.size }, (_, state) => state),
    };
    return new FairSearch({ composition, set, parents, edges }, region, this.#faults, this.#maxStates);
  }

  /** For a region that is one component. */
  *#isFairAsAWhole(): Sliced<boolean> {
    this.#component.fill(0);
    return yield* this.#isFair(this.#region.order, 0);
  }

  *#unfoldedCycle(from: Int32Array, number: number): Sliced<CycleStep[]> {
    const whole = yield* this.#unfolded(from, number);
    whole.#component.fill(0);
    return yield* whole.#cycleThrough(0);
  }

  #stateAt(index: number): Int32Array {
    const { set } = this.#explored;
    const state = new Int32Array(set.width);
    set.read(index, state);
    return state;
  }

  /**
   * A run that visits all of a component again and again is fair unless some unit of fairness is possible in every
   * member and never made inside. Then it is so in every cycle inside too: one look at the whole is enough.
   */
  *#isFair(members: Int32Array, number: number): Sliced<boolean> {
    let starving: number[] | undefined;
    for (const [i, state] of members.entries()) {
      if (i % SLICE === SLICE - 1) yield;
      const possible = this.#unitsOf(state);
      starving = starving === undefined ? possible : this.#both(starving, possible);
      if (starving.length === 0) return true;
    }
    const made = new Set<number>();
    for (const [i, state] of members.entries()) {
      if (i % SLICE === SLICE - 1) yield;
      const end = this.#edges.end(state);
      for (let edge = this.#edges.start(state); edge < end; edge++)
        if (this.#component[this.#edges.target(edge)] === number && this.#inRegion(edge))
          for (const unit of this.#unitsOfEdge(edge)) made.add(unit);
    }
    return (starving ?? []).every((unit) => made.has(unit));
  }

  #inRegion(edge: number): boolean {
    return this.#region.before[this.#edges.target(edge)] !== OUTSIDE;
  }

  /** The units of fairness that can make a move in `state`. */
  #unitsOf(state: number): number[] {
    const round = ++this.#round;
    const units: number[] = [];
    const end = this.#edges.end(state);
    for (let edge = this.#edges.start(state); edge < end; edge++) {
      for (const unit of this.#unitsOfEdge(edge)) {
        if (this.#stamp[unit] === round) continue;
        this.#stamp[unit] = round;
        units.push(unit);
      }
    }
    return units;
  }

  #unitsOfEdge(edge: number): number[] {
    const kind = this.#edges.kind(edge);
    if (kind === FAULT) return [];
    const part = this.#edges.classes.parts[kind] as number;
    return part === -1 ? [kind] : [kind, this.#classes + part];
  }

  #both(a: readonly number[], b: readonly number[]): number[] {
    return a.filter((unit) => b.includes(unit));
  }

  #stemTo(state: number): number[] {
    const inside: number[] = [];
    let at = state;
    for (; this.#region.before[at] !== ENTRY; at = this.#region.before[at] as number) inside.push(at);
    return [...pathTo(this.#explored.parents, at), ...inside.reverse()];
  }

  /** Goes on to the nearest place that is still owed to fairness until nothing is, then home. */
  *#cycleThrough(home: number): Sliced<CycleStep[]> {
    const cycle: CycleStep[] = [];
    let pending = new Set(this.#unitsOf(home));
    let at = home;
    while (pending.size > 0) {
      const before = pending.size;
      const path = yield* this.#shortest(at, (edge, target) => {
        if (this.#unitsOfEdge(edge).some((unit) => pending.has(unit))) return true;
        const possible = this.#unitsOf(target);
        return [...pending].some((unit) => !possible.includes(unit));
      });
      for (const edge of path) {
        at = this.#edges.target(edge);
        const possible = this.#unitsOf(at);
        const made = this.#unitsOfEdge(edge);
        pending = new Set([...pending].filter((unit) => possible.includes(unit) && !made.includes(unit)));
        cycle.push({ state: this.#stateAt(at), kind: this.#edges.kind(edge) });
      }
      if (pending.size === before) throw new Error('a fair cycle was found and then not found again');
    }
    if (at === home) return cycle;
    for (const edge of yield* this.#shortest(at, (_, target) => target === home))
      cycle.push({ state: this.#stateAt(this.#edges.target(edge)), kind: this.#edges.kind(edge) });
    return cycle;
  }

  /** The edges of a shortest way inside the component, the last one being the first that `wanted` accepts. */
  *#shortest(from: number, wanted: (edge: number, target: number) => boolean): Sliced<number[]> {
    const number = this.#component[from];
    const cameBy = new Map<number, number>();
    const cameFrom = new Map<number, number>();
    const queue = [from];
    for (const [i, state] of queue.entries()) {
      if (i % SLICE === SLICE - 1) yield;
      const end = this.#edges.end(state);
      for (let edge = this.#edges.start(state); edge < end; edge++) {
        const target = this.#edges.target(edge);
        if (this.#component[target] !== number || !this.#inRegion(edge) || !this.#follows(edge)) continue;
        if (wanted(edge, target)) {
          const path = [edge];
          for (let at = state; at !== from; at = cameFrom.get(at) as number)
            path.push(cameBy.get(at) as number);
          return path.reverse();
        }
        if (target === from || cameBy.has(target)) continue;
        cameBy.set(target, edge);
        cameFrom.set(target, state);
        queue.push(target);
      }
    }
    return [];
  }
}
