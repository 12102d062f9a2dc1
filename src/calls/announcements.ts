// Which nodes the hub has, and which of them each client has been told of and has said so.
// Invariant: a node that a client did not say it has heard of gets none of its calls. So a client that loses this hub knows
// every node that may have them, also where it never heard which one it was.
import type { Clock, Timer } from '../ports.ts';
import { FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import type { RosterMessage } from '../protocol/messages.ts';
import { Ordinals } from '../protocol/ordinals.ts';
import type { Asking } from './roster.ts';

/** A client is told at most so often of changes that its calls need not wait for. */
const TELL_MS = 250;

export class Announcements {
  readonly #clock: Clock;
  readonly #clients: ReadonlyMap<number, Asking>;
  readonly #nodes = new Ordinals();
  /** Ordinals of nodes that left, the last ones. */
  #gone: number[] = [];
  /** How many left before those. */
  #forgotten = 0;
  #timer: Timer | undefined;
  /** The highest ordinal. */
  upTo = 0;
  /** Counts the changes. */
  version = 0;

  constructor(clock: Clock, clients: ReadonlyMap<number, Asking>) {
    this.#clock = clock;
    this.#clients = clients;
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  /** A node that takes part came. Returns its ordinal. */
  join(): number {
    this.upTo += 1;
    this.#nodes.add(this.upTo);
    this.#changed();
    return this.upTo;
  }

  leave(ordinal: number): void {
    if (ordinal === 0) return;
    this.#nodes.delete(ordinal);
    this.#gone.push(ordinal);
    // In large steps: each moves all that are kept.
    if (this.#gone.length > 2 * limits.maxRosterGone) {
      this.#forgotten += this.#gone.length - limits.maxRosterGone;
      this.#gone = this.#gone.slice(-limits.maxRosterGone);
    }
    this.#changed();
  }

  /** What a client that takes part is told when it registers. It says that it heard so before it sends a call. */
  greet(client: Asking): { upTo: number; nodes: number[] } {
    if (client.heardUpTo === Infinity) client.heardUpTo = 0;
    this.#wasTold(client);
    return { upTo: this.upTo, nodes: this.#nodes.runs };
  }

  /** Tells a client what changed. */
  tell(client: Asking): void {
    if (client.toldVersion === this.version || client.heardUpTo === Infinity) return;
    if (client.outbox === undefined) return;
    const missed = client.toldGone - this.#forgotten;
    const isShort = missed >= 0 && this.#gone.length - missed <= limits.maxRosterGone;
    const message: RosterMessage = isShort ? { gone: this.#gone.slice(missed) } : { nodes: this.#nodes.runs };
    client.outbox.json(FrameType.ROSTER, 0, 0, this.upTo, message);
    this.#wasTold(client);
  }

  /** A client that was not told of all calls: it is told now, or soon. */
  tellSoon(client: Asking, now: number): void {
    if (now - client.toldAt >= TELL_MS) this.tell(client);
    else this.#arm();
  }

  /** It has heard of the nodes up to this ordinal. */
  heard(client: Asking, upTo: number): void {
    client.heardUpTo = Math.max(client.heardUpTo, Math.min(upTo, client.toldUpTo));
  }

  #wasTold(client: Asking): void {
    client.toldVersion = this.version;
    client.toldUpTo = this.upTo;
    client.toldGone = this.#forgotten + this.#gone.length;
    client.toldAt = this.#clock.now();
  }

  #changed(): void {
    this.version += 1;
    this.#arm();
  }

  /** Clients whose calls are out hear of what changes; the others when they call. */
  #arm(): void {
    this.#timer ??= this.#clock.setTimer(() => {
      this.#timer = undefined;
      for (const client of this.#clients.values()) if (client.calls.size > 0) this.tell(client);
    }, TELL_MS);
  }
}
