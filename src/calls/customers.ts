// The clients that a node works for, by their instance, and by their numbers on the present link.
// Invariant: a client that the hub does not speak of on a new link is dismissed when its time is over.
import type { Clock, Timer } from '../ports.ts';
import { readPeer } from '../protocol/messages.ts';
import type { Customer, Execution } from './execution.ts';
import { Numbered } from './numbered.ts';

/** A client that is away for so many times what the hub grants it is gone. */
const GRACES = 2;
/** Clients that are remembered after they were dismissed. */
const MAX_DISMISSED = 10_000;

export interface CustomersOptions {
  readonly clock: Clock;
  /** Milliseconds that a client has, at least, to come back after a reconnect. */
  readonly graceMs: number;
  /** Nobody waits for its calls any more. */
  dismissed(client: Customer): void;
  /** Its client is here and did not ask about it, so nobody waits for it. */
  unasked(execution: Execution): void;
}

export class Customers {
  readonly #options: CustomersOptions;
  readonly #byInstance = new Map<string, Customer>();
  /** Clients that were dismissed: up to which attempt they had outcomes that they had not acknowledged, or any. */
  readonly #dismissed = new Map<string, Pick<Customer, 'evictedUpTo' | 'takenUpTo'>>();
  /** What a client has at least taken of which nothing is known: more, when the oldest were forgotten. */
  #takenByAny = 0;
  #byNumber = new Map<number, Customer>();
  /** Counts the links. */
  link = 0;
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

  /**
   * A new link: nobody has a number until the hub names it. A client that is back asks about what it waits for; what it
   * did not ask about when the hub would have given it up twice was acknowledged, and the acknowledgement lost.
   */
  attached(sessionGraceMs: number): void {
    this.detached();
    this.#clearTimer();
    this.link += 1;
    if (this.#byInstance.size === 0) return;
    this.#timer = this.#options.clock.setTimer(
      () => {
        this.#timer = undefined;
        for (const client of this.all()) {
          if (client.number === 0) this.dismiss(client);
          else this.#dropUnasked(client);
        }
      },
      Math.max(this.#options.graceMs, GRACES * sessionGraceMs),
    );
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
      const past = this.#dismissed.get(instance) ?? { evictedUpTo: 0, takenUpTo: this.#takenByAny };
      this.#dismissed.delete(instance);
      client = { id, instance, number, executions: new Numbered(), ...past };
      this.#byInstance.set(instance, client);
    }
    client.number = number;
    this.#byNumber.set(number, client);
  }

  dismiss(client: Customer): void {
    this.#byInstance.delete(client.instance);
    if (client.number !== 0) this.#byNumber.delete(client.number);
    this.#remember(client);
    this.#options.dismissed(client);
  }

  /** The link will not come back. */
  dismissAll(): void {
    this.#clearTimer();
    for (const client of this.all()) this.dismiss(client);
  }

  #dropUnasked(client: Customer): void {
    for (const execution of [...client.executions.values()]) {
      if (execution.link === this.link) continue;
      client.evictedUpTo = Math.max(client.evictedUpTo, execution.attempt);
      this.#options.unasked(execution);
    }
  }

  /** If it comes back all the same, it must not be told that what it asks about was never started. */
  #remember({ instance, executions, evictedUpTo: before, takenUpTo }: Customer): void {
    let evictedUpTo = before;
    for (const { attempt } of executions.values()) evictedUpTo = Math.max(evictedUpTo, attempt);
    if (takenUpTo === 0) return;
    this.#dismissed.set(instance, { evictedUpTo, takenUpTo });
    if (this.#dismissed.size <= MAX_DISMISSED) return;
    for (const [oldest, forgotten] of this.#dismissed) {
      this.#dismissed.delete(oldest);
      this.#takenByAny = Math.max(this.#takenByAny, forgotten.takenUpTo);
      return;
    }
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
