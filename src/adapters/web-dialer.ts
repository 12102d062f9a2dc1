// Dials hubs over the platform's own WebSocket: browsers, Deno, Bun, Node.
// Invariant: `closed` is the last thing a socket says, and it says it exactly once.
//
// The platform's WebSocket cannot stop reading: pause and resume do nothing here, and a fast sender is held back by credit
// alone. It cannot say when its buffer is empty either, so that is asked while something waits.

import type { Dialer, Socket, SocketHandlers } from '../ports.ts';
import { CloseCode } from '../protocol/frames.ts';
import { SUBPROTOCOL } from '../protocol/limits.ts';

const CLOSE_TIMEOUT_MS = 3_000;
const DRAIN_POLL_MS = 10;
const MAX_REASON_LENGTH = 40; // 123 bytes of UTF-8 at most, three bytes a character at worst

/** What is used of the platform; named here so that this file compiles without the types of browsers or of Node. */
interface PlatformWebSocket {
  binaryType: string;
  readonly protocol: string;
  readonly bufferedAmount: number;
  readonly readyState: number;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { readonly message?: string; readonly error?: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  send(bytes: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

interface Platform {
  readonly WebSocket: new (url: string, protocols: string) => PlatformWebSocket;
  setTimeout(fn: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
}

const platform = globalThis as unknown as Platform;
const OPEN = 1; // WebSocket.readyState

export function createWebDialer(): Dialer {
  return { dial: (url, handlers) => new PlatformSocket(url, handlers) };
}

class PlatformSocket implements Socket {
  #ws: PlatformWebSocket | undefined;
  readonly #handlers: SocketHandlers;
  #phase: 'live' | 'ending' | 'closed' = 'live';
  #error = '';
  #endTimer: unknown;
  #drainTimer: unknown;

  constructor(url: string, handlers: SocketHandlers) {
    this.#handlers = handlers;
    try {
      this.#ws = new platform.WebSocket(url, SUBPROTOCOL);
    } catch (error) {
      const reason = `cannot dial ${url}: ${(error as Error).message}`;
      this.#letGo(CloseCode.LOST, reason, () => {});
      return;
    }
    this.#ws.binaryType = 'arraybuffer';
    this.#ws.onopen = () => this.#opened();
    this.#ws.onmessage = (event) => this.#message(event.data);
    this.#ws.onerror = (event) => {
      this.#error = event.message ?? '';
    };
    this.#ws.onclose = (event) => this.#closed(event.code, event.reason === '' ? this.#error : event.reason);
  }

  get bufferedBytes(): number {
    return this.#ws?.bufferedAmount ?? 0;
  }

  send(bytes: Uint8Array): 'taken' | 'kept' {
    const ws = this.#ws;
    if (this.#phase !== 'live' || ws === undefined || ws.readyState !== OPEN) return 'taken';
    ws.send(bytes);
    if (ws.bufferedAmount > 0 && this.#drainTimer === undefined) this.#awaitDrain();
    // The standard has it copied at once; not every platform does.
    return 'kept';
  }

  close(code: number, reason: string): void {
    if (this.#phase !== 'live') return;
    if (this.#ws?.readyState !== OPEN) return this.terminate();
    this.#phase = 'ending';
    // A peer that does not answer must not hold us; the platform waits far longer.
    this.#endTimer = platform.setTimeout(() => this.#closed(CloseCode.LOST, reason), CLOSE_TIMEOUT_MS);
    // The platform lets nobody but itself say codes such as 1009.
    if (code === CloseCode.NORMAL || code >= 3_000) this.#ws.close(code, reason.slice(0, MAX_REASON_LENGTH));
    else this.#ws.close();
  }

  terminate(): void {
    // The platform has no way to end a connection at once: we let go of it, and it ends when the platform gives up.
    if (this.#phase !== 'closed') this.#letGo(CloseCode.LOST, 'terminated', () => this.#ws?.close());
  }

  pause(): void {}

  resume(): void {}

  #opened(): void {
    if (this.#phase !== 'live') return;
    if (this.#ws?.protocol === SUBPROTOCOL) return this.#handlers.opened();
    this.#refuse(CloseCode.SUBPROTOCOL, `the server does not speak ${SUBPROTOCOL}`);
  }

  #message(data: unknown): void {
    if (this.#phase !== 'live') return;
    if (data instanceof ArrayBuffer) this.#handlers.message(new Uint8Array(data));
    else this.#refuse(CloseCode.MALFORMED, 'a text message');
  }

  /** Tells the peer which rule it broke; our owner hears the same code, whatever the peer answers. */
  #refuse(code: number, reason: string): void {
    this.#letGo(code, reason, () => this.#ws?.close(code, reason.slice(0, MAX_REASON_LENGTH)));
  }

  /** Node reports `close` from inside `close()` while it dials; an owner must not hear `closed` from inside its own call. */
  #letGo(code: number, reason: string, end: () => void): void {
    this.#phase = 'ending';
    this.#ignore();
    end();
    this.#ws = undefined;
    platform.clearTimeout(this.#endTimer);
    this.#endTimer = platform.setTimeout(() => this.#closed(code, reason), 0);
  }

  #ignore(): void {
    const ws = this.#ws;
    if (ws === undefined) return;
    ws.onopen = null;
    ws.onmessage = null;
    ws.onclose = null;
    // Kept: some platforms report an error event without a listener on the console.
    ws.onerror = () => {};
  }

  #awaitDrain(): void {
    this.#drainTimer = platform.setTimeout(() => {
      this.#drainTimer = undefined;
      if (this.#phase !== 'live') return;
      if (this.bufferedBytes > 0) this.#awaitDrain();
      else this.#handlers.drained();
    }, DRAIN_POLL_MS);
  }

  #closed(code: number, reason: string): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    platform.clearTimeout(this.#endTimer);
    platform.clearTimeout(this.#drainTimer);
    this.#ignore();
    this.#ws = undefined;
    this.#handlers.closed(code, reason);
  }
}
