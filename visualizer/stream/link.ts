// The page's own connection to what it watches: the machine of every node's link, over the browser's WebSocket.
// Invariant: at most one socket is open, and nothing is told of a socket that was given up.
import { CloseCode } from '../../src/protocol/frames.ts';
import type { Ask, Open } from '../../src/protocol/inspection.ts';
import { connectOver, type OpenConnection, type SocketLike } from '../../src/web.ts';

export interface LinkTokens {
  readonly token?: string | undefined;
  readonly operatorToken?: string | undefined;
}

export interface LinkOptions {
  /** Opens a socket, and tells by what code it was closed. */
  dial(closed: (code: number, reason: string) => void): SocketLike;
  readonly tokens: LinkTokens;
  /** Text of a message; the first of a socket begins with a hello. */
  onText(text: string): void;
  /** Path of the connection machine's state. */
  onState(state: string): void;
  /** The server wants a token, or refuses the one it was given. */
  onRefused(reason: string): void;
}

export interface Link {
  readonly state: string;
  ask(ask: Ask): boolean;
  /** The network may be back. */
  wake(): void;
  stop(): void;
}

export function openLink(options: LinkOptions): Link {
  let accept: (() => void) | undefined;
  const closed = (code: number, reason: string): void => {
    if (code === CloseCode.UNAUTHORIZED) options.onRefused(reason);
  };

  const connection: OpenConnection = connectOver(() => options.dial(closed), {
    maxRetryAttempts: 0,
    reconnectIntervalMs: 500,
    reconnectMaxMs: 5_000,
    stableAfterMs: 5_000,
    register: (socket) => {
      const { token, operatorToken } = options.tokens;
      const open: Open = { kind: 'open', contexts: true };
      if (token !== undefined) open.token = token;
      if (operatorToken !== undefined) open.operatorToken = operatorToken;
      socket.send(JSON.stringify(open));
      return new Promise<void>((resolve) => (accept = resolve));
    },
    onMessage: (data) => {
      if (typeof data !== 'string') return;
      // Whoever takes our `open` answers it at once, with a hello.
      accept?.();
      options.onText(data);
    },
    onTransition: ({ to }) => options.onState(to),
  });
  return {
    get state() {
      return connection.state;
    },
    ask: (ask) => connection.send(JSON.stringify(ask)),
    wake: () => connection.wake(),
    stop: () => connection.stop(),
  };
}
