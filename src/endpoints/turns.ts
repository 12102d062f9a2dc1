// Whose turn it is under weights: each endpoint's next turn lies 1/weight after its last, and the earliest is next.
// Invariant: within any stretch of turns each has its share, give or take one.
import type { Member } from './member.ts';

const stepOf = ({ endpoint }: Member): number => 1 / (endpoint.weight ?? 1);

/** Earliest deadline first over virtual time, as Envoy schedules weights: a binary heap, so a turn costs O(log n). */
export class Turns {
  #heap: Member[] = [];
  /** Virtual time. */
  #now = 0;

  /** Whoever is new, or was away, does not catch up on what it missed. */
  refresh(members: readonly Member[]): void {
    const known = new Set(this.#heap);
    for (const member of members) if (!known.has(member)) member.turn = this.#now + stepOf(member);
    // A sorted list is a heap.
    this.#heap = [...members].sort((one, other) => one.turn - other.turn);
  }

  next(): Member | undefined {
    const [first] = this.#heap;
    if (first === undefined) return undefined;
    this.#take(first);
    this.#sink(first, 0);
    return first;
  }

  /** The next of some, out of turn: for the retries of one request. */
  nextAmong(members: readonly Member[]): Member | undefined {
    let first: Member | undefined;
    for (const member of members) if (first === undefined || member.turn < first.turn) first = member;
    if (first === undefined) return undefined;
    this.#take(first);
    this.#sink(first, this.#heap.indexOf(first));
    return first;
  }

  #take(member: Member): void {
    this.#now = Math.max(this.#now, member.turn);
    member.turn += stepOf(member);
  }

  /** Its turn was put off: it sinks to its place. */
  #sink(member: Member, from: number): void {
    const heap = this.#heap;
    let at = from;
    for (;;) {
      const left = 2 * at + 1;
      let child = heap[left];
      let place = left;
      const right = heap[left + 1];
      if (child !== undefined && right !== undefined && right.turn < child.turn) {
        child = right;
        place = left + 1;
      }
      if (child === undefined || child.turn >= member.turn) break;
      heap[at] = child;
      at = place;
    }
    heap[at] = member;
  }
}
