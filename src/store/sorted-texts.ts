// A set of texts in order, in chunks: adding one moves the rest of its chunk, never the rest of the set.
// (The packages for this are CommonJS, whose default import differs between Node, bundlers and browsers.)
// Invariant: no chunk is empty but the only one; each chunk's texts lie before those of the next.

const MAX_CHUNK = 512;

/** Index of the first text that is not before `text`. */
function firstFrom(texts: readonly string[], text: string): number {
  let low = 0;
  let high = texts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((texts[middle] as string) < text) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class SortedTexts {
  #chunks: string[][] = [[]];

  /** A text that is not in it. */
  add(text: string): void {
    const index = this.#chunkOf(text);
    const chunk = this.#chunks[index] as string[];
    const last = chunk.at(-1);
    if (last === undefined || last < text) chunk.push(text);
    else chunk.splice(firstFrom(chunk, text), 0, text);
    if (chunk.length <= MAX_CHUNK) return;
    // Keys that come in order leave full chunks behind, others half full ones.
    const end = index === this.#chunks.length - 1 && chunk.at(-1) === text;
    this.#chunks.splice(index + 1, 0, chunk.splice(end ? MAX_CHUNK : MAX_CHUNK / 2));
  }

  /** A text that is in it. */
  delete(text: string): void {
    const index = this.#chunkOf(text);
    const chunk = this.#chunks[index] as string[];
    chunk.splice(firstFrom(chunk, text), 1);
    if (chunk.length === 0 && this.#chunks.length > 1) this.#chunks.splice(index, 1);
  }

  clear(): void {
    this.#chunks = [[]];
  }

  /** From `first` on, up to `beyond` (undefined: to the end). It must not change meanwhile. */
  *ascending(first: string, beyond: string | undefined): Generator<string, void> {
    let index = this.#chunkOf(first);
    let at = firstFrom(this.#chunks[index] as string[], first);
    for (; index < this.#chunks.length; index++, at = 0) {
      const chunk = this.#chunks[index] as string[];
      for (; at < chunk.length; at++) {
        const text = chunk[at] as string;
        if (beyond !== undefined && text >= beyond) return;
        yield text;
      }
    }
  }

  /** The same texts, the last one first. */
  *descending(first: string, beyond: string | undefined): Generator<string, void> {
    let index = beyond === undefined ? this.#chunks.length - 1 : this.#chunkOf(beyond);
    let at = beyond === undefined ? Infinity : firstFrom(this.#chunks[index] as string[], beyond) - 1;
    for (; index >= 0; index--, at = Infinity) {
      const chunk = this.#chunks[index] as string[];
      for (at = Math.min(at, chunk.length - 1); at >= 0; at--) {
        const text = chunk[at] as string;
        if (text < first) return;
        yield text;
      }
    }
  }

  /** The last chunk that begins with `text` or before it. */
  #chunkOf(text: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (((this.#chunks[middle] as string[])[0] as string) <= text) low = middle;
      else high = middle;
    }
    return low;
  }
}
