// What is going to happen in a simulation, by time.
// Invariant: what happens at the same time happens in the order in which it was planned.

export interface Happening {
  at: number;
  seq: number;
  /** Place in the heap; -1 when it is not planned (any longer). */
  index: number;
  readonly fn: () => void;
}

/** A binary heap in which every entry knows its place, so that a cleared timer leaves nothing behind. */
export class Timeline<H extends Happening> {
  readonly #heap: H[] = [];
  #seq = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** In no order. */
  [Symbol.iterator](): Iterator<H> {
    return this.#heap.values();
  }

  get next(): H | undefined {
    return this.#heap[0];
  }

  plan(happening: H, at: number): H {
    happening.at = at;
    happening.seq = ++this.#seq;
    happening.index = this.#heap.length;
    this.#heap.push(happening);
    this.#rise(happening);
    return happening;
  }

  remove(happening: H): void {
    const { index } = happening;
    if (index === -1) return;
    happening.index = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === happening) return;
    this.#put(last, index);
    this.#rise(last);
    this.#sink(last);
  }

  #put(happening: H, index: number): void {
    this.#heap[index] = happening;
    happening.index = index;
  }

  #rise(happening: H): void {
    while (happening.index > 0) {
      const parent = this.#heap[(happening.index - 1) >> 1];
      if (parent === undefined || before(parent, happening)) return;
      const { index } = happening;
      this.#put(happening, parent.index);
      this.#put(parent, index);
    }
  }

  #sink(happening: H): void {
    for (;;) {
      const left = this.#heap[2 * happening.index + 1];
      const right = this.#heap[2 * happening.index + 2];
      const child = right !== undefined && left !== undefined && before(right, left) ? right : left;
      if (child === undefined || before(happening, child)) return;
      const { index } = happening;
      this.#put(happening, child.index);
      this.#put(child, index);
    }
  }
}

function before(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.seq < b.seq);
}
