// Sockets between a hub and clients in its own process: no network, no TLS, no copy through a kernel.
// Invariant: as over a network nothing is told in the turn of its cause, order is kept, and `closed` comes last, once.
import type { Clock, Incoming, Socket, SocketHandlers } from '../ports.ts';

type EndHandlers = Omit<SocketHandlers, 'opened'>;

/** One end. What arrives waits here until the turn ends, and while its owner does not read. */
class InnerEnd implements Socket {
  handlers: EndHandlers | undefined;
  peer: InnerEnd | undefined;
  readonly #clock: Clock;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #arrived: Uint8Array[] = [];
  #arrivedBytes = 0;
  /** What ends it, when all that arrived before was read. */
  #end: { readonly code: number; readonly reason: string } | undefined;
  #reading: 'on' | 'paused' = 'on';
  #scheduled: 'no' | 'yes' = 'no';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sent, and not read by the peer. */
  get bufferedBytes(): number {
    return this.peer === undefined ? 0 : this.peer.#arrivedBytes;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  send(bytes: Uint8Array): 'taken' {
    if (this.#state !== 'open') return 'taken';
    // A copy, as the kernel makes one: the receiver may write into it.
    this.peer?.arrive(bytes.slice());
    return 'taken';
  }

  arrive(bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    this.#arrived.push(bytes);
    this.#arrivedBytes += bytes.length;
    this.#schedule();
  }

  close(code: number, reason: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.peer?.over(code, reason);
    this.#leave(code, reason);
  }

  terminate(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closing';
    this.peer?.over(1006, 'the other end was terminated');
    this.#leave(1006, '');
  }

  #leave(code: number, reason: string): void {
    this.#arrived = [];
    this.#arrivedBytes = 0;
    this.over(code, reason);
  }

  over(code: number, reason: string): void {
    this.#end ??= { code, reason };
    this.#reading = 'on';
    this.#schedule();
  }

  pause(): void {
    if (this.#end === undefined) this.#reading = 'paused';
  }

  resume(): void {
    this.#reading = 'on';
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled === 'yes' || this.#reading === 'paused') return;
    this.#scheduled = 'yes';
    this.#clock.endOfTurn(() => this.#read());
  }

  #read(): void {
    this.#scheduled = 'no';
    const had = this.#arrived.length > 0;
    // Only what is here now: what it leads to comes in a later turn.
    for (let left = this.#arrived.length; left > 0 && this.#reading === 'on'; left--) {
      const message = this.#arrived.shift();
      if (message === undefined) break;
      this.#arrivedBytes -= message.length;
      if (this.#state === 'open') this.handlers?.message(message);
    }
    const { peer } = this;
    if (had && this.#arrived.length === 0 && peer?.isOpen) peer.handlers?.drained();
    if (this.#arrived.length > 0) return this.#schedule();
    if (this.#end === undefined || this.#state === 'closed') return;
    this.#state = 'closed';
    this.handlers?.closed(this.#end.code, this.#end.reason);
    this.handlers = undefined;
  }
}

/** Dials whoever accepts: `undefined` when nobody does any more. */
export function dialInside(
  clock: Clock,
  handlers: SocketHandlers,
  accept: ((incoming: Incoming) => void) | undefined,
): Socket {
  const [here, there] = [new InnerEnd(clock), new InnerEnd(clock)];
  here.handlers = handlers;
  clock.endOfTurn(() => {
    // It was given up in the turn of its dial.
    if (!here.isOpen) return;
    if (accept === undefined) return here.over(1006, 'the hub does not listen');
    Object.assign(here, { peer: there });
    Object.assign(there, { peer: here });
    accept({
      remoteAddress: 'this process',
      socket: there,
      handle: (own) => Object.assign(there, { handlers: own }),
    });
    clock.endOfTurn(() => {
      if (here.isOpen) handlers.opened();
    });
  });
  return here;
}
