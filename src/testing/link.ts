// One simulated connection: two ends, ordered in each direction, with latency, buffers and faults.
// Invariant: `closed` is the last thing an end hears, and it hears it once; a link that lost bytes carries none again.
import type { Socket, SocketHandlers } from '../ports.ts';
import type { Host, Task, World } from './host.ts';

export interface LinkInfo {
  /** 1 for the first dial of the simulation. */
  readonly id: number;
  readonly url: string;
  /** Name of the host that dialled. */
  readonly dialer: string;
  /** Name of the host that listens there; empty when nobody does. */
  readonly listener: string;
}

/** The network, as its links see it. */
export interface Medium {
  readonly world: World;
  /** One-way, in milliseconds. */
  latencyMs(): number;
  swallows(link: LinkInfo): boolean;
  /** Bytes in one direction that the two kernels take before the sender's `bufferedBytes` grows. */
  readonly kernelBytes: number;
  /** @default Infinity */
  readonly bytesPerMs: number;
  closed(link: Link): void;
}

/** How long an end waits for the answer to its close frame, as the real sockets do. */
const CLOSE_TIMEOUT_MS = 3_000;

export type EndHandlers = Omit<SocketHandlers, 'opened'>;

export class Link implements LinkInfo {
  readonly id: number;
  readonly url: string;
  readonly dialer: string;
  listener = '';
  readonly client: End;
  server: End | undefined;
  readonly medium: Medium;
  /** Bytes were lost: a stream with a gap cannot go on, whatever heals. */
  broken = false;

  constructor(medium: Medium, id: number, url: string, host: Host) {
    this.medium = medium;
    this.id = id;
    this.url = url;
    this.dialer = host.name;
    this.client = new End(this, host);
  }

  note(what: string): void {
    this.medium.world.note(`link ${this.id} ${what}`);
  }

  /** Both ends hear of it, each after its own latency; what is under way is lost. */
  reset(): void {
    this.note('is reset');
    this.broken = true;
    for (const end of [this.client, this.server]) end?.lose(this.medium.latencyMs(), 'connection reset');
  }

  over(): void {
    if (this.client.phase === 'closed' && (this.server === undefined || this.server.phase === 'closed')) {
      this.medium.closed(this);
    }
  }
}

type Arrival = () => void;

export class End implements Socket {
  phase: 'dialling' | 'open' | 'closing' | 'closed' = 'dialling';
  readonly host: Host;
  readonly #link: Link;
  #handlers: EndHandlers | undefined;
  // What came while the owner does not read.
  #unread: Arrival[] | undefined;
  /** Sent, and not taken by the peer yet. */
  #underwayBytes = 0;
  #wasAbove = false;
  #lastArrival = 0;
  #closeTimeout: Task | undefined;

  constructor(link: Link, host: Host) {
    this.#link = link;
    this.host = host;
  }

  get handled(): boolean {
    return this.#handlers !== undefined;
  }

  get peer(): End | undefined {
    return this === this.#link.client ? this.#link.server : this.#link.client;
  }

