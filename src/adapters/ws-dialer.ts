// Dials hubs over the package `ws` (Node).
// Invariant: whatever goes wrong before or after the handshake reaches the owner as one `closed`; `dial` itself never throws.

import { STATUS_CODES } from 'node:http';

import { WebSocket } from 'ws';
import type { ClientOptions } from 'ws';

import type { Dialer, Socket, SocketHandlers, TextSockets } from '../ports.ts';
import { CloseCode } from '../protocol/frames.ts';
import { SUBPROTOCOL, limits } from '../protocol/limits.ts';
import { WsSocket, commonOptions } from './ws-socket.ts';

export interface WsDialerOptions {
  /** Text messages of another subprotocol, or of none. @default binary messages of Holdfast's own */
  readonly texts?: Pick<TextSockets, 'subprotocol'>;
  /** Longest message taken, in bytes. @default limits.maxMessageBytes */
  readonly maxMessageBytes?: number;
  /**
   * RFC 6455 has clients mask what they send, so that no intermediary on the way can be made to take it for HTTP. `exposed`
   * masks where one could read along, which is anywhere but inside TLS and on loopback, and sends the mask 0 there: masking
   * and unmasking took two thirds of the time of a large message. @default 'exposed'
   */
  readonly mask?: 'exposed' | 'always';
  /** Certificates (PEM) that are trusted instead of the system's. @default the system's */
  readonly ca?: string | readonly string[];
  /** Whether the hub's certificate must be valid. Turn it off in tests only. @default true */
  readonly rejectUnauthorized?: boolean;
}

export function createWsDialer(options: WsDialerOptions = {}): Dialer {
  const clientOptions: ClientOptions = {
    ...commonOptions,
    maxPayload: options.maxMessageBytes ?? limits.maxMessageBytes,
    followRedirects: false,
  };
  if (options.ca !== undefined) {
    clientOptions.ca = typeof options.ca === 'string' ? options.ca : [...options.ca];
  }
  if (options.rejectUnauthorized !== undefined) clientOptions.rejectUnauthorized = options.rejectUnauthorized;

  const subprotocol = options.texts === undefined ? SUBPROTOCOL : options.texts.subprotocol;
  const form = options.texts === undefined ? 'binary' : 'text';
  return {
    dial(url, handlers) {
      let ws: WebSocket;
      try {
        const masked = options.mask === 'always' || isExposed(url);
        ws = new WebSocket(
          url,
          subprotocol === undefined ? [] : [subprotocol],
          masked ? clientOptions : { ...clientOptions, generateMask },
        );
      } catch (error) {
        return deadSocket(handlers, `cannot dial ${url}: ${(error as Error).message}`);
      }
      const socket = new WsSocket(ws, handlers, form);
      ws.on('upgrade', (response) => {
        const chosen = response.headers['sec-websocket-protocol'];
        if (chosen === subprotocol) return;
        socket.fail(
          CloseCode.SUBPROTOCOL,
          `the server speaks ${chosen ?? 'no subprotocol'}, not ${subprotocol ?? 'none'}`,
        );
      });
      ws.on('unexpected-response', (_request, response) => {
        const status = response.statusCode ?? 0;
        const code = status === 426 ? CloseCode.SUBPROTOCOL : CloseCode.LOST;
        socket.fail(
          code,
          `the server answered ${status} ${STATUS_CODES[status] ?? 'unknown status'} to the upgrade`,
        );
      });
      ws.on('open', () => handlers.opened());
      return socket;
    },
  };
}

function isExposed(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'ws:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

function generateMask(mask: Buffer): void {
  mask.fill(0);
}

function deadSocket(handlers: SocketHandlers, reason: string): Socket {
  // Never from inside `dial`: the owner does not have its socket yet.
  setImmediate(() => handlers.closed(CloseCode.LOST, reason));
  const nothing = (): void => {};
  return {
    bufferedBytes: 0,
    send: () => 'taken',
    close: nothing,
    terminate: nothing,
    pause: nothing,
    resume: nothing,
  };
}
