// All that the inside of Holdfast knows of the outside. Adapters implement these; tests swap them.
// Invariant: types only, nothing here runs.

/** A timer that was set; only its clock knows what it holds. */
export type Timer = { readonly timer: unique symbol } | object | number;

/** Monotonic time. Nothing in Holdfast waits by the wall clock. */
export interface Clock {
  /** Monotonic milliseconds, with fractions; the origin is arbitrary but fixed for one clock. */
  now(): number;
  /** Calls `fn` once, not before `delayMs` milliseconds have passed. Any finite delay works, beyond 2^31 ms too. */
  setTimer(fn: () => void, delayMs: number): Timer;
  /** Does nothing for a timer that fired or was cleared. */
  clearTimer(timer: Timer): void;
  /** Calls `fn` when the present turn of the event loop has handled all input that is at hand. */
  endOfTurn(fn: () => void): void;
  /**
   * Reports that the process slept: a tick came at least `jumpMs` later than it should have. Returns the function that ends it.
   */
  onJump(fn: (jumpMs: number) => void): () => void;
}

/** The date, for reading dates that others wrote. Nothing waits by it: it is set back and forth. */
export interface WallClock {
  /** Milliseconds since 1970. */
  now(): number;
}

/** What a socket tells its owner. Nothing is called after `closed`. */
export interface SocketHandlers {
  opened(): void;
  /** The bytes belong to the receiver. */
  message(bytes: Uint8Array): void;
  /** `bufferedBytes` went back to 0 after it had been above. */
  drained(): void;
  /** Once, last. `code` is the WebSocket close code (1006 when the link just ended). */
  closed(code: number, reason: string): void;
}

/** One message-oriented, ordered connection (a WebSocket, or a simulated one). */
export interface Socket {
  /**
   * Sends one binary message; a socket that is not open drops it. `taken`: the memory may be written again.
   * `kept`: the bytes must not change any more.
   */
  send(bytes: Uint8Array): 'taken' | 'kept';
  /** Bytes that were sent and that the kernel has not taken yet. */
  readonly bufferedBytes: number;
  /** Starts the closing handshake; `closed` follows. Terminates by itself when the peer does not answer within a few seconds. */
  close(code: number, reason: string): void;
  /** Ends the connection at once, without a handshake; `closed` follows. */
  terminate(): void;
  /** Stops and restarts reading (backpressure). */
  pause(): void;
  resume(): void;
}

/** Dials a hub. Errors come as `closed(1006, message)`. */
export interface Dialer {
  dial(url: string, handlers: SocketHandlers): Socket;
}

/** What a listener accepted. `handle` must be called in the same turn. */
export interface Incoming {
  readonly remoteAddress: string;
  readonly socket: Socket;
  handle(handlers: Omit<SocketHandlers, 'opened'>): void;
}

/** An HTTP answer of the hub's health, readiness and metrics pages. */
export interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 chooses a free port. */
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Longest message, in bytes; a longer one closes the connection with 1009. */
  readonly maxMessageBytes: number;
  /** For a connection to become a WebSocket (or to ask for a page), in milliseconds. @default the listener's own */
  readonly handshakeTimeoutMs?: number;
  accept(incoming: Incoming): void;
  /** Answers `GET path`; undefined is a 404. */
  page(path: string): Promise<Page | undefined>;
}

export interface Listening {
  readonly host: string;
  readonly port: number;
  /** `ws://host:port` or `wss://host:port`. */
  readonly url: string;
  /** Stops accepting. Connections that are open stay open. */
  stopAccepting(): void;
  /** Stops accepting and ends what is left; resolves when the port is free. */
  close(): Promise<void>;
}

export interface Listener {
  listen(options: ListenOptions): Promise<Listening>;
}

export interface Random {
  /** A fresh unique id (122 random bits or more, as text). */
  id(): string;
  /** An unsigned 32-bit number. */
  uint32(): number;
}

export interface Digest {
  /** SHA-256 (FIPS 180-4) of the parts, one after the other, as 64 lower-case hexadecimal digits. */
  sha256(parts: readonly Uint8Array[]): Promise<string>;
}

/** Structured logs: fields first, then a sentence. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type MetricLabels = Readonly<Record<string, string>>;

export interface MetricReading {
  readonly labels: MetricLabels;
  readonly value: number;
}

/** The numbers that one hub exposes. A name always comes with the same label names. */
export interface Metrics {
  /** Adds to a counter, by 1 unless said otherwise. Not for every frame: count those in a plain number and let `gauge` read it. */
  count(name: string, labels?: MetricLabels, by?: number): void;
  /** Has a number read each time the page is rendered. A name that ends in `_total` is exposed as a counter. */
  gauge(name: string, read: () => number | readonly MetricReading[]): void;
  /** The metrics page (Prometheus text). */
  render(): Promise<Page>;
}
