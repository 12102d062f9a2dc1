// Tells nodes, in batches, which outcomes they need not keep any more.
// Invariant: an acknowledgement is late by at most ACK_DELAY_MS; one that is lost with its link costs memory, never a result.
import type { Clock, Timer } from '../ports.ts';
import { FrameType } from '../protocol/frames.ts';
import { writeIds } from '../protocol/lists.ts';
import type { Outbox } from '../protocol/outbox.ts';

const ACK_DELAY_MS = 15;
const ACK_BATCH = 128;

export class Acknowledgements {
  readonly #clock: Clock;
  /** Attempts by node. */
  readonly #due = new Map<number, number[]>();
  #timer: Timer | undefined;
  #outbox: Outbox | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  attached(outbox: Outbox): void {
    this.#outbox = outbox;
  }

  detached(): void {
    this.#outbox = undefined;
    this.#due.clear();
    this.#clearTimer();
  }

  /** `node` 0: nobody keeps an outcome. */
  add(node: number, attempt: number): void {
    if (this.#outbox === undefined || node === 0) return;
    let attempts = this.#due.get(node);
    if (attempts === undefined) this.#due.set(node, (attempts = []));
    attempts.push(attempt);
    if (attempts.length >= ACK_BATCH) this.flush();
    else this.#timer ??= this.#clock.setTimer(() => this.flush(), ACK_DELAY_MS);
  }

  flush(): void {
    this.#clearTimer();
    for (const [node, attempts] of this.#due) {
      if (attempts.length > 0) this.#outbox?.frame(FrameType.ACK, 0, node, 0, writeIds(attempts));
      attempts.length = 0;
    }
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
