// Things with a text, in the order of their texts, in chunks: adding one moves the rest of its chunk, never of the set.
// (The packages for this are CommonJS, whose default import differs between Node, bundlers and browsers.)
// Invariant: no chunk is empty but the only one; each chunk's texts lie before those of the next.

const MAX_CHUNK = 512;

export interface Sorted {
  readonly text: string;
}

/** Index of the first line whose text is not before `text`. */
function firstFrom(lines: readonly Sorted[], text: string): number {
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((lines[middle] as Sorted).text < text) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class SortedLines<L extends Sorted> {
  #chunks: L[][] = [[]];

  /** One whose text is not in it. */
  add(line: L): void {
    const { text } = line;
    const index = this.#chunkOf(text);
    const chunk = this.#chunks[index] as L[];
    const last = chunk.at(-1);
    if (last === undefined || last.text < text) chunk.push(line);
    else chunk.splice(firstFrom(chunk, text), 0, line);
    if (chunk.length <= MAX_CHUNK) return;
    // Keys that come in order leave full chunks behind, others half full ones.
    const end = index === this.#chunks.length - 1 && chunk.at(-1) === line;
    this.#chunks.splice(index + 1, 0, chunk.splice(end ? MAX_CHUNK : MAX_CHUNK / 2));
  }

  /** One that is in it. */
  delete({ text }: Sorted): void {
    const index = this.#chunkOf(text);
    const chunk = this.#chunks[index] as L[];
    chunk.splice(firstFrom(chunk, text), 1);
    if (chunk.length === 0 && this.#chunks.length > 1) this.#chunks.splice(index, 1);
  }

  clear(): void {
    this.#chunks = [[]];
  }

  /** From `first` on, up to `beyond` (undefined: to the end), in pieces; `descending` the last piece first, and reversed. */
  *pieces(first: string, beyond: string | undefined, descending: boolean): Generator<readonly L[], void> {
    const low = this.#chunkOf(first);
    const high = beyond === undefined ? this.#chunks.length - 1 : this.#chunkOf(beyond);
    for (let count = high - low; count >= 0; count--) {
      const index = descending ? low + count : high - count;
      const chunk = this.#chunks[index] as L[];
      const from = index === low ? firstFrom(chunk, first) : 0;
      const to = index === high && beyond !== undefined ? firstFrom(chunk, beyond) : chunk.length;
      if (from >= to) continue;
      const piece = chunk.slice(from, to);
      yield descending ? piece.reverse() : piece;
    }
  }

  /** The last chunk that begins with `text` or before it. */
  #chunkOf(text: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (((this.#chunks[middle] as L[])[0] as L).text <= text) low = middle;
      else high = middle;
    }
    return low;
  }
}
