// A predicate on global states, judged once for each combination of local states that it asks for.
// What it asks first is always the same, and what it asks next depends on the answers alone: a decision tree.
// Invariant: the same verdict as the predicate's own, if that depends on nothing but the view.
import type { Predicate } from './options.ts';
import { PairMap } from './pair-map.ts';
import type { StateView } from './view.ts';

/** A child in the tree: a verdict, or a node's number plus `NODES`. */
const FALSE = 0;
const TRUE = 1;
const NODES = 2;

/** After so many states that had to be judged, most of all must have been known; else the tree is given up. */
const PATIENCE = 8_192;
const LEAST_KNOWN = 3 / 4;

export class Verdicts {
  readonly #predicate: Predicate;
  /** For each node the column of the state that the predicate asks for next. */
  #columns: number[] = [];
  #children = new PairMap();
  readonly #asked: number[] = [];
  #use: 'yes' | 'given up' = 'yes';
  #states = 0;
  #judged = 0;

  constructor(predicate: Predicate) {
    this.#predicate = predicate;
  }

  get bytes(): number {
    return this.#children.bytes + this.#columns.length * 8;
  }

  /** @throws what the predicate throws */
  of(view: StateView): boolean {
    if (this.#use === 'given up') return this.#predicate(view);
    this.#states++;
    const { state } = view;
    for (let node = 0; node < this.#columns.length;) {
      const at = this.#children.find(node, state[this.#columns[node] as number] as number);
      if (at === -1) break;
      const child = this.#children.slots[at] as number;
      if (child < NODES) return child === TRUE;
      node = child - NODES;
    }
    return this.#judge(view);
  }

  #judge(view: StateView): boolean {
    this.#asked.length = 0;
    const verdict = view.watched(this.#asked, this.#predicate);
    const isPure = this.#learn(view.state, verdict);
    this.#judged++;
    if (!isPure || (this.#judged > PATIENCE && this.#judged > (1 - LEAST_KNOWN) * this.#states))
      this.#giveUp();
    return verdict;
  }

  /** False when the predicate asks for other things than before, though it got the same answers. */
  #learn(state: Int32Array, verdict: boolean): boolean {
    const asked = this.#asked;
    if (asked.length === 0) return false;
    if (this.#columns.length === 0) this.#columns.push(asked[0] as number);
    for (let i = 0, node = 0; i < asked.length; i++) {
      const column = asked[i] as number;
      if (this.#columns[node] !== column) return false;
      const local = state[column] as number;
      const at = this.#children.find(node, local);
      let child = at === -1 ? -1 : (this.#children.slots[at] as number);
      if (child === -1) {
        const next = asked[i + 1];
        child = next === undefined ? (verdict ? TRUE : FALSE) : NODES + this.#columns.push(next) - 1;
        this.#children.set(node, local, child);
      }
      if (child < NODES) return i === asked.length - 1;
      node = child - NODES;
    }
    return false;
  }

  #giveUp(): void {
    this.#use = 'given up';
    this.#columns = [];
    this.#children = new PairMap();
  }
}
