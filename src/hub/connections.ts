// The connections that a hub has: those from the network, and those from within its own process.
// Invariant: what was counted of a connection stays counted when it is gone.
import type { Dialer, Incoming } from '../ports.ts';
import { Accepted, type AcceptedOptions } from './accepted.ts';
import { dialInside } from './inner-sockets.ts';

export class Connections {
  /** Dials from within: nobody else can come in by it. */
  readonly dialer: Dialer;
  readonly #options: AcceptedOptions;
  readonly #links = new Set<Accepted>();
  readonly #insiders = new WeakSet<Accepted>();
  readonly #closed = { bytesIn: 0, bytesOut: 0 };

  constructor(options: Omit<AcceptedOptions, 'closed'>, accepts: () => boolean) {
    this.#options = {
      ...options,
      closed: (link) => {
        this.#links.delete(link);
        this.#closed.bytesIn += link.bytesIn;
        this.#closed.bytesOut += link.bytesOut;
      },
    };
    const accept = (incoming: Incoming): void => void this.#insiders.add(this.accept(incoming));
    this.dialer = {
      dial: (_url, handlers) => dialInside(options.clock, handlers, accepts() ? accept : undefined),
    };
  }

  accept(incoming: Incoming): Accepted {
    const link = new Accepted(incoming, this.#options);
    this.#links.add(link);
    return link;
  }

  /** It dialled by `dialer`. */
  isFromWithin(link: Accepted): boolean {
    return this.#insiders.has(link);
  }

  get size(): number {
    return this.#links.size;
  }

  get bytesIn(): number {
    let bytes = this.#closed.bytesIn;
    for (const link of this.#links) bytes += link.bytesIn;
    return bytes;
  }

  get bytesOut(): number {
    let bytes = this.#closed.bytesOut;
    for (const link of this.#links) bytes += link.bytesOut;
    return bytes;
  }

  breakOff(code: number, reason: string): void {
    for (const link of [...this.#links]) link.breakOff(code, reason);
  }
}
