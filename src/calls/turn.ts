// The order of writing within one turn of the event loop: clients, then the calls that were assigned, then nodes.
// Invariant: a client's socket was handed the assignment of a call before the node's socket is handed the call. A hub
// that is killed between the two has told the client, so the client knows whom to ask.
import type { Clock } from '../ports.ts';

export class Turn {
  readonly #clock: Clock;
  readonly #dispatch: () => void;
  #toClients: (() => void)[] = [];
  #toNodes: (() => void)[] = [];
  #scheduled: 'no' | 'yes' = 'no';

  /** `dispatch` is called between the two. */
  constructor(clock: Clock, dispatch: () => void) {
    this.#clock = clock;
    this.#dispatch = dispatch;
  }

  readonly afterInput = (fn: () => void): void => {
    this.#toClients.push(fn);
    this.schedule();
  };

  readonly afterClients = (fn: () => void): void => {
    this.#toNodes.push(fn);
    this.schedule();
  };

  schedule(): void {
    if (this.#scheduled === 'yes') return;
    this.#scheduled = 'yes';
    this.#clock.endOfTurn(() => this.#run());
  }

  #run(): void {
    this.#scheduled = 'no';
    const toClients = this.#toClients;
    this.#toClients = [];
    for (const flush of toClients) flush();
    this.#dispatch();
    const toNodes = this.#toNodes;
    this.#toNodes = [];
    for (const flush of toNodes) flush();
  }
}
