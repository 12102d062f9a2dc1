// The order in which the actors of one system handle their events: one at a time, in the order of sending.
// Invariant: an event is finished, effects and all, before the next one of any actor of the system begins.
import { Fifo } from './fifo.ts';

/** A mailbox that has been promised a turn. */
export interface Waiting {
  handleNext(): void;
}

export class Dispatcher {
  // One entry for each waiting event: whose turn it is. The events themselves wait in the mailboxes.
  readonly #turns = new Fifo<Waiting>();
  #running = false;

  get idle(): boolean {
    return !this.#running;
  }

  queue(mailbox: Waiting): void {
    this.#turns.push(mailbox);
  }

  /** Runs `fn` as one step: what it sends is handled after it and before `run` returns, or after the step around it. */
  run(fn: () => void): void {
    if (this.#running) {
      fn();
      return;
    }
    this.#running = true;
    try {
      fn();
      for (let next = this.#turns.shift(); next !== undefined; next = this.#turns.shift()) next.handleNext();
    } finally {
      this.#running = false;
    }
  }
}
