// The connection machine for anyone's app and protocol, over any WebSocket-like object.
// Invariant: at most one socket is open; its successor is dialled only after it was closed and let go.
import type { connectionMachine } from '../../machines/connection.ts';
import { createSystem, statePath, type Transition } from '../actors/index.ts';
import type { Clock, Random, Socket, SocketHandlers } from '../ports.ts';
import { dial } from './dialer.ts';
import { resolveTimes, type LinkTimes, type Preset } from './options.ts';

/** What every platform's WebSocket sends: browsers take no shared memory. */
export type SocketData = string | ArrayBuffer | ArrayBufferView<ArrayBuffer>;

/** What a WebSocket of any platform offers, and any test can fake. */
export interface SocketLike {
  send(data: SocketData): void;
  close(code?: number, reason?: string): void;
  /** Node's `ws` has it: ends at once. Without it, `close` has to do. */
  terminate?(): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
}

type Data = unknown;

export interface ConnectOverOptions extends Partial<LinkTimes> {
  /** Seed of the jitter: two peers should not have the same. @default random */
  readonly seed?: number | undefined;
  /** @default none */
  readonly preset?: Preset | undefined;
  /** Introduce yourself; resolve when the peer has accepted, reject to fail and back off. @default accepted when open */
  readonly register?: ((socket: SocketLike) => void | Promise<void>) | undefined;
  /** Ask for a sign of life; any message counts as one. Without it a silent link is given up after heartbeatTimeoutMs. @default nothing */
  readonly ping?: ((socket: SocketLike) => void) | undefined;
  readonly onMessage?: ((data: Data) => void) | undefined;
  readonly onTransition?: ((transition: Transition<typeof connectionMachine>) => void) | undefined;
  /** `failed` (attempts spent), `rejected` or `shutdown`. */
  readonly onEnded?: ((state: 'failed' | 'rejected' | 'shutdown', reason: string) => void) | undefined;
}

export interface OpenConnection {
  /** Path of the machine's state, such as `establishing.registering`. */
  readonly state: string;
  /** The socket, while connected. */
  readonly socket: SocketLike | undefined;
  /** @returns whether there was a connection to send it on */
  send(data: SocketData): boolean;
  connect(): void;
  /** The network may be back. */
  wake(): void;
  stop(): void;
}

/** `connectOver` of the platform whose ports these are. @throws HoldfastError `invalid_option` */
export function connectWith(
  socketFactory: () => SocketLike,
  options: ConnectOverOptions,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): OpenConnection {
  const { register, ping } = options;
  const { maxRetryAttempts, ...times } = resolveTimes(options, options.preset);
  const system = createSystem({ clock });
  const sockets = new WeakMap<Socket, SocketLike>();
  let present: SocketLike | undefined;

  async function introduce(
    socket: Socket,
    registration: { epoch: number; registrationEpoch: number },
  ): Promise<void> {
    const raw = sockets.get(socket);
    if (raw === undefined) return;
    try {
      await register?.(raw);
      // Given up meanwhile: what it was told then is nobody's any more.
      if (connection.socket !== socket) return;
      present = raw;
      connection.tell({ type: 'registration.accepted', ...registration });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      connection.tell({ type: 'registration.refused', ...registration, retryAfterMs: 0, reason });
    }
  }

  const connection = dial(
    {
      register: (socket, registration) => void introduce(socket, registration),
      message: (data) => options.onMessage?.(data),
      drained: () => undefined,
      acknowledgeSync: () => undefined,
      ping: () => {
        if (present !== undefined) ping?.(present);
      },
      // What proves the peer's health in a foreign protocol is its traffic.
      check: (registration) => connection.tell({ type: 'health.confirmed', ...registration, hubLagMs: 0 }),
      settle: () => (present = undefined),
      drain: () => connection.tell({ type: 'drain.finished' }),
      backoff: () => undefined,
      ended: (state, reason) => {
        present = undefined;
        options.onEnded?.(state, reason);
      },
    },
    {
      system,
      dialer: {
        dial(_, handlers) {
          try {
            return wrap(socketFactory(), handlers, sockets);
          } catch (error) {
            const reason = error instanceof Error ? error.message : String(error);
            clock.endOfTurn(() => handlers.closed(1006, reason));
            return noSocket;
          }
        },
      },
      id: 'connection',
      url: '',
      input: { ...times, maxRetryAttempts, seed: options.seed ?? random.uint32() },
      onTransition: (transition) => options.onTransition?.(transition),
    },
  );
  connection.tell({ type: 'connect.requested' });

  return {
    get state() {
      return statePath(connection.actor.snapshot().value);
    },
    get socket() {
      return present;
    },
    send(data) {
      if (present === undefined) return false;
      present.send(data);
      return true;
    },
    connect: () => connection.tell({ type: 'connect.requested' }),
    wake: () => connection.tell({ type: 'wake.hinted' }),
    stop: () => connection.tell({ type: 'stop.requested' }),
  };
}

/** What a factory that throws leaves us with. */
const noSocket: Socket = {
  bufferedBytes: 0,
  send: () => 'taken',
  close: () => undefined,
  terminate: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
};

function wrap(raw: SocketLike, handlers: SocketHandlers, sockets: WeakMap<Socket, SocketLike>): Socket {
  let state: 'open' | 'closed' = 'open';
  const closed = (code: number, reason: string): void => {
    if (state === 'closed') return;
    state = 'closed';
    handlers.closed(code, reason);
  };
  const socket: Socket = {
    send: (bytes) => {
      // What the machine's own speaker sends is memory of ours, which is never shared.
      raw.send(bytes as Uint8Array<ArrayBuffer>);
      return 'kept';
    },
    bufferedBytes: 0,
    close: (code, reason) => raw.close(code, reason),
    terminate() {
      if (raw.terminate !== undefined) raw.terminate();
      else raw.close();
      closed(1006, 'terminated');
    },
    pause: () => undefined,
    resume: () => undefined,
  };
  sockets.set(socket, raw);
  raw.onopen = () => {
    if (state === 'open') handlers.opened();
  };
  raw.onmessage = (event: { data: Data }) => {
    if (state === 'open') handlers.message(event.data as Uint8Array);
  };
  raw.onclose = (event: { code?: number; reason?: string }) => closed(event.code ?? 1006, event.reason ?? '');
  raw.onerror = () => closed(1006, 'socket error');
  return socket;
}
