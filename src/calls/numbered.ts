// A table of calls by their attempt numbers, for numbers that grow and are soon deleted again.
// Invariant: holds what a Map would hold. A Map that lives long and changes much leaves its outgrown tables behind in the
// old generation, where each keeps alive, until the next full collection, the calls that it held when it was outgrown.

interface OfNumber {
  readonly attempt: number;
}

const LEAST_SLOTS = 16;
const MOST_SLOTS = 131_072;

export class Numbered<T extends OfNumber> {
  #slots: (T | undefined)[] = [];
  /** Those whose slot is taken by another: calls that outlive the thousands after them. */
  readonly #crowded = new Map<number, T>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(attempt: number): T | undefined {
    const there = this.#slots[attempt & (this.#slots.length - 1)];
    if (there !== undefined && there.attempt === attempt) return there;
    return this.#crowded.size === 0 ? undefined : this.#crowded.get(attempt);
  }

  has(attempt: number): boolean {
    return this.get(attempt) !== undefined;
  }

  /** `call.attempt` must be its number until it is deleted. */
  set(call: T): void {
    if (this.has(call.attempt)) this.delete(call.attempt);
    if (this.#size * 2 >= this.#slots.length && this.#slots.length < MOST_SLOTS) this.#grow();
    this.#put(call);
    this.#size += 1;
  }

  delete(attempt: number): boolean {
    const slot = attempt & (this.#slots.length - 1);
    if (this.#slots[slot]?.attempt === attempt) this.#slots[slot] = undefined;
    else if (!this.#crowded.delete(attempt)) return false;
    this.#size -= 1;
    return true;
  }

  clear(): void {
    this.#slots = [];
    this.#crowded.clear();
    this.#size = 0;
  }

  *values(): Generator<T> {
    for (const call of this.#slots) if (call !== undefined) yield call;
    yield* this.#crowded.values();
  }

  #put(call: T): void {
    const slot = call.attempt & (this.#slots.length - 1);
    if (this.#slots[slot] === undefined) this.#slots[slot] = call;
    else this.#crowded.set(call.attempt, call);
  }

  #grow(): void {
    const all = [...this.values()];
    this.#crowded.clear();
    const slots = Math.max(LEAST_SLOTS, this.#slots.length * 2);
    this.#slots = Array.from({ length: slots }, () => undefined);
    for (const call of all) this.#put(call);
  }
}
