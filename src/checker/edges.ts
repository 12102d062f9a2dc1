// The edges of the explored graph, kept only when a property needs them: where each move of a state leads.
// Invariant: a state that was expanded has all its edges here, in the order of its moves; fault edges have class FAULT.
import type { Move } from './part.ts';
import { IntList } from './states.ts';

/** The class of every fault: nobody may count on it. */
export const FAULT = -1;

/** Numbers moves by who makes them and what they are called: the unit of weak fairness. */
export class FairnessClasses {
  /** For each class, the part that makes the move; -1 for an action. */
  readonly parts: number[] = [];
  readonly #ofMove = new Map<Move, number>();
  readonly #ofName = new Map<string, number>();

  of(move: Move, part: number): number {
    const known = this.#ofMove.get(move);
    if (known !== undefined) return known;
    const found = move.fault ? FAULT : this.#named(`${part} ${move.label}`, part);
    this.#ofMove.set(move, found);
    return found;
  }

  #named(name: string, part: number): number {
    const known = this.#ofName.get(name);
    if (known !== undefined) return known;
    this.#ofName.set(name, this.parts.length);
    return this.parts.push(part) - 1;
  }
}

export class Edges {
  readonly classes: FairnessClasses;
  readonly #starts = new IntList();
  readonly #ends = new IntList();
  readonly #targets = new IntList();
  /** Twice the class, and 1 more when alike actors changed names on the way. */
  readonly #kinds = new IntList();

  constructor(classes = new FairnessClasses()) {
    this.classes = classes;
  }

  get bytes(): number {
    return this.#starts.bytes + this.#ends.bytes + this.#targets.bytes + this.#kinds.bytes;
  }

  /** What is added from now on leaves `state`. */
  open(state: number): void {
    this.#starts.set(state, this.#targets.length);
    this.#ends.set(state, this.#targets.length);
  }

  add(state: number, target: number, move: Move, part: number, turned = false): void {
    this.#targets.push(target);
    this.#kinds.push(this.classes.of(move, part) * 2 + (turned ? 1 : 0));
    this.#ends.set(state, this.#targets.length);
  }

  start(state: number): number {
    return this.#starts.at(state);
  }

  end(state: number): number {
    return this.#ends.at(state);
  }

  target(edge: number): number {
    return this.#targets.at(edge);
  }

  /** Fairness class, or `FAULT`. */
  kind(edge: number): number {
    return this.#kinds.at(edge) >> 1;
  }

  /** The target stands for the state that the move leads to, with names exchanged. */
  isTurned(edge: number): boolean {
    return (this.#kinds.at(edge) & 1) === 1;
  }
}
