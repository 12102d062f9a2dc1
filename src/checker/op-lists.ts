// Lists of ops as numbers: many steps lead to the same few lists, which then lie together in one typed array.
// Invariant: equal lists have one number, and 0 is the empty list.

interface Op {
  readonly part: number;
  readonly input: number;
}

export class OpLists {
  /** At a list's number: how many ops, then for each its part and its input. */
  data = new Int32Array(1024);
  #end = 1;
  readonly #known = new Map<string, number>();

  of(ops: readonly Op[]): number {
    if (ops.length === 0) return 0;
    const key = ops.map(({ part, input }) => `${part}:${input}`).join();
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const list = this.#end;
    this.#end += 1 + 2 * ops.length;
    while (this.#end > this.data.length) {
      const longer = new Int32Array(this.data.length * 2);
      longer.set(this.data);
      this.data = longer;
    }
    this.data[list] = ops.length;
    ops.forEach(({ part, input }, i) => {
      this.data[list + 1 + 2 * i] = part;
      this.data[list + 2 + 2 * i] = input;
    });
    this.#known.set(key, list);
    return list;
  }
  /** The ops of a list. */
  at(list: number): Op[] {
    const { data } = this;
    return Array.from({ length: data[list] as number }, (_, i) => ({
      part: data[list + 1 + 2 * i] as number,
      input: data[list + 2 + 2 * i] as number,
    }));
  }
}
