// A set of calls that changes with every call: adding and removing allocate nothing and leave nothing behind.
// Invariant: `items[item.place] === item` for all that are in; -1 for those that are not.

interface OfPlace {
  place: number;
}

export class Bag<T extends OfPlace> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    if (this.#items[item.place] === item) return;
    item.place = this.#items.length;
    this.#items.push(item);
  }

  /** Returns whether it was in. The last one takes its place, so the order is nobody's. */
  delete(item: T): boolean {
    if (this.#items[item.place] !== item) return false;
    const last = this.#items.pop();
    if (last !== undefined && last !== item) {
      this.#items[item.place] = last;
      last.place = item.place;
    }
    item.place = -1;
    return true;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#items[Symbol.iterator]();
  }
}