  get bufferedBytes(): number {
    return Math.max(0, this.#underwayBytes - this.#link.medium.kernelBytes);
  }

  handle(handlers: EndHandlers): void {
    this.#handlers = handlers;
  }

  send(bytes: Uint8Array): 'taken' {
    if (this.phase !== 'open') return 'taken';
    this.#underwayBytes += bytes.byteLength;
    if (this.bufferedBytes > 0) this.#wasAbove = true;
    // A copy, as the kernel makes one: the receiver may keep it, the sender may not see what becomes of it.
    const copy = bytes.slice();
    this.#transmit(copy.byteLength, (peer) => peer.#message(copy, this));
    return 'taken';
  }

  close(code: number, reason: string): void {
    if (this.phase === 'closed' || this.phase === 'closing') return;
    if (this.phase === 'dialling') {
      this.terminate();
      return;
    }
    this.phase = 'closing';
    this.resume();
    this.#transmit(0, (peer) => peer.#asked(code, reason));
    this.#closeTimeout = this.#plan(CLOSE_TIMEOUT_MS, () => this.end(1006, ''));
  }

  terminate(): void {
    if (this.phase === 'closed') return;
    this.phase = 'closing';
    this.#transmit(0, (peer) => peer.end(1006, 'connection reset'));
    // Not from inside `terminate`: the real sockets do not either.
    this.#plan(0, () => this.end(1006, ''));
  }

  pause(): void {
    this.#unread ??= [];
  }

  resume(): void {
    const unread = this.#unread;
    this.#unread = undefined;
    for (const arrival of unread ?? []) this.#plan(0, () => this.#read(arrival));
  }

  /** The answer to the upgrade: the first thing that the server's end sends. */
  answerUpgrade(opened: () => void): void {
    this.phase = 'open';
    this.#transmit(0, (client) => {
      if (client.phase !== 'dialling') return;
      client.phase = 'open';
      this.#link.note('opens');
      opened();
    });
  }

  /** The connection is gone; the owner hears it after `delayMs`. */
  lose(delayMs: number, reason: string): void {
    this.#plan(delayMs, () => this.end(1006, reason));
  }

  /** The peer's process is gone: what it had sent arrives, then the end. */
  abandon(): void {
    this.#transmit(0, (peer) => peer.end(1006, 'connection reset'));
    this.phase = 'closed';
    this.#handlers = undefined;
  }

  end(code: number, reason: string): void {
    if (this.phase === 'closed') return;
    this.phase = 'closed';
    const handlers = this.#handlers;
    this.#handlers = undefined;
    this.#unread = undefined;
    if (this.#closeTimeout !== undefined) this.#link.medium.world.timeline.remove(this.#closeTimeout);
    this.#link.note(`closes for ${this.host.name}: ${code} ${reason}`);
    handlers?.closed(code, reason);
    this.#link.over();
  }

  #asked(code: number, reason: string): void {
    // The answer to a close frame is the same frame; who asked first hears its own code.
    this.#transmit(0, (peer) => peer.end(code, reason));
    this.end(code, reason);
  }

  #message(bytes: Uint8Array, sender: End): void {
    this.#read(() => {
      sender.#taken(bytes.byteLength);
      if (this.phase !== 'open') return;
      this.#link.note(`brings ${bytes.byteLength} bytes to ${this.host.name}`);
      this.#handlers?.message(bytes);
    });
  }

  #read(arrival: Arrival): void {
    if (this.#unread === undefined) arrival();
    else this.#unread.push(arrival);
  }

  #taken(bytes: number): void {
    this.#underwayBytes -= bytes;
    if (!this.#wasAbove || this.bufferedBytes > 0) return;
    this.#wasAbove = false;
    this.#plan(this.#link.medium.latencyMs(), () => {
      if (this.phase === 'open') this.#handlers?.drained();
    });
  }

  /** Whatever this end sends arrives in the order of sending. */
  #transmit(bytes: number, arrive: (peer: End) => void): void {
    const { medium } = this.#link;
    const { world } = medium;
    const travelMs = medium.latencyMs() + bytes / medium.bytesPerMs;
    this.#lastArrival = Math.max(world.now + travelMs, this.#lastArrival);
    if (this.#lost()) return;
    const fn = (): void => {
      const { peer } = this;
      if (peer !== undefined && !this.#lost()) arrive(peer);
    };
    const host = this.peer?.host;
    world.timeline.plan({ at: 0, seq: 0, index: -1, fn, host, kind: 'input' }, this.#lastArrival);
  }

  #lost(): boolean {
    const link = this.#link;
    if (!link.broken && link.medium.swallows(link)) link.broken = true;
    return link.broken;
  }

  #plan(delayMs: number, fn: () => void): Task {
    const { world } = this.#link.medium;
    return world.timeline.plan(
      { at: 0, seq: 0, index: -1, fn, host: this.host, kind: 'input' },
      world.now + delayMs,
    );
  }
}
