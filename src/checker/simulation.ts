// Seeded random walks, for systems too large to explore: each begins at the first state and chooses among all moves.
// Invariant: a walk depends on its own seed alone, so the seed of the result replays what it found in one walk.
import { Composition } from './composition.ts';
import { explain, failedIn, unexpectedIn, type PathStep, type Violation } from './explain.ts';
import type { CheckOptions, CheckResult, Progress, Search } from './options.ts';
import type { Move } from './part.ts';
import { needsAll, StateProperties } from './properties.ts';
import { randomNumbers } from './random.ts';
import { StateSet } from './states.ts';
import type { SystemDefinition } from './system.ts';
import { StateView } from './view.ts';

interface Chance {
  readonly move: Move;
  readonly part: number;
}

export class Simulation implements Search {
  readonly #composition: Composition;
  readonly #options: CheckOptions;
  readonly #properties: StateProperties;
  readonly #set: StateSet;
  readonly #view: StateView;
  readonly #first: Int32Array;
  readonly #seed: number;
  readonly #walks: number;
  readonly #maxDepth: number;
  readonly #maxStates: number;
  #phase: Progress['phase'] = 'exploring';
  #walk = 0;
  #path: PathStep[] = [];
  #random: (below: number) => number;
  #generated = 0;
  #depth = 0;
  #violation: Violation | undefined;

  constructor(definition: SystemDefinition, options: CheckOptions) {
    this.#options = options;
    this.#composition = new Composition(definition, false);
    this.#properties = new StateProperties(definition, options);
    this.#set = new StateSet(this.#composition.width);
    this.#seed = options.seed ?? 1;
    this.#walks = options.walks ?? 1_000;
    this.#maxDepth = options.maxDepth ?? 1_000;
    this.#maxStates = options.maxStates ?? 10_000_000;
    this.#first = this.#composition.begin();
    if (this.#composition.unexpected !== undefined)
      throw new Error('an actor gets an unexpected event while the system starts');
    this.#view = new StateView(this.#composition, this.#first.slice());
    this.#random = randomNumbers(this.#seed);
    this.#path = [{ state: this.#first }];
    this.#judge();
  }

  run(states = Infinity): 'running' | 'finished' {
    try {
      for (let left = states; left > 0 && this.#phase === 'exploring'; left--) this.#goOn();
    } catch (cause) {
      throw failedIn(this.#composition, this.#path, cause);
    }
    return this.#phase === 'exploring' ? 'running' : 'finished';
  }

  progress(): Progress {
    return {
      phase: this.#phase,
      states: this.#set.size,
      generated: this.#generated,
      depth: this.#path.length - 1,
      queued: this.#walks - this.#walk,
      memoryBytes: this.#set.bytes + this.#composition.bytes,
      largest: this.#composition.largest,
    };
  }

  result(): CheckResult {
    const counts = {
      states: this.#set.size,
      generated: this.#generated,
      depth: this.#depth,
      complete: false,
    };
    if (this.#violation !== undefined)
      return { ...counts, seed: this.#seedOfWalk(), walks: this.#walk + 1, violation: this.#violation };
    const { unreached } = this.#properties;
    const unjudged = needsAll(this.#options);
    return {
      ...counts,
      seed: this.#seed,
      walks: this.#walk,
      ...(unreached.length === 0 ? {} : { unreached }),
      ...(unjudged.length === 0 ? {} : { unjudged }),
    };
  }

  #seedOfWalk(): number {
    return (this.#seed + this.#walk) >>> 0;
  }

  #goOn(): void {
    if (this.#violation !== undefined || this.#set.size > this.#maxStates || this.#walk >= this.#walks) {
      this.#phase = 'finished';
      return;
    }
    const from = this.#path.at(-1)?.state ?? this.#first;
    const chances: Chance[] = [];
    this.#composition.eachMove(from, (move, part) => void chances.push({ move, part }));
    if (this.#properties.asksForDeadlocks && !this.#canProgress(from, chances)) {
      this.#view.state.set(from);
      if (this.#properties.isOwed(this.#view)) {
        this.#fail('deadlock', 'something is owed, and nothing can happen');
        return;
      }
    }
    const chance = chances[this.#random(chances.length)];
    if (chance === undefined || this.#path.length > this.#maxDepth) this.#nextWalk();
    else this.#step(from, chance);
  }

  #nextWalk(): void {
    this.#walk++;
    this.#random = randomNumbers(this.#seedOfWalk());
    this.#path = [{ state: this.#first }];
  }

  #step(from: Int32Array, { move, part }: Chance): void {
    const by = (other: Move, otherPart: number) => otherPart === part && other.label === move.label;
    this.#view.state.set(from);
    this.#composition.run(this.#view.state, move);
    this.#generated++;
    if (this.#composition.unexpected !== undefined) {
      const property = unexpectedIn(this.#composition);
      this.#violation = explain(this.#composition, 'unexpected', property, [...this.#path, 'unexpected']);
      return;
    }
    this.#path.push({ state: this.#view.state.slice(), by });
    this.#depth = Math.max(this.#depth, this.#path.length - 1);
    this.#judge();
  }

  #canProgress(from: Int32Array, chances: readonly Chance[]): boolean {
    return chances.some(({ move }) => {
      if (move.fault) return false;
      this.#view.state.set(from);
      this.#composition.run(this.#view.state, move);
      return (
        this.#composition.unexpected !== undefined || from.some((local, i) => this.#view.state[i] !== local)
      );
    });
  }

  #judge(): void {
    const { size } = this.#set;
    if (this.#set.add(this.#view.state) < size) return;
    const violated = this.#properties.violatedBy(this.#view);
    if (violated !== undefined) this.#fail('always', violated);
  }

  #fail(kind: Violation['kind'], property: string): void {
    this.#violation = explain(this.#composition, kind, property, this.#path);
  }
}
