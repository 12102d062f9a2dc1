// The clients that a node works for, by their instance, and by their numbers on the present link.
// Invariant: a client that the hub does not speak of on a new link is dismissed when its time is over.
import type { Clock, Timer } from '../ports.ts';
import { readPeer } from '../protocol/messages.ts';
import type { Customer } from './execution.ts';
import { Numbered } from './numbered.ts';

export interface CustomersOptions {
  readonly clock: Clock;
  /** Milliseconds that a client has to come back after a reconnect. */
  readonly graceMs: number;
  /** Nobody waits for its calls any more. */
  dismissed(client: Customer): void;
}

export class Customers {
  readonly #options: CustomersOptions;
  readonly #byInstance = new Map<string, Customer>();
  #byNumber = new Map<number, Customer>();
  #timer: Timer | undefined;

  constructor(options: CustomersOptions) {
    this.#options = options;
  }

  get(number: number): Customer | undefined {
    return this.#byNumber.get(number);
  }

  all(): Customer[] {
    return [...this.#byInstance.values()];
  }

  /** A new link: nobody has a number until the hub names it. */
  attached(): void {
    this.detached();
    this.#clearTimer();
    if (this.#byInstance.size === 0) return;
    this.#timer = this.#options.clock.setTimer(() => {
      this.#timer = undefined;
      for (const client of this.all()) if (client.number === 0) this.dismiss(client);
    }, this.#options.graceMs);
  }

  detached(): void {
    this.#byNumber = new Map();
    for (const client of this.#byInstance.values()) client.number = 0;
  }

  /** PEER: whose number this is. @throws ProtocolViolation */
  introduce(number: number, bytes: Uint8Array, start: number, end: number): void {
    const { id, instance } = readPeer(bytes, start, end);
    let client = this.#byInstance.get(instance);
    if (client === undefined) {
      client = { id, instance, number, executions: new Numbered(), evictedUpTo: 0 };
      this.#byInstance.set(instance, client);
    }
    client.number = number;
    this.#byNumber.set(number, client);
  }

  dismiss(client: Customer): void {
    this.#byInstance.delete(client.instance);
    if (client.number !== 0) this.#byNumber.delete(client.number);
    this.#options.dismissed(client);
  }

  /** The link will not come back. */
  dismissAll(): void {
    this.#clearTimer();
    for (const client of this.all()) this.dismiss(client);
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
