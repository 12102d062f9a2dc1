// Entries of keys that were written not long ago: most keys that are written once are written again.
// Invariant: what it has of a key is that key's last change in the index; it never holds more than a fixed number.
import type { StoredEntry } from './sqlite-entry.ts';

/** Of half a kibibyte each at most, in memory of two that they share with others: tens of megabytes at worst. */
const MOST_ENTRIES = 16_384;

export class KnownEntries {
  /** Oldest first. */
  readonly #entries = new Map<string, StoredEntry>();

  get(text: string): StoredEntry | undefined {
    return this.#entries.get(text);
  }

  /** The index has this for the key now; undefined for what is deleted, or too long to keep. */
  set(text: string, entry: StoredEntry | undefined): void {
    this.#entries.delete(text);
    if (entry !== undefined) this.#entries.set(text, entry);
    if (this.#entries.size <= MOST_ENTRIES) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}
