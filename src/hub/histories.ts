// What outlives the sessions of a node id.
// Invariant: at most MAX_HISTORIES are kept; the oldest goes first.

export interface History {
  readonly firstSeenAt: number;
  totalTasksExecuted: number;
}

const MAX_HISTORIES = 100_000;

export class Histories {
  readonly #histories = new Map<string, History>();

  /** Of this id, whichever instance; a new one begins at `now`. */
  of(role: 'node' | 'client', id: string, now: number): History {
    const key = `${role}/${id}`;
    const known = this.#histories.get(key);
    if (known !== undefined) return known;
    if (this.#histories.size >= MAX_HISTORIES) {
      for (const oldest of this.#histories.keys()) {
        this.#histories.delete(oldest);
        break;
      }
    }
    const history = { firstSeenAt: now, totalTasksExecuted: 0 };
    this.#histories.set(key, history);
    return history;
  }
}
