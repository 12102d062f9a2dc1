// One connection that the hub accepted: reads its frames, keeps their order, answers or breaks off.
// Invariant: nothing that it sends reaches anyone before it registered, and a violation costs only itself.
import type { Clock, Incoming, Log, Socket, SocketHandlers, Timer } from '../ports.ts';
import { ProtocolViolation } from '../protocol/errors.ts';
import { CloseCode, closeText, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { readRegister, type RegisterMessage } from '../protocol/messages.ts';
import { Outbox, type OutboxOptions, type OutboxPort } from '../protocol/outbox.ts';
import { readFrames, unexpectedType, type FrameHandler } from '../protocol/read.ts';

/** Who a connection belongs to, once it registered. */
export interface Owner extends FrameHandler {
  readonly instance: string;
  /** A frame came from a link that had been silent for too long. */
  heard(): void;
  drained(): void;
  /** `farewell`: the peer ended it as one that is done. */
  closed(how: 'farewell' | 'loss', reason: string): void;
}

export interface AcceptedOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** For REGISTER to come. */
  readonly registrationTimeoutMs: number;
  /** A message came in, at this time of the clock; its frames follow. */
  heard(at: number): void;
  /** When what was written leaves: clients before nodes. */
  afterInput(fn: () => void): void;
  afterClients(fn: () => void): void;
  /** Decides whether it may join; resolves when that is done. */
  register(link: Accepted, message: RegisterMessage): Promise<void>;
  closed(link: Accepted): void;
}

/** A socket may have megabytes to read. One that is busy for so long lets the others be read in between. */
const MAX_BUSY_MS = 10;

const peerFrames: ReadonlySet<number> = new Set([
  FrameType.SYNCED,
  FrameType.PING,
  FrameType.CHECK,
  FrameType.DEPARTING,
  FrameType.DEFINE,
  FrameType.CALL,
  FrameType.CHUNK,
  FrameType.CREDIT,
  FrameType.ITEM,
  FrameType.RESULT,
  FrameType.FAILURE,
  FrameType.CANCEL,
  FrameType.ACK,
  FrameType.RESUME,
  FrameType.FATE,
  FrameType.ASK,
  FrameType.ROSTER,
  FrameType.INSPECT,
]);

/** It is its own socket's listener and its outbox's port: thousands of connections are cheaper without objects in between. */
export class Accepted implements Omit<SocketHandlers, 'opened'>, OutboxPort, OutboxOptions, FrameHandler {
  readonly socket: Socket;
  readonly remoteAddress: string;
  readonly outbox: Outbox;
  readonly #options: AcceptedOptions;
  /** Dial and registration that it speaks for. */
  epoch = 0;
  registrationEpoch = 0;
  /** What writes wait for: clients' sockets are written to first. */
  #role: 'client' | 'node' = 'client';
  #owner: Owner | undefined;
  /** `suspect`: the next frame is news. */
  liveness: 'fine' | 'suspect' = 'fine';
  lastInboundAt: number;
  #timer: Timer | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  /** REGISTERs that are being decided. */
  #undecided = 0;
  /** Time that its frames took since it was last made to rest. */
  #busyMs = 0;
  bytesIn = 0;
  bytesOut = 0;

  constructor(incoming: Incoming, options: AcceptedOptions) {
    this.#options = options;
    this.socket = incoming.socket;
    this.remoteAddress = incoming.remoteAddress;
    this.lastInboundAt = options.clock.now();
    this.outbox = new Outbox(this, this);
    this.#awaitRegister();
    incoming.handle(this);
  }

  send(bytes: Uint8Array): 'taken' | 'kept' {
    this.bytesOut += bytes.length;
    return this.socket.send(bytes);
  }

  get bufferedBytes(): number {
    return this.socket.bufferedBytes;
  }

