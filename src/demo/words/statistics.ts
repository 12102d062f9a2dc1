// What the demo counts in a document, and in all of them together.
// Invariant: a tally does not depend on the order in which documents are added.
import { createHash } from 'node:crypto';

export interface Statistics {
  readonly bytes: number;
  readonly lines: number;
  readonly words: number;
  readonly sha256: string;
  /** The most frequent words and how often they occur, by frequency, then alphabetically. */
  readonly top: readonly (readonly [string, number])[];
}

const TOP_WORDS = 50;

export function statisticsOf(content: Uint8Array): Statistics {
  const text = new TextDecoder().decode(content);
  const counts = new Map<string, number>();
  let words = 0;
  for (const [word] of text.matchAll(/\p{L}[\p{L}\p{N}]*/gu)) {
    const key = word.toLowerCase();
    counts.set(key, (counts.get(key) ?? 0) + 1);
    words += 1;
  }
  return {
    bytes: content.length,
    lines: text.split('\n').length,
    words,
    sha256: hashOf(content),
    top: mostFrequent(counts, TOP_WORDS),
  };
}

export function hashOf(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function mostFrequent(counts: ReadonlyMap<string, number>, limit: number): [string, number][] {
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).slice(0, limit);
}

/** Statistics of many documents, merged. */
export class Tally {
  readonly #hashes = new Map<string, string>();
  readonly #words = new Map<string, number>();
  bytes = 0;
  lines = 0;
  words = 0;

  get files(): number {
    return this.#hashes.size;
  }

  /** Adding a path again counts it again, so that a result that came twice is seen in the sums. */
  add(path: string, statistics: Statistics): void {
    this.#hashes.set(path, statistics.sha256);
    this.bytes += statistics.bytes;
    this.lines += statistics.lines;
    this.words += statistics.words;
    for (const [word, count] of statistics.top) this.#words.set(word, (this.#words.get(word) ?? 0) + count);
  }

  hashOf(path: string): string | undefined {
    return this.#hashes.get(path);
  }

  top(limit: number): [string, number][] {
    return mostFrequent(this.#words, limit);
  }

  /** Hash of all paths with their content hashes, and of all word counts: equal tallies have equal fingerprints. */
  fingerprint(): string {
    const paths = [...this.#hashes].sort(([a], [b]) => (a < b ? -1 : 1));
    return hashOf(new TextEncoder().encode(JSON.stringify([paths, mostFrequent(this.#words, Infinity)])));
  }
}
