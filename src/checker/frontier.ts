// Which state is explored next: the oldest (breadth first) or the newest (depth first).
// Invariant: within the bound every state that was found is handed out; when the bound kept one back, `cut` says so.
import { IntList } from './states.ts';

export const NONE = -1;

export interface Frontier {
  /** Steps from the first state to the deepest one that was found. */
  readonly depth: number;
  readonly queued: number;
  readonly bytes: number;
  /** Some state was not explored because it lies as deep as the bound. */
  readonly cut: boolean;
  /** The state to explore, or `NONE`. */
  next(): number;
  /** A new state was found from the one that is being explored. States are numbered as they are found. */
  found(state: number): void;
  /** A known state was found again. True when this way to it is the one to remember. */
  foundAgain(state: number): boolean;
}

/** Every way that it remembers is a shortest one. */
export class BreadthFirst implements Frontier {
  readonly #maxDepth: number;
  depth = 0;
  cut = false;
  readonly bytes = 0;
  #next = 0;
  #size = 0;
  #levelEnd = 1;

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
  }

  get queued(): number {
    return this.#size - this.#next;
  }

  next(): number {
    if (this.#next === this.#size) return NONE;
    if (this.#next === this.#levelEnd) {
      this.depth++;
      this.#levelEnd = this.#size;
    }
    if (this.depth < this.#maxDepth) return this.#next++;
    this.cut = true;
    return NONE;
  }

  found(): void {
    this.#size++;
  }

  foundAgain(): boolean {
    return false;
  }
}

/** Goes deep at once, so it meets far violations early; what it remembers need not be the shortest way. */
export class DepthFirst implements Frontier {
  readonly #maxDepth: number;
  readonly #stack: number[] = [];
  readonly #depths = new IntList();
  depth = 0;
  cut = false;
  #current = -1;

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
  }

  get queued(): number {
    return this.#stack.length;
  }

  get bytes(): number {
    return this.#depths.bytes + this.#stack.length * 8;
  }

  next(): number {
    for (;;) {
      const state = this.#stack.pop();
      if (state === undefined) return NONE;
      this.#current = this.#depths.at(state);
      if (this.#current < this.#maxDepth) return state;
      this.cut = true;
    }
  }

  found(state: number): void {
    const depth = this.#current + 1;
    this.#depths.set(state, depth);
    if (depth > this.depth) this.depth = depth;
    this.#stack.push(state);
  }

  /** Under a bound a shorter way opens a state again, so that nothing within the bound is missed. */
  foundAgain(state: number): boolean {
    const depth = this.#current + 1;
    if (this.#maxDepth === Infinity || depth >= this.#depths.at(state)) return false;
    this.#depths.set(state, depth);
    this.#stack.push(state);
    return true;
  }
}