  endOfTurn(fn: () => void): void {
    if (this.#role === 'node') this.#options.afterClients(fn);
    else this.#options.afterInput(fn);
  }

  get owner(): Owner | undefined {
    return this.#owner;
  }

  get state(): 'open' | 'closing' | 'closed' {
    return this.#state;
  }

  /** Registered: its frames go to `owner` from now on. */
  own(owner: Owner, role: 'client' | 'node'): void {
    this.#owner = owner;
    this.#role = role;
    this.liveness = 'fine';
    this.#clearTimer();
  }

  /** The hub forgets whose it is: the next frame is answered by UNKNOWN, and it has to register anew. */
  disown(): void {
    this.#owner = undefined;
    if (this.#state === 'open') this.#awaitRegister();
  }

  /** Says what was written, then closes with `code`. */
  breakOff(code: number, reason: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.outbox.flush();
    this.outbox.close();
    this.socket.close(code, reason.slice(0, 120));
  }

  /** The same, unless another registration followed meanwhile, with a sync of its own. */
  breakOffOf(
    { epoch, registrationEpoch }: { epoch: number; registrationEpoch: number },
    code: number,
    reason: string,
  ): void {
    if (this.epoch === epoch && this.registrationEpoch === registrationEpoch) this.breakOff(code, reason);
  }

  /** Ends it at once. */
  terminate(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closing';
    this.outbox.close();
    this.socket.terminate();
  }

  message(bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    this.bytesIn += bytes.length;
    this.lastInboundAt = this.#options.clock.now();
    this.#options.heard(this.lastInboundAt);
    if (this.liveness === 'suspect') this.#owner?.heard();
    try {
      readFrames(bytes, this);
    } catch (error) {
      this.fail(error);
    }
    this.#busyMs += this.#options.clock.now() - this.lastInboundAt;
    if (this.#busyMs >= MAX_BUSY_MS) this.#rest();
  }

  /** It kept the hub busy: the others have their turn before it is read again. */
  #rest(): void {
    this.#busyMs = 0;
    if (this.#state !== 'open') return;
    this.socket.pause();
    this.#options.clock.endOfTurn(() => this.socket.resume());
  }

  /** Breaks off for what its frames led to. What is not the peer's fault is ours, and still costs nobody else anything. */
  fail(error: unknown): void {
    const from = this.remoteAddress;
    if (error instanceof ProtocolViolation) {
      this.#options.log.warn({ code: error.closeCode, from }, `peer broke the protocol: ${error.message}`);
      this.breakOff(error.closeCode, error.message);
      return;
    }
    const stack = error instanceof Error ? error.stack : undefined;
    this.#options.log.error({ from, stack }, `defect: a frame could not be handled: ${String(error)}`);
    this.breakOff(CloseCode.INTERNAL, 'the hub failed');
  }

  frame(
    type: number,
    flags: number,
    peer: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    // One violation in a message ends the reading of all of it.
    if (this.#state !== 'open') return;
    if (type === FrameType.REGISTER) void this.#register(readRegister(bytes, start, end));
    else if (!peerFrames.has(type)) {
      throw unexpectedType(type, 'a peer');
    } else if (this.#owner === undefined) {
      // A hub that restarted behind a proxy, or forgot: the peer may register on this very socket.
      const registration = type === FrameType.PING || type === FrameType.CHECK ? id : 0;
      this.outbox.frame(FrameType.UNKNOWN, 0, 0, registration);
    } else this.#owner.frame(type, flags, peer, id, bytes, start, end);
  }

  /** Deciding may take the application a while, and its database: one socket asks for little at once. */
  async #register(message: RegisterMessage): Promise<void> {
    this.#undecided += 1;
    if (this.#undecided > limits.maxUndecided) {
      return this.fail(
        new ProtocolViolation(
          CloseCode.LIMIT_EXCEEDED,
          `${this.#undecided} REGISTERs at once; at most ${limits.maxUndecided} are decided`,
        ),
      );
    }
    try {
      await this.#options.register(this, message);
    } catch (error) {
      this.fail(error);
    }
    this.#undecided -= 1;
  }

  drained(): void {
    // First, while there is room: what a bulk transfer writes now fills the socket again.
    this.#owner?.drained();
    this.outbox.drained();
  }

  closed(code: number, text: string): void {
    const reason = closeText(code, text);
    this.#state = 'closed';
    this.outbox.close();
    this.#clearTimer();
    this.#owner?.closed(code === CloseCode.NORMAL ? 'farewell' : 'loss', reason);
    this.#options.closed(this);
  }

  onOverflow(waitingBytes: number): void {
    const from = this.remoteAddress;
    this.#options.log.warn(
      { from, waitingBytes },
      `peer does not read: ${waitingBytes} bytes wait; it is cut off`,
    );
    this.breakOff(CloseCode.SLOW_READER, `${waitingBytes} bytes wait and are not read`);
  }

  #awaitRegister(): void {
    this.#clearTimer();
    const { clock, registrationTimeoutMs } = this.#options;
    this.#timer = clock.setTimer(
      () => this.breakOff(CloseCode.REGISTRATION_TIMEOUT, `no REGISTER within ${registrationTimeoutMs} ms`),
      registrationTimeoutMs,
    );
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
