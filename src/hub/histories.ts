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
    return (
      this.#histories.get(`${role}/${id}`) ?? this.know(role, id, { firstSeenAt: now, totalTasksExecuted: 0 })
    );
  }

  know(role: 'node' | 'client', id: string, history: History): History {
    if (this.#histories.size >= MAX_HISTORIES) {
      for (const oldest of this.#histories.keys()) {
        this.#histories.delete(oldest);
        break;
      }
    }
    this.#histories.set(`${role}/${id}`, history);
    return history;
  }
}
