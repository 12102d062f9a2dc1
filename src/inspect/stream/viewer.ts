// One viewer's connection: opens with what it may see, then gets what it can take.
// Invariant: a viewer that does not read costs a bounded number of bytes and nobody's time; what it misses it is told of,
// and then the whole truth anew.
import type { Clock, Incoming, Log, TextSockets, Timer } from '../../ports.ts';
import { ProtocolViolation } from '../../protocol/errors.ts';
import { CloseCode } from '../../protocol/frames.ts';
import {
  INSPECT_PATH,
  INSPECT_SUBPROTOCOL,
  inspectLimits,
  readViewerSaid,
  type Answer,
  type Ask,
  type Open,
  type Told,
} from '../../protocol/inspection.ts';
import { decodeText, utf8Encoder } from '../../protocol/text.ts';
import { Bucket } from './bucket.ts';

export interface ViewerHome {
  readonly clock: Clock;
  readonly log: Log;
  /** Undefined: it may not look. Otherwise what it is told first, at the moment from which on it is told the rest. */
  opened(viewer: Viewer, open: Open): Promise<(() => readonly Told[]) | undefined>;
  act(viewer: Viewer, ask: Ask): Promise<Omit<Answer, 'kind' | 'id'>>;
  /** The whole truth, for one that missed some of it. */
  retold(viewer: Viewer): Iterable<Told>;
  closed(viewer: Viewer): void;
}

/** What may wait for a viewer that does not read. */
const MAX_WAITING_BYTES = 4_194_304;
/** It goes on when so much is left. */
const RESUME_BYTES = 65_536;
const OPEN_TIMEOUT_MS = 10_000;
const ASKS_PER_SECOND = 10;
/** A message is put together from so many at most. */
const SLICE = 500;

/** Where viewers dial. */
export function viewerSockets(accept: (incoming: Incoming) => void): TextSockets {
  const maxMessageBytes = inspectLimits.maxAskBytes;
  return { path: INSPECT_PATH, subprotocol: INSPECT_SUBPROTOCOL, maxMessageBytes, accept };
}

export class Viewer {
  readonly remoteAddress: string;
  contexts = false;
  #state: 'silent' | 'opening' | 'open' | 'behind' | 'closed' = 'silent';
  readonly #home: ViewerHome;
  readonly #incoming: Incoming;
  readonly #asks: Bucket;
  #timer: Timer | undefined;
  /** Steps by process that it did not get. */
  readonly #missed = new Map<string, number>();

  constructor(incoming: Incoming, home: ViewerHome) {
    this.#home = home;
    this.#incoming = incoming;
    this.remoteAddress = incoming.remoteAddress;
    this.#asks = new Bucket(ASKS_PER_SECOND, home.clock.now());
    this.#timer = home.clock.setTimer(
      () => this.end(CloseCode.REGISTRATION_TIMEOUT, `no open within ${OPEN_TIMEOUT_MS} ms`),
      OPEN_TIMEOUT_MS,
    );
    incoming.handle({
      message: (bytes) => this.#message(bytes),
      drained: () => this.#catchUp(),
      closed: () => {
        const wasOpen = this.#state !== 'closed';
        this.#state = 'closed';
        this.#clearTimer();
        if (wasOpen) home.closed(this);
      },
    });
  }

  get isOpen(): boolean {
    return this.#state === 'open' || this.#state === 'behind';
  }

  /** `bytes` is `messages` as the text to send. */
  tell(messages: readonly Told[], bytes: Uint8Array): void {
    if (this.#state === 'open' && this.#incoming.socket.bufferedBytes + bytes.length > MAX_WAITING_BYTES)
      this.#state = 'behind';
    if (this.#state === 'open') return void this.#incoming.socket.send(bytes);
    if (this.#state !== 'behind') return;
    for (const message of messages)
      if (message.kind === 'step')
        this.#missed.set(message.process, (this.#missed.get(message.process) ?? 0) + 1);
    if (this.#incoming.socket.bufferedBytes <= RESUME_BYTES) this.#catchUp();
  }

  end(code: number, reason: string): void {
    if (this.#state === 'closed') return;
    this.#incoming.socket.close(code, reason.slice(0, 120));
    const wasOpen = this.isOpen;
    this.#state = 'closed';
    this.#clearTimer();
    if (wasOpen) this.#home.closed(this);
  }

  #catchUp(): void {
    if (this.#state !== 'behind') return;
    this.#state = 'open';
    const at = this.#home.clock.now();
    const lost: Told[] = [...this.#missed].map(([process, steps]) => ({
      kind: 'dropped',
      process,
      steps,
      at,
    }));
    this.#missed.clear();
    this.#send([...lost, ...this.#home.retold(this)]);
  }

  #send(messages: readonly Told[]): void {
    for (let from = 0; from < messages.length; from += SLICE)
      this.#incoming.socket.send(bytesOf(messages.slice(from, from + SLICE)));
  }

  #message(bytes: Uint8Array): void {
    if (this.#state === 'closed') return;
    try {
      const said = readViewerSaid(textOf(bytes));
      if (said.kind === 'open') void this.#open(said);
      else void this.#ask(said);
    } catch (error) {
      const code = error instanceof ProtocolViolation ? error.closeCode : CloseCode.INTERNAL;
      const reason = error instanceof ProtocolViolation ? error.message : 'the server failed';
      this.#home.log.warn({ from: this.remoteAddress, code }, `viewer broke the protocol: ${reason}`);
      this.end(code, reason);
    }
  }

  async #open(open: Open): Promise<void> {
    if (this.#state !== 'silent') return this.end(CloseCode.OUT_OF_ORDER, 'a viewer opens once');
    this.#state = 'opening';
    this.contexts = open.contexts ?? false;
    const first = await this.#home.opened(this, open);
    // It left meanwhile.
    if (this.#state !== 'opening') return;
    this.#clearTimer();
    if (first === undefined) return this.end(CloseCode.UNAUTHORIZED, 'wrong token');
    this.#state = 'open';
    this.#send(first());
  }

  async #ask(ask: Ask): Promise<void> {
    if (!this.isOpen) return this.end(CloseCode.OUT_OF_ORDER, 'an ask before its open was answered');
    if (!this.#asks.take(this.#home.clock.now()))
      return this.end(CloseCode.LIMIT_EXCEEDED, `more than ${ASKS_PER_SECOND} asks in a second`);
    const answer = await this.#home.act(this, ask);
    if (this.isOpen) this.#send([{ kind: 'answer', id: ask.id, ...answer }]);
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#home.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return decodeText(bytes, 0, bytes.length);
  } catch {
    throw new ProtocolViolation(CloseCode.MALFORMED, 'viewer: its message is no UTF-8');
  }
}

/** Messages as one text message. */
export function bytesOf(messages: readonly Told[]): Uint8Array {
  return utf8Encoder.encode(JSON.stringify(messages));
}
