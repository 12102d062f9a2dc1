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

/** An HTTP answer of the hub's health, readiness and metrics pages, or a file of its inspector. */
export interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Who asks for a page. */
export interface PageRequest {
  /** Why a browser that follows another site must not have more than public pages; undefined when it may. */
  readonly suspicion: string | undefined;
}

/** Another kind of WebSocket on the same port: text messages, as UTF-8. */
export interface TextSockets {
  readonly path: string;
  /** Undefined: of those that name none. */
  readonly subprotocol: string | undefined;
  /** `loopback`: also of pages of other servers on this machine, such as an app that is being developed. @default 'own' */
  readonly origins?: 'own' | 'loopback';
  /** Longest message, in bytes; a longer one closes the connection with 1009. */
  readonly maxMessageBytes: number;
  accept(incoming: Incoming): void;
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
  page(path: string, request: PageRequest): Promise<Page | undefined>;
  /** Browsers of other sites are refused there. @default none */
  readonly texts?: readonly TextSockets[] | undefined;
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

/** Names and values in turn, as they stand on the wire; a name may come more than once. */
export type HeaderList = readonly string[];

/** An HTTP request to an upstream. */
export interface UpstreamCall {
  /** Scheme, host and port: `https://api.example.com`. */
  readonly origin: string;
  readonly method: string;
  /** Path and query, as they go onto the wire. */
  readonly path: string;
  /** Without those of the connection (`Host`, `Connection`, `Transfer-Encoding`), which are the adapter's. */
  readonly headers: HeaderList;
  /** What is iterated is read as the upstream takes it. When it throws, the connection is cut. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | undefined;
}

/** Whose fault it is that a call failed: the upstream's, the request's (it cannot be sent as it is), or this machine's. */
export type CallBlame = 'upstream' | 'request' | 'machine';

/** What a call tells its owner. Nothing is told after `ended`, `failed`, or the call's `abort`. */
export interface CallHandlers {
  /** There is a connection: from here on the upstream may have begun with the request. */
  sent(): void;
  /** An interim answer (1xx). */
  informed(status: number, headers: HeaderList): void;
  answered(status: number, reason: string, headers: HeaderList): void;
  /** The bytes belong to the receiver. */
  data(bytes: Uint8Array): void;
  /** The answer came whole. */
  ended(trailers: HeaderList): void;
  failed(error: Error, blame: CallBlame): void;
}

export interface OpenCall {
  /** Stops and restarts reading (backpressure); what has been read still comes. */
  pause(): void;
  resume(): void;
  /** Ends it at once, and its connection unless the answer came whole. */
  abort(): void;
}

/** Sends HTTP requests to upstreams, over connections that it keeps. */
export interface Upstream {
  /** Never throws. Handlers may be called before it returns. */
  call(call: UpstreamCall, handlers: CallHandlers): OpenCall;
  /** Lets go of the connections to all other origins, once what is under way there has ended. */
  keepOnly(origins: ReadonlySet<string>): void;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** An HTTP request that a client made, and the answer to it. */
export interface HttpExchange {
  readonly method: string;
  /** The request target, as the client wrote it. */
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly headers: HeaderList;
  readonly remoteAddress: string;
  /** Bytes; 0 when there is no body, undefined when only its end will tell. */
  readonly bodyLength: number | undefined;
  /** `drained`: `write` takes more again. `closed`: the client went away before the answer was complete. Once, first of all. */
  handle(handlers: { drained(): void; closed(): void }): void;
  /** The whole body, once it is here; not called for a client that went away. Either this or `body`, once. */
  readWhole(done: (bytes: Uint8Array) => void): void;
  /** The body as it is asked for; it throws when the client goes away. */
  body(): AsyncIterable<Uint8Array>;
  /** An interim answer (1xx). */
  inform(status: number, headers: HeaderList): void;
  start(status: number, reason: string, headers: HeaderList): void;
  /** `full`: wait for `drained`. */
  write(bytes: Uint8Array): 'more' | 'full';
  /** Completes the answer; what the client still sends of its body is thrown away. */
  end(bytes?: Uint8Array, trailers?: HeaderList): void;
  /** Ends the connection when what was written has gone out, or after a while: whoever reads sees that the answer is incomplete. */
  cut(): void;
}

/** What cannot become an exchange: HTTP that is none, headers that are too long, a tunnel. */
export interface HttpRefusal {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: string;
}

export interface HttpListenOptions {
  readonly host: string;
  /** 0 chooses a free port. */
  readonly port: number;
  readonly maxHeaderBytes: number;
  /** Further connections are closed at once. */
  readonly maxConnections: number;
  /** For a client to send its headers. */
  readonly headersTimeoutMs: number;
  /** A connection without a request is closed after this. */
  readonly keepAliveMs: number;
  /** Called for each request, in turn on each connection. */
  exchange(exchange: HttpExchange): void;
  refuse(problem: 'malformed' | 'headers_too_large' | 'too_slow' | 'tunnel'): HttpRefusal;
}

export interface HttpListener {
  listen(options: HttpListenOptions): Promise<Listening>;
}
