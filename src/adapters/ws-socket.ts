// One WebSocket of the package `ws`, as the port `Socket`: what dialer and listener have in common.
// Invariant: `closed` is the last thing a socket says, and it says it exactly once.

import type { RawData, WebSocket } from 'ws';

import type { Socket, SocketHandlers } from '../ports.ts';
import { CloseCode } from '../protocol/frames.ts';

/** How long a peer may take to answer our close frame before the connection is ended without it. */
export const CLOSE_TIMEOUT_MS = 3_000;

/** Options that both ends give to `ws`. `@types/ws` does not list `closeTimeout` yet; a test shows that it works. */
export const commonOptions = {
  // Weights and small frames do not compress well enough to pay for 300 KB of zlib state a connection.
  perMessageDeflate: false,
  // Every message of one read is handled in one turn: this is what makes batches out of a burst.
  allowSynchronousEvents: true,
  skipUTF8Validation: true,
  closeTimeout: CLOSE_TIMEOUT_MS,
  // A message is at most 1 MiB; thousands of scraps for one message are an attack on our memory.
  maxFragments: 1_024,
  maxBufferedChunks: 16_384,
} as const;

type Phase = 'live' | 'ending' | 'closed';
type Handlers = Omit<SocketHandlers, 'opened'>;

/** What its messages are; text is UTF-8. */
export type MessageForm = 'binary' | 'text';

const MAX_REASON_BYTES = 123; // RFC 6455, 5.5: a control frame holds 125 bytes, two of them are the code
const FORMS = { binary: { binary: true }, text: { binary: false } };

export class WsSocket implements Socket {
  readonly #ws: WebSocket;
  #handlers: Handlers | undefined;
  #phase: Phase = 'live';
  #wasAbove = false;
  /** Set when we know better than `ws` why the connection ended. */
  #code: number | undefined;
  #reason = '';
  readonly #written: () => void;
  readonly #form: MessageForm;

  constructor(ws: WebSocket, handlers?: Handlers, form: MessageForm = 'binary') {
    this.#ws = ws;
    this.#form = form;
    this.#handlers = handlers;
    this.#written = () => {
      if (!this.#wasAbove || this.#ws.bufferedAmount !== 0) return;
      this.#wasAbove = false;
      if (this.#phase === 'live') this.#handlers?.drained();
    };
    ws.binaryType = 'nodebuffer';
    ws.on('message', (data, isBinary) => this.#message(data, isBinary));
    ws.on('error', (error) => this.#failed(error));
    ws.on('close', (code, reason) => this.#closed(code, reason.toString()));
  }

  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  handle(handlers: Handlers): void {
    this.#handlers = handlers;
  }

  send(bytes: Uint8Array): 'taken' | 'kept' {
    if (this.#phase !== 'live' || this.#ws.readyState !== this.#ws.OPEN) return 'taken';
    // One callback for all messages of this socket: `ws` hands it to the stream, which calls it once the kernel has the bytes. The
    // stream's own `drain` would need a private field of `ws`, and it stays silent below its high-water mark.
    this.#ws.send(bytes, FORMS[this.#form], this.#written);
    if (this.#ws.bufferedAmount === 0) return 'taken';
    this.#wasAbove = true;
    return 'kept';
  }

  close(code: number, reason: string): void {
    if (this.#phase !== 'live') return;
    this.#phase = 'ending';
    // A paused socket would never read the peer's close frame.
    if (this.#ws.isPaused) this.#ws.resume();
    this.#ws.close(code, shortened(reason));
  }

  terminate(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'ending';
    this.#ws.terminate();
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
  }

  /** Ends the connection at once and has `closed` say why. */
  fail(code: number, reason: string): void {
    this.#code = code;
    this.#reason = reason;
    this.terminate();
  }

  #message(data: RawData, isBinary: boolean): void {
    if (this.#phase !== 'live') return;
    if (isBinary !== (this.#form === 'binary')) {
      const kind = isBinary ? 'binary' : 'text';
      this.#refuse(CloseCode.MALFORMED, `a ${kind} message; this protocol is ${this.#form}`);
    } else if (this.#handlers === undefined) {
      this.fail(CloseCode.LOST, 'nobody handles this socket');
    } else {
      this.#handlers.message(data as Buffer); // binaryType is 'nodebuffer'
    }
  }

  /** The peer broke a rule: it is told so by a close frame, and our owner hears the same code. */
  #refuse(code: number, reason: string): void {
    this.#code = code;
    this.#reason = reason;
    this.close(code, reason);
  }

  #failed(error: Error & { code?: string }): void {
    if (this.#code !== undefined) return;
    this.#reason = messageOf(error);
    // `ws` has sent the close frame for these, and reads nothing more.
    if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.#code = CloseCode.TOO_BIG;
    if (this.#phase === 'live') this.#phase = 'ending';
  }

  #closed(code: number, reason: string): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#handlers?.closed(this.#code ?? code, this.#reason === '' ? reason : this.#reason);
    this.#handlers = undefined;
  }
}

/** The message of an error; Node leaves it empty when it tried several addresses. */
export function messageOf(error: Error & { code?: string; errors?: readonly Error[] }): string {
  if (error.message !== '') return error.message;
  const causes = error.errors?.map((cause) => cause.message) ?? [];
  return causes.length > 0 ? causes.join('; ') : (error.code ?? error.name);
}

function shortened(reason: string): string {
  if (Buffer.byteLength(reason) <= MAX_REASON_BYTES) return reason;
  const bytes = Buffer.from(reason).subarray(0, MAX_REASON_BYTES - 3);
  // The cut may go through a character: what is left of it is dropped.
  return `${bytes.toString().replace(/\uFFFD+$/, '')}...`;
}
